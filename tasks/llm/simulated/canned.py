"""Cheap replies for benchmarks: records put together from ready pieces of JSON text."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from datasynth.tasks.llm.simulated.grammar import Draw, seeded
from datasynth.tasks.llm.simulated.invent import Inventor
from datasynth.tasks.llm.simulated.reading import count_asked, read_prompt
from datasynth.tasks.llm.simulated.shapes import Node
from datasynth.tasks.llm.simulated.texts import role_of

PART = 160
"""Ready pieces for each of the three parts of a text: four million different texts, of which two rarely share
more than one part, so that even 10,000 records hold few near-duplicates."""
WHOLE = 256
"""Ready values of a field that is no free text."""
FEWEST = 40
"""Pieces short enough for the field that each part needs; a field with fewer gets ready values instead."""
PARTS = {"ask": ("context", "ask", "follow"), "say": ("say", "say", "say"), "": ("say", "say", "say")}

Piece = Callable[[Draw], str]
"""Gives the JSON text of one value."""


@dataclass(frozen=True, slots=True)
class Bank:
    """Ready pieces for one shape of request."""

    wrapper: str
    fields: tuple[tuple[str, Piece], ...]

    def reply(self, count: int, draw: Draw) -> str:
        """The JSON text of a reply of `count` records."""
        records = ["{" + ",".join([name + piece(draw) for name, piece in self.fields]) + "}" for _ in range(count)]
        return f'{{"{self.wrapper}":[{",".join(records)}]}}'


def canned_reply(system: str, user: str, schema: bytes, seed: int, draw: Draw) -> str | None:
    """A reply to a request with a `schema`; None where the shape has no array of records.

    What is ready depends on the system prompt and the schema alone, so that a reply never depends on which
    request came first. The seeds and aims in `user` are not looked at: that is what makes it cheap.
    """
    bank = _bank(system, schema, seed)
    return bank.reply(count_asked(user, system), draw) if bank else None


@functools.lru_cache(maxsize=16)
def _bank(system: str, schema: bytes, seed: int) -> Bank | None:
    reading = read_prompt(system, "", schema)
    if reading.wrapper is None or not reading.record.fields:
        return None
    inventor = Inventor(reading, seeded(seed, schema).random)
    fields = tuple((orjson.dumps(f.name).decode() + ":", _piece(f, inventor)) for f in reading.record.fields)
    return Bank(reading.wrapper, fields)


def _piece(node: Node, inventor: Inventor) -> Piece:
    parts = PARTS.get(role_of(node.name))
    free = node.kind == "string" and not (node.enum or node.pattern or node.format)
    if parts and free and (joined := _joined(parts, node, inventor)):
        return joined
    if node.turns and not (node.max_items or node.min_items > 2):
        return _talk(node, inventor)
    ready = [orjson.dumps(inventor.value(node, {})).decode() for _ in range(WHOLE)]
    return lambda draw: ready[int(draw() * WHOLE)]


def _joined(symbols: tuple[str, ...], node: Node, inventor: Inventor) -> Piece | None:
    """Texts of three parts; None where the field's limits of length leave too few."""
    gap = "" if inventor.writer.chinese else " "
    most = math.inf if node.max_length is None else (node.max_length - 2 * len(gap)) // 3
    banks = []
    for symbol in symbols:
        texts = [inventor.writer.sentence(symbol, {}) for _ in range(PART)]
        fitting = [_inside(t) for t in texts if node.min_length <= 3 * len(t) and len(t) <= most]
        if len(fitting) < FEWEST:
            return None
        banks.append(fitting)
    (a, b, c), (of_a, of_b, of_c) = banks, map(len, banks)

    def text(draw: Draw) -> str:
        return f'"{a[int(draw() * of_a)]}{gap}{b[int(draw() * of_b)]}{gap}{c[int(draw() * of_c)]}"'

    return text


def _inside(text: str) -> str:
    return orjson.dumps(text).decode()[1:-1]


def _talk(node: Node, inventor: Inventor) -> Piece:
    talks = [inventor.conversation(node, {}) for _ in range(PART // 2)]
    first = [orjson.dumps(t[:2]).decode()[1:-1] for t in talks]
    later = [orjson.dumps(t[2:4]).decode()[1:-1] for t in talks if len(t) > 2] or first

    def conversation(draw: Draw) -> str:
        pairs = [first[int(draw() * len(first))], *(later[int(draw() * len(later))] for _ in range(int(draw() * 3)))]
        return f"[{','.join(pairs)}]"

    return conversation
