"""The validate step: records against their schema, a batch at a time, every refusal with its place and its reason."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import groupby
from typing import Any, Final, Protocol

import orjson
import polars as pl

from datasynth.schemas.frames import Candidates, Judged
from datasynth.schemas.messages import Message, say
from datasynth.schemas.recipe import Detection
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.validate.content import ContentRules
from datasynth.tasks.validate.findings import Problem, path_text, problem_frame
from datasynth.tasks.validate.judging import Judge
from datasynth.tasks.validate.nested import ObjectColumn

SENTENCES_IN_DETAIL: Final = 10


@dataclass(frozen=True)
class Verdicts:
    """What came of a batch of records, in their order."""

    records: list[dict[str, Any] | None]
    """The records with only the schema's fields at the top and lossless repairs applied; None where refused.
    A record that needed no change is the one that was given, not a copy."""
    repairs: list[int]
    """Values changed in each record; 0 where it was refused."""
    found: tuple[Problem, ...]
    """Everything that is wrong, by row and then in the schema's order."""

    @cached_property
    def problems(self) -> pl.DataFrame:
        """`found` as a frame: row (Int64), field (path such as `steps[2]`), check, value (JSON, at most 200
        characters; null for a missing field), detail (an English sentence)."""
        return problem_frame(self.found)

    @property
    def valid(self) -> list[bool]:
        return [record is not None for record in self.records]

    @property
    def rows_with_problems(self) -> list[int]:
        """Rows of the refused records, ascending."""
        return [row for row, record in enumerate(self.records) if record is None]

    def by_row(self) -> Iterator[tuple[int, list[Problem]]]:
        """The problems of each refused record, ascending."""
        for row, problems in groupby(self.found, key=lambda problem: problem.row):
            yield row, list(problems)


class Rules(Protocol):
    """Checks on records that already fit their schema: `ContentRules`, or those of `tasks/quality`."""

    def check(self, records: Sequence[dict[str, Any] | None]) -> Sequence[Problem]:
        """The problems of `records`, by row and field; None among them is passed over."""
        ...


class RecordValidator:
    """A record schema, compiled once.

    A record is valid if it is by JSON Schema 2020-12 (`RecordSchema.json_schema()`), with `format` asserted (see
    `formats`; for `pattern` see `patterns`) and with two limits of what can be stored: integers have 64 bits, numbers
    are 64-bit floats that hold them exactly; and text is Unicode (no lone surrogates).

    With `repair`, a record that a change without loss makes valid is changed instead of refused: "3" for an
    integer, "2.5" for a number, "true" for a boolean (only as JSON itself writes them, white space around them
    aside), 3 for a string; 3.0 for an integer becomes 3; null for an optional field, and a key that an object may
    not have, are left out.
    """

    def __init__(self, schema: RecordSchema, *, repair: bool = True, uncounted: Collection[str] = ()) -> None:
        """Compiles `schema`.

        Args:
            schema: what records must look like.
            repair: False judges records as they are and hands back what it was given.
            uncounted: top-level keys outside the schema whose removal is no repair (an `id` that is ours to give).

        Raises:
            InputError: a constraint of the schema makes no sense.
        """
        record = Field(name="", type="object", fields=schema.fields)
        self._judge = Judge(ObjectColumn(record, None, 0, "", extra="drop" if repair else "keep"))
        self._repair = repair
        self._uncounted = frozenset(uncounted) - {field.name for field in schema.fields}

    def check(self, records: Sequence[Any]) -> Verdicts:
        """Judges `records`, whatever JSON values they are; changes none of them."""
        given = list(records)
        judged = self._judge.judge(given, repair=self._repair)
        values, repairs = judged.values, [0] * len(given)
        for row, changes in judged.repairs.items():
            repairs[row] = changes - len(self._uncounted.intersection(given[row]))
        for row in judged.problems:
            values[row], repairs[row] = None, 0
        rows = sorted(judged.problems)
        return Verdicts(values, repairs, tuple(problem for row in rows for problem in judged.problems[row]))


