"""Which of the existing records a part may draw, and in which order: a function of the records and the seed alone."""

import random
from collections.abc import Sequence
from typing import Any

from datasynth.schemas.errors import InputError
from datasynth.schemas.proportions import Part, Scalar
from datasynth.schemas.record import content_digest
from datasynth.tasks.proportions.records import Sourced

MOST_VALUES = 8
"""Values of a field that are named to somebody who asked for one that no record has."""


def drawn(records: Sequence[Sourced], part: Part, seed: int) -> list[Sourced]:
    """The records that fit the part's filter, each once, in the order in which they are drawn.

    More records wanted are the same ones and some more.

    Raises:
        InputError: no record has a field of the filter, or none its values.
    """
    fitting = [one for one in records if _fits(one.record, part.where)]
    if not fitting:
        raise _nothing_fits(records, part)
    once: dict[str, Sourced] = {}
    for one in fitting:
        once.setdefault(_content(one.record), one)
    order = list(once.values())
    random.Random(f"draw {seed} {part.name}").shuffle(order)  # noqa: S311 - a sample, no secret
    return order


def records_digest(records: Sequence[Sourced]) -> str:
    """Digest of records, where they came from and their order: the same draw gives the same."""
    return content_digest([[one.reference, _content(one.record)] for one in records])


def _content(record: dict[str, Any]) -> str:
    return content_digest({name: value for name, value in record.items() if name != "id"})


def _fits(record: dict[str, Any], where: dict[str, tuple[Scalar, ...]]) -> bool:
    return all(name in record and _is_one_of(record[name], values) for name, values in where.items())


def _is_one_of(value: Any, values: tuple[Scalar, ...]) -> bool:
    """Whether `value`, or an item of it where it is a list, is among `values`; a number is no text and no flag."""
    found = value if isinstance(value, list) else [value]
    return any(one == wanted and _type(one) == _type(wanted) for one in found for wanted in values)


def _type(value: Any) -> type:
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def _nothing_fits(records: Sequence[Sourced], part: Part) -> InputError:
    names = {name: None for one in records for name in one.record}
    for field, values in part.where.items():
        if field not in names:
            return InputError(
                "Part {part}: no record of {data} has the field {field} that where asks for. There are: {known}.",
                part=part.name,
                data=part.data or "",
                field=field,
                known=", ".join(names),
            )
        if not any(_fits(one.record, {field: values}) for one in records):
            return InputError(
                "Part {part}: in no record of {data} the field {field} is {values}. It is, for example: {known}.",
                part=part.name,
                data=part.data or "",
                field=field,
                values=", ".join(map(repr, values)),
                known=", ".join(_examples(records, field)),
            )
    return InputError(
        "Part {part}: no record of {data} has all that where asks for at once. Ask for less.",
        part=part.name,
        data=part.data or "",
    )


def _examples(records: Sequence[Sourced], field: str) -> list[str]:
    values = (value for one in records if field in one.record for value in [one.record[field]])
    items = (item for value in values for item in (value if isinstance(value, list) else [value]))
    texts = dict.fromkeys(text if len(text) <= 40 else f"{text[:39]}…" for text in map(repr, items))
    return [*list(texts)[:MOST_VALUES], *(["…"] if len(texts) > MOST_VALUES else [])]
