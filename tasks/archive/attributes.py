"""The axes of the space to be filled: fields with few values, topics of the seeds, lengths, the user's own.

What schema and seeds say costs nothing to find out, so it is found anew wherever it is needed; topics take a moment
and are found once a plan.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Literal

from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.archive.topics import Topics, find_topics

SHORT = 20
"""Characters of a seed's value up to which a string field may be a category."""

FEW = 12
"""Distinct values up to which a string field may be a category."""

NARROW = 10
"""Width of a declared range of whole numbers up to which each one is a niche; 0 to 10 is a usual scale."""

OPEN_FROM = 0.3
"""Diversity from which an inferred category is now and then left open: the seeds need not show every value."""

CATEGORY_NAMES = re.compile(
    r"(category|class|type|kind|topic|domain|field|subject|intent|label|tag|level|difficulty|grade|style|tone|genre"
    r"|sentiment|source|channel|language|lang|scene|scenario|task|skill"
    r"|类别|分类|类型|种类|主题|话题|领域|学科|科目|意图|标签|级别|等级|难度|年级|风格|语气|体裁|情感|渠道|语言|场景|任务|技能)$",
    re.IGNORECASE,
)
"""Names (or their last part) under which people keep categories; for fields with too few seeds to tell by counting."""

SCALE_NAMES = re.compile(r"(level|difficulty|grade|等级|级别|难度|年级)$", re.IGNORECASE)
"""Names of categories that are scales: an invented step would be noise, so they are never left open."""

JUDGEMENT_NAMES = re.compile(r"(quality|score|rating|评分|质量|得分|分数)$", re.IGNORECASE)
"""Names of fields that judge an answer. As an aim they would ask for bad answers as often as good ones."""

SUBJECT_NAMES = re.compile(
    r"(category|class|topic|domain|subject|intent|theme|scene|scenario|task|skill"
    r"|类别|分类|主题|话题|领域|学科|科目|意图|场景|任务|技能)$",
    re.IGNORECASE,
)
"""Names of categories that say what a record is about: where there is one, topics would say it a second time."""

TOPIC = "topic"
LENGTH = ".length"
"""Ends the name of the axis that bins the length of a field."""

LEAST_SEEDS_FOR_LENGTHS = 12
LEAST_SPREAD = 1.5
"""The upper length bin begins at least so many times above the lower one's end; else all answers are about as long."""

LENGTH_ROLES = ("response", "chosen")
"""Roles whose text is the main answer of a record."""


@dataclass(frozen=True)
class Attribute:
    """One axis of the space to fill."""

    name: str
    values: tuple[Any, ...]
    """At least two, but where the user gave one. Those of a field are valid under the schema; those of lengths are
    `low-high` or `low+`."""
    open: bool = False
    """True where other values than these are welcome."""
    kind: Literal["field", "free", "topic", "length"] = "field"
    """Where a record's value is: in its field of that name; in its aim alone; in what it speaks of; in a length."""
    weights: tuple[float, ...] = ()
    """Share of each value in the records wanted, in any unit; empty where no share was asked for."""
    given: bool = False
    """True for an attribute of the user's own, which every aim names."""
    topics: Topics | None = dataclass_field(default=None, compare=False, repr=False)
    """What tells a record's topic: of the kind `topic` alone."""


