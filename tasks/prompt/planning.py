"""What each call of a round shows and aims at: seeds in rotation, and niches of the attribute space in rotation."""

import itertools
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from datasynth.schemas.calls import PlannedCall
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field
from datasynth.schemas.settings import SynthesisSettings

AIMED_AT_ONCE = 3
"""Attributes that one aim names at most: with more, the values contradict each other and records grow alike."""

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


@dataclass(frozen=True)
class Attribute:
    """A field whose values span one axis of the space to fill."""

    name: str
    values: tuple[Any, ...]
    """At least two, each valid under the schema."""
    open: bool = False
    """True where other values than these are welcome."""


def plan_calls(
    recipe: Recipe,
    detection: Detection,
    settings: SynthesisSettings,
    *,
    round: int,
    first_index: int,
    asked: Sequence[int],
) -> tuple[PlannedCall, ...]:
    """One call for each entry of `asked`, in plan order.

    Given the same recipe, random seed, round and first index the plan is the same, and the plan of fewer calls is
    its beginning.

    Args:
        round: number of the round; rounds shuffle the seeds differently.
        first_index: index of the first call in the whole run.
        asked: records asked for, call by call.
    """
    shown = itertools.islice(_seed_rotation(recipe, settings, round), len(asked))
    niches = aims(recipe, detection, settings, first_index=first_index, count=len(asked))
    return tuple(
        PlannedCall(index=first_index + i, asked=count, seeds=seeds, aim=aim)
        for i, (count, seeds, aim) in enumerate(zip(asked, shown, niches, strict=True))
    )


def aims(
    recipe: Recipe, detection: Detection, settings: SynthesisSettings, *, first_index: int, count: int
) -> list[dict[str, Any]]:
    """The niches of `count` calls from `first_index` on: values by field name, `{}` for a call without an aim.

    A balanced rotation over the grid of attributes that goes on from round to round: within a grid's cycle every
    combination comes once and every value of an attribute about equally often. More than three attributes make
    several grids that take turns. With a diversity factor of 0 nothing is aimed at.
    """
    axes = attributes(recipe, detection, settings) if settings.diversity_factor > 0 else ()
    if not axes:
        return [{} for _ in range(count)]
    key = _key(recipe, settings)
    grids = _grids(_random(key, "grids").sample(axes, len(axes)))
    niches = []
    for index in range(first_index, first_index + count):
        turn, which = divmod(index, len(grids))
        niches.append(_niche(grids[which], turn, f"{key}|{which}"))
    return niches


def attributes(recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> tuple[Attribute, ...]:
    """The axes that schema and seeds open: lists of values, narrow ranges, flags, categories; never free text."""
    found = (_attribute(field, recipe, detection, settings) for field in recipe.record_schema.asked)
    return tuple(attribute for attribute in found if attribute is not None and len(attribute.values) > 1)


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


def _grids(axes: Sequence[Attribute]) -> list[tuple[Attribute, ...]]:
    """The axes in as few groups of at most three as they need, of sizes as equal as can be."""
    number = math.ceil(len(axes) / AIMED_AT_ONCE)
    return [tuple(axes[i::number]) for i in range(number)]


def _niche(grid: tuple[Attribute, ...], turn: int, key: str) -> dict[str, Any]:
    """The cell of a grid at its `turn`: all cells once in a cycle, each cycle with its values in another order.

    Only the first axis keeps its order, so that it takes another value at every turn: neighbours always differ.
    """
    options = [[(value,) for value in axis.values] + ([()] if axis.open else []) for axis in grid]
    cycle, step = divmod(turn, math.prod(map(len, options)))
    first, others = _random(key, "niches"), _random(key, "niches", cycle)
    niche: dict[str, Any] = {}
    before = 1
    for axis, choices in zip(grid, options, strict=True):
        shuffled = (first if axis is grid[0] else others).sample(choices, len(choices))
        # Stepping through both together meets lcm(before, size) pairs; then one side is shifted by one, until
        # all before * size pairs have come. Every run of `size` steps without a shift holds each value once.
        size = len(choices)
        shift = step % (before * size) // math.lcm(before, size)
        for value in shuffled[(step + shift) % size]:
            niche[axis.name] = value
        before *= size
    return niche


def _seed_rotation(recipe: Recipe, settings: SynthesisSettings, round: int) -> Iterator[tuple[int, ...]]:
    """Positions of the seeds that the round's calls show, call by call, without end.

    Dealt from one shuffled deck after another, so that at any moment no seed was shown two times more than
    another; a call that falls between two decks takes from the new one what it does not hold yet. No call shows
    the same set of seeds as the one before it, unless it has to show them all.
    """
    shown = min(settings.seed_sample_count, len(recipe.seeds))
    shuffle = _random(_key(recipe, settings), "seeds", round)
    deck: list[int] = []
    before: set[int] = set()
    while True:
        hand = [deck.pop() for _ in range(min(shown, len(deck)))]
        if len(hand) < shown:
            fresh = shuffle.sample(range(len(recipe.seeds)), len(recipe.seeds))
            # Popped from the end: what the hand holds already goes to the front.
            deck = [seed for seed in fresh if seed in hand] + [seed for seed in fresh if seed not in hand]
            hand += [deck.pop() for _ in range(shown - len(hand))]
            if set(hand) == before and shown < len(recipe.seeds):
                # The whole hand came from the new deck, whose next card is none of it.
                hand[-1], deck[-1] = deck[-1], hand[-1]
        before = set(hand)
        yield tuple(hand)


def _key(recipe: Recipe, settings: SynthesisSettings) -> str:
    return f"{settings.random_seed}|{recipe.fingerprint}"


def _random(key: str, *purpose: str | int) -> random.Random:
    # Seeded with text, which Python hashes with SHA-512: the same on any machine and in any process.
    return random.Random("|".join(map(str, (key, *purpose))))  # noqa: S311 (no secret)