def judge(
    candidates: pl.DataFrame,
    schema: RecordSchema,
    detection: Detection | None = None,
    *,
    may_be_blank: Collection[str] = (),
    quality: Rules | None = None,
) -> pl.DataFrame:
    """Validates candidates (frame `Candidates`): gives frame `Judged`, in the same order.

    Only `schema.asked` is judged and kept. A record that fits the schema must also make sense as training data:
    see `ContentRules`, and `quality` for what else is looked at.

    Args:
        candidates: records as JSON text.
        schema: the recipe's record schema.
        detection: the kind of data, whose roles name the conversation, the response and so on.
        may_be_blank: required text fields that may be blank, such as those that are blank in the seeds.
        quality: the content checks of the run (`tasks/quality`), for records that passed all else.

    Raises:
        InputError: a constraint of the schema makes no sense.
    """
    Candidates.validate(candidates)
    asked = schema.only(schema.asked)
    ours = {field.name for field in schema.fields} - {field.name for field in asked.fields}
    texts = candidates["record"].to_list()
    verdicts = RecordValidator(asked, uncounted=ours).check([_parsed(text) for text in texts])
    rules = ContentRules(asked, detection.roles if detection else {}, may_be_blank=may_be_blank)
    verdicts = with_content(verdicts, rules)
    if quality is not None:
        verdicts = with_content(verdicts, quality)
    reasons = dict(verdicts.by_row())
    records = [
        text if record is None else orjson.dumps(record).decode()
        for text, record in zip(texts, verdicts.records, strict=True)
    ]
    first = [reasons[row][0] if row in reasons else None for row in range(len(texts))]
    judged = candidates.with_columns(
        pl.Series("record", records, dtype=pl.String),
        pl.Series("repairs", verdicts.repairs, dtype=pl.Int64),
        pl.Series("reason", [problem and problem.check for problem in first], dtype=pl.String),
        pl.Series("field", [problem and path_text(problem.keys) for problem in first], dtype=pl.String),
        pl.Series(
            "detail",
            [_detail(reasons[row]).text() if row in reasons else None for row in range(len(texts))],
            dtype=pl.String,
        ),
    )
    Judged.validate(judged)
    return judged


def _parsed(text: str) -> Any:
    """The JSON value that `text` holds; where it is none, the text, which is no record."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def accept_all(candidates: pl.DataFrame) -> pl.DataFrame:
    """Candidates as a `Judged` frame in which every record passes, as it is: for `--no-validate`."""
    Candidates.validate(candidates)
    nothing = [pl.lit(None, dtype=pl.String).alias(name) for name in ("reason", "field", "detail")]
    return candidates.with_columns(pl.lit(0, dtype=pl.Int64).alias("repairs"), *nothing)


def with_content(verdicts: Verdicts, rules: Rules) -> Verdicts:
    """`verdicts` after the records that fit the schema were held against `rules` too."""
    more = rules.check(verdicts.records)
    if not more:
        return verdicts
    refused = {problem.row for problem in more}
    return Verdicts(
        [None if row in refused else record for row, record in enumerate(verdicts.records)],
        [0 if row in refused else count for row, count in enumerate(verdicts.repairs)],
        tuple(sorted((*verdicts.found, *more), key=lambda problem: (problem.row, problem.order))),
    )


def describe(verdicts: Verdicts) -> Iterator[Message]:
    """One message for each refused record, counted from 1, with everything that is wrong with it."""
    for row, problems in verdicts.by_row():
        yield say("Record {number}: {detail}", number=row + 1, detail=_detail(problems))


def _detail(problems: Sequence[Problem]) -> Message:
    sentences = [problem.sentence for problem in problems[:SENTENCES_IN_DETAIL]]
    if (untold := len(problems) - SENTENCES_IN_DETAIL) > 0:
        sentences.append(say("And {n} more.", n=untold))
    return reduce(lambda before, sentence: say("{before} {sentence}", before=before, sentence=sentence), sentences)