def attributes(recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> tuple[Attribute, ...]:
    """All axes: those of the fields in the schema's order, then topics, lengths, and attributes that are no field.

    Raises:
        InputError: the user's values for a field do not fit the schema.
    """
    fields = field_attributes(recipe, detection, settings)
    found = [*fields, *_topics(recipe, fields, settings), *_lengths(recipe, detection, settings)]
    names = {field.name for field in recipe.record_schema.asked}
    free = [
        Attribute(name, tuple(shares), kind="free", weights=_target(shares.values()), given=True)
        for name, shares in settings.attributes.items()
        if name not in names
    ]
    return (*found, *free)


def field_attributes(recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> tuple[Attribute, ...]:
    """The axes that are fields: lists of values, narrow ranges, flags, categories; never free text.

    Raises:
        InputError: the user's values for a field do not fit the schema.
    """
    given = settings.attributes
    found = (
        _given(field, given[field.name]) if field.name in given else _attribute(field, recipe, detection, settings)
        for field in recipe.record_schema.asked
    )
    return tuple(axis for axis in found if axis is not None and (len(axis.values) > 1 or axis.name in given))


def length_bin(value: Any, labels: Sequence[str]) -> int | None:
    """The bin that the text `value` falls into; None for anything else."""
    if not isinstance(value, str):
        return None
    ends = [int(label.split("-")[1]) for label in labels[:-1]]
    return sum(len(value) > end for end in ends)


def _target(shares: Any) -> tuple[float, ...]:
    weights = tuple(map(float, shares))
    return weights if len(set(weights)) > 1 else ()


def _given(field: Field, shares: dict[str, float]) -> Attribute:
    values = tuple(_typed(field, text) for text in shares)
    for text, value in zip(shares, values, strict=True):
        if not _fits(field, value) or (field.enum is not None and value not in field.enum):
            raise InputError(
                "--attribute: {value} cannot stand in the field {field}. Give values that its schema allows, or "
                "another name for an attribute that is no field.",
                value=text,
                field=field.name,
            )
    return Attribute(field.name, values, weights=_target(shares.values()), given=True)


def _typed(field: Field, text: str) -> Any:
    """What a person means who types `text` for the field."""
    try:
        if field.type == "integer":
            return int(text)
        if field.type == "number":
            return float(text)
    except ValueError:
        return text
    return {"true": True, "false": False}.get(text.lower(), text) if field.type == "boolean" else text


def _attribute(field: Field, recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> Attribute | None:
    if field.any_of or (detection.kind != "generic" and JUDGEMENT_NAMES.search(field.name)):
        return None
    if field.enum is not None:
        return Attribute(field.name, tuple(value for value in _distinct(field.enum) if _fits(field, value)))
    seen = [seed[field.name] for seed in recipe.seeds if seed.get(field.name) is not None]
    if field.type == "integer":
        return _narrow_range(field)
    if field.type == "boolean" and len(set(map(repr, seen))) == 2:
        # Both values among the seeds: without them, half of the records with a rare flag set would be unnatural.
        return Attribute(field.name, (False, True))
    if field.type == "string" and field.name not in detection.roles.values() and _is_category(field, seen):
        far = settings.diversity_factor >= OPEN_FROM
        return Attribute(field.name, _distinct(seen), open=far and not SCALE_NAMES.search(field.name))
    return None


def _narrow_range(field: Field) -> Attribute | None:
    low = max((x for x in (field.minimum, field.exclusive_minimum) if x is not None), default=None)
    high = min((x for x in (field.maximum, field.exclusive_maximum) if x is not None), default=None)
    if low is None or high is None or not high - low <= NARROW:
        return None
    inside = range(math.ceil(low), math.floor(high) + 1)
    return Attribute(field.name, tuple(value for value in inside if _fits(field, value)))


def _is_category(field: Field, seen: Sequence[Any]) -> bool:
    if not all(isinstance(value, str) and 0 < len(value) <= SHORT and "\n" not in value for value in seen):
        return False
    distinct = len(set(seen))
    repeats = len(seen) >= 4 and distinct <= len(seen) / 2
    return distinct <= FEW and (repeats or CATEGORY_NAMES.search(field.name) is not None)


def _distinct(values: Sequence[Any]) -> tuple[Any, ...]:
    """The values in order of appearance; by type too, as 1 and true are equal in Python and not in JSON."""
    return tuple({(type(value).__name__, repr(value)): value for value in values}.values())


def _topics(recipe: Recipe, fields: Sequence[Attribute], settings: SynthesisSettings) -> tuple[Attribute, ...]:
    """Topics of the seeds, where no field says what a record is about and the user does not either."""
    said = any(isinstance(axis.values[0], str) and SUBJECT_NAMES.search(axis.name) for axis in fields)
    said = said or any(SUBJECT_NAMES.search(name) for name in settings.attributes)
    if said or settings.diversity_factor == 0 or recipe.record_schema.field(TOPIC) is not None:
        return ()
    topics = find_topics(recipe)
    if topics is None:
        return ()
    far = settings.diversity_factor >= OPEN_FROM
    return (Attribute(TOPIC, topics.names, open=far, kind="topic", topics=topics),)


def _lengths(recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> tuple[Attribute, ...]:
    """Thirds of the seeds by the length of their main answer, so that an even spread over them is the seeds' own."""
    field = next((f for role in LENGTH_ROLES if (f := recipe.record_schema.field(detection.roles.get(role, "")))), None)
    if field is None or field.type != "string" or field.enum is not None or settings.diversity_factor == 0:
        return ()
    lengths = sorted(len(text) for seed in recipe.seeds if isinstance(text := seed.get(field.name), str))
    if len(lengths) < LEAST_SEEDS_FOR_LENGTHS:
        return ()
    low, high = lengths[len(lengths) // 3], lengths[2 * len(lengths) // 3]
    name = field.name + LENGTH
    if high < LEAST_SPREAD * low or recipe.record_schema.field(name) is not None or name in settings.attributes:
        return ()
    return (Attribute(name, (f"1-{low}", f"{low + 1}-{high}", f"{high + 1}+"), kind="length"),)


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "any": (str, int, float, bool),
}


def _fits(field: Field, value: Any) -> bool:
    """Whether a single value may stand in the field; lists, objects and null are never aimed at."""
    if not isinstance(value, _TYPES.get(field.type, ())):
        return False
    if isinstance(value, bool):
        return field.type in ("boolean", "any")
    if isinstance(value, str):
        return _fits_as_text(field, value)
    return (
        (field.minimum is None or value >= field.minimum)
        and (field.maximum is None or value <= field.maximum)
        and (field.exclusive_minimum is None or value > field.exclusive_minimum)
        and (field.exclusive_maximum is None or value < field.exclusive_maximum)
        and (field.multiple_of is None or math.isclose(math.remainder(value, field.multiple_of), 0, abs_tol=1e-9))
    )


def _fits_as_text(field: Field, value: str) -> bool:
    if not (field.min_length or 0) <= len(value) <= (math.inf if field.max_length is None else field.max_length):
        return False
    try:
        return field.pattern is None or re.search(field.pattern, value) is not None
    except re.error:
        # ECMA 262 patterns that Python does not know; the author of both list and pattern is believed.
        return True
