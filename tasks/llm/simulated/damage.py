"""Replies as models also give them: repeated, invalid, wrapped or broken."""

import copy
import random
import re
from typing import Any

import orjson

from datasynth.tasks.llm.simulated.grammar import Words
from datasynth.tasks.llm.simulated.knobs import CONTENT_FAULTS, RECORD_FAULTS, Knobs
from datasynth.tasks.llm.simulated.reading import Reading
from datasynth.tasks.llm.simulated.shapes import Node
from datasynth.tasks.llm.simulated.spoiled import spoilt

WORD = re.compile(r"[㐀-鿿]{2}|[A-Za-z]{3,}")


def any_record_fault(knobs: Knobs) -> bool:
    """Whether single records are to be damaged at all."""
    return any(getattr(knobs, f"rate_{fault}") for fault in RECORD_FAULTS)


def damaged_records(records: list[Any], reading: Reading, knobs: Knobs, draw: random.Random) -> list[Any]:
    """`records`, some repeated, nearly repeated, made invalid or spoilt, as the knobs' rates say."""
    rates = [getattr(knobs, f"rate_{fault}") for fault in RECORD_FAULTS]
    result: list[Any] = []
    for record in records:
        fault = draw.choices((*RECORD_FAULTS, None), [*rates, max(0.0, 1 - sum(rates))])[0]
        earlier = [*result, *reading.material.seeds]
        if fault == "invalid":
            result.append(invalid(record, reading.record, draw))
        elif fault in CONTENT_FAULTS:
            result.append(spoilt(record, fault, reading))
        elif fault and earlier:
            again = copy.deepcopy(draw.choice(earlier))
            result.append(again if fault == "duplicate" else nearly(again, reading.words, draw))
        else:
            result.append(record)
    return result


def nearly(record: dict[str, Any], words: Words, draw: random.Random) -> dict[str, Any]:
    """`record` with one word of its longest text replaced."""
    texts = [key for key, value in record.items() if isinstance(value, str) and WORD.search(value)]
    if texts:
        key = max(texts, key=lambda k: len(record[k]))
        found = draw.choice(list(WORD.finditer(record[key])))
        other = words.grammar.expand("topic", draw.random, {})
        other = other[:2] if words.language == "zh" else other.split()[0]
        record[key] = record[key][: found.start()] + other + record[key][found.end() :]
    return record


def invalid(record: dict[str, Any], shape: Node, draw: random.Random) -> dict[str, Any]:
    """`record` with one thing that its schema forbids: a wrong type, a value outside its bounds, a missing field."""
    required = [f.name for f in shape.fields if f.name in shape.required] or list(record)
    strict = [f for f in shape.fields if f.name in record and (f.enum or f.high < float("inf"))]
    choice = draw.random()
    if choice < 0.3:
        missing = draw.choice(required)
        return {k: v for k, v in record.items() if k != missing}
    if choice < 0.6 and strict:
        field = draw.choice(strict)
        return record | {field.name: "no such value" if field.enum else field.high + 1000}
    name = draw.choice(required)
    return record | {name: {"unexpected": True} if isinstance(record.get(name), str) else "three"}


def wrapped(records: list[Any], reading: Reading, draw: random.Random) -> str:
    """Whole records in one of the shapes that models put around them."""
    compact, pretty = orjson.dumps(records).decode(), orjson.dumps(records, option=orjson.OPT_INDENT_2).decode()
    greeting = reading.words.grammar.expand("greeting", draw.random, {})
    single = [orjson.dumps(r).decode() for r in records]
    return draw.choice(
        (
            f"{greeting}\n\n```json\n{pretty}\n```",
            f"```\n{pretty}\n```\n\n{greeting}",
            f"{greeting}\n{compact}",
            orjson.dumps({"data": {"items": orjson.Fragment(compact)}}).decode(),
            orjson.dumps({"samples": [{"data": orjson.Fragment(r)} for r in single]}).decode(),
            "\n".join(single),
            "\n\n".join(f"```json\n{r}\n```" for r in single),
            f"{compact}\n",
        )
    )


def malformed(text: str, draw: random.Random) -> str:
    """JSON `text` broken in one of the ways that models break it."""
    half = draw.randrange(len(text) // 3, max(len(text) // 3 + 1, 2 * len(text) // 3))
    colon = text.find('":', half)
    return draw.choice(
        (
            text.rstrip("}]"),
            text[:colon] + '"' + text[colon + 2 :] if colon > 0 else text[:half],
            text[:half] + '"' + text[half:],
            re.sub(r'"(\w+)":', r"\1 = ", text),
            "records:\n" + re.sub(r'[{}\[\]"]', "", text),
        )
    )
