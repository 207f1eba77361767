"""Records a second from parsed JSON to a verdict on each, ours beside Pydantic on the same rows in the same run.

    python benchmarks/validation.py [--flat 200000] [--conversations 40000] [--bad 0.01] [--batch 10000]

Pydantic is used as its documentation advises: a model compiled once, `model_validate` for each record, the error
caught; `TypeAdapter(list[Model])` over the whole batch, which says nothing of single records, is shown too. The loop
is what one would write for this one schema by hand: plain `if`s, no reasons given. Ours is shown for all records at
once and for as many at a time as a round of a run has, where what pandera takes for each call weighs more. Prints the
best of five rounds, taken in turn.
"""

import argparse
import re
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field as RecordField
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.quality.screening import checks_for
from datasynth.tasks.validate.content import ContentRules
from datasynth.tasks.validate.validator import RecordValidator, with_content

ROUNDS = 5

FLAT = RecordSchema(
    fields=(
        RecordField(name="question", min_length=20, max_length=400, pattern=r"\?$"),
        RecordField(name="answer", type="number", minimum=0, maximum=1_000_000),
        RecordField(name="unit", enum=("m", "km", "kg", "g")),
        RecordField(name="grade", type="integer", minimum=3, maximum=6),
    )
)
"""Eight checks: two lengths, a pattern, an enum and four bounds; types and presence come on top."""

TALK = RecordSchema(
    fields=(
        RecordField(
            name="messages",
            type="array",
            min_items=2,
            items=RecordField(
                name="message",
                type="object",
                fields=(
                    RecordField(name="role", enum=("system", "user", "assistant")),
                    RecordField(name="content", min_length=1),
                ),
            ),
        ),
    )
)


class FlatModel(BaseModel):
    question: Annotated[str, Field(min_length=20, max_length=400, pattern=r"\?$")]
    answer: Annotated[float, Field(ge=0, le=1_000_000)]
    unit: Literal["m", "km", "kg", "g"]
    grade: Annotated[int, Field(ge=3, le=6)]


class Turn(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(min_length=1)]


class TalkModel(BaseModel):
    messages: Annotated[list[Turn], Field(min_length=2)]


def flat_records(count: int, bad: float) -> list[dict[str, Any]]:
    every = round(1 / bad) if bad else 0
    return [
        {
            "question": f"How many metres are {n} kilometres and {n % 7} metres?",
            "answer": n * 1.5 % 1_000_000,
            "unit": ("m", "km", "kg", "g")[n % 4],
            "grade": 9 if every and n % every == 0 else 3 + n % 4,
        }
        for n in range(count)
    ]


def talk_records(count: int, bad: float) -> list[dict[str, Any]]:
    every = round(1 / bad) if bad else 0
    return [
        {
            "messages": [
                {"role": "user", "content": f"Question {n} about the order, please help me"},
                {"role": "assistant", "content": f"Answer {n}: it left the warehouse yesterday"},
                {"role": "user", "content": "And when will it be here?"},
                {"role": "assistant", "content": "" if every and n % every == 0 else f"In {n % 9} days"},
            ]
        }
        for n in range(count)
    ]


QUESTION_END = re.compile(r"\?$")
UNITS = frozenset(("m", "km", "kg", "g"))
SPEAKERS = frozenset(("system", "user", "assistant"))


def one_by_one(model: type[BaseModel]) -> Callable[[list[dict[str, Any]]], int]:
    def valid(records: list[dict[str, Any]]) -> int:
        count = 0
        for record in records:
            try:
                model.model_validate(record)
            except ValidationError:
                continue
            count += 1
        return count

    return valid


def as_a_list(adapter: TypeAdapter[Any]) -> Callable[[list[dict[str, Any]]], int]:
    def valid(records: list[dict[str, Any]]) -> int:
        try:
            return len(adapter.validate_python(records))
        except ValidationError as error:
            return len(records) - len({place["loc"][0] for place in error.errors()})

    return valid


def by_hand(is_valid: Callable[[dict[str, Any]], bool]) -> Callable[[list[dict[str, Any]]], int]:
    return lambda records: sum([is_valid(record) for record in records])


def is_flat(record: dict[str, Any]) -> bool:
    question, answer = record.get("question"), record.get("answer")
    unit, grade = record.get("unit"), record.get("grade")
    return (
        isinstance(question, str)
        and 20 <= len(question) <= 400
        and QUESTION_END.search(question) is not None
        and isinstance(answer, int | float)
        and not isinstance(answer, bool)
        and 0 <= answer <= 1_000_000
        and isinstance(unit, str)
        and unit in UNITS
        and isinstance(grade, int)
        and not isinstance(grade, bool)
        and 3 <= grade <= 6
    )


def is_talk(record: dict[str, Any]) -> bool:
    messages = record.get("messages")
    if not isinstance(messages, list) or len(messages) < 2:
        return False
    for message in messages:
        if not isinstance(message, dict):
            return False
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or role not in SPEAKERS or not isinstance(content, str) or not content:
            return False
    return True


def ours(schema: RecordSchema, roles: dict[str, str] | None = None) -> Callable[[list[dict[str, Any]]], int]:
    validator = RecordValidator(schema)
    rules = ContentRules(schema, roles) if roles is not None else None

    def valid(records: list[dict[str, Any]]) -> int:
        verdicts = validator.check(records)
        return sum((with_content(verdicts, rules) if rules else verdicts).valid)

    return valid


def at_a_time(size: int, valid: Callable[[list[Any]], int]) -> Callable[[list[Any]], int]:
    return lambda records: sum(valid(records[start : start + size]) for start in range(0, len(records), size))


def looked_through(schema: RecordSchema, roles: dict[str, str]) -> Callable[[list[dict[str, Any]]], int]:
    """`ours`, and all content checks that are on by default."""
    validator, rules = RecordValidator(schema), ContentRules(schema, roles)
    detection = Detection(kind="multi_turn", roles=roles)
    settings = SynthesisSettings.model_validate({"analysis_dir": "unused"})
    checks = checks_for(Recipe(name="n", record_schema=schema), detection, settings)
    return lambda records: sum(with_content(with_content(validator.check(records), rules), checks).valid)


def compare(title: str, records: list[dict[str, Any]], contestants: dict[str, Callable[[list[Any]], int]]) -> None:
    """Times each contestant on the same records, in turn, and prints rates and the ratio to the first."""
    best: dict[str, float] = {}
    counts: dict[str, int] = {}
    for _ in range(ROUNDS):
        for name, valid in contestants.items():
            start = time.perf_counter()
            counts[name] = valid(records)
            best[name] = min(best.get(name, float("inf")), time.perf_counter() - start)
    print(f"{title}: {len(records):,} records, {counts[next(iter(counts))]:,} of them valid")
    base = best[next(iter(best))]
    for name, seconds in best.items():
        rate = re.sub(r"\.\d+$", "", f"{len(records) / seconds:,.0f}")
        print(f"  {name:36} {rate:>10} records/s   {base / seconds:5.2f} x the first   {counts[name]:,} valid")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flat", type=int, default=200_000)
    parser.add_argument("--conversations", type=int, default=40_000)
    parser.add_argument("--bad", type=float, default=0.01, help="share of records that one check refuses")
    parser.add_argument("--batch", type=int, default=10_000, help="records at a time; a round has about as many")
    options = parser.parse_args()
    batch = options.batch
    for bad in (0.0, options.bad):
        flat = orjson.loads(orjson.dumps(flat_records(options.flat, bad)))
        compare(
            f"flat, eight checks, {bad:.0%} bad",
            flat,
            {
                "Pydantic, record by record": one_by_one(FlatModel),
                "Pydantic, the list at once": as_a_list(TypeAdapter(list[FlatModel])),
                "A loop written for it": by_hand(is_flat),
                "RecordValidator": ours(FLAT),
                f"RecordValidator, {batch:,} at a time": at_a_time(batch, ours(FLAT)),
            },
        )
        talks = orjson.loads(orjson.dumps(talk_records(options.conversations, bad)))
        compare(
            f"conversations of four messages, {bad:.0%} bad",
            talks,
            {
                "Pydantic, record by record": one_by_one(TalkModel),
                "Pydantic, the list at once": as_a_list(TypeAdapter(list[TalkModel])),
                "A loop written for it": by_hand(is_talk),
                "RecordValidator": ours(TALK),
                f"RecordValidator, {batch:,} at a time": at_a_time(batch, ours(TALK)),
                "RecordValidator and roles, blanks": ours(TALK, {"conversation": "messages"}),
                "… and content checks": looked_through(TALK, {"conversation": "messages"}),
            },
        )


if __name__ == "__main__":
    main()
