"""The text of an answer: records from the prompt, in the form asked for, damaged as the knobs say."""

import hashlib
import random
import re
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from datasynth.tasks.llm.simulated.canned import canned_reply
from datasynth.tasks.llm.simulated.damage import any_record_fault, damaged_records, malformed, wrapped
from datasynth.tasks.llm.simulated.faults import Fate
from datasynth.tasks.llm.simulated.favourites import collapsed
from datasynth.tasks.llm.simulated.grammar import seeded
from datasynth.tasks.llm.simulated.invent import Inventor
from datasynth.tasks.llm.simulated.judging import asks_for_scores, scores_reply
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.reading import Reading, read_prompt

Stop = Literal["end", "length", "refusal", "tool"]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request without anything that belongs to a protocol."""

    model: str
    system: str
    user: str
    schema: bytes = b""
    """JSON text of the structured-output schema; empty where the request has none."""
    bare_json: bool = False
    """The reply is to be JSON and nothing else, though of no given schema."""
    max_tokens: int | None = None
    temperature: float | None = None
    cached: str = ""
    """The part of the system prompt that the request lets be cached."""
    stream: bool = False
    stream_usage: bool = False

    def content(self) -> bytes:
        """Digest of what the reply depends on; the same for both protocols, streamed or not, batched or not."""
        parts = "\0".join((self.model, self.system, self.user, str(self.temperature)))
        digest = hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=16)
        digest.update(self.schema)
        return digest.digest()


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply without anything that belongs to a protocol."""

    text: str
    stop: Stop


def tokens(text: str) -> int:
    """How many tokens `text` is billed as: a quarter of its UTF-8 bytes, rounded up."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def answer(ask: Ask, content: bytes, knobs: Knobs, fate: Fate) -> Answer:
    """The answer to `ask`. Without faults its text depends on the seed and on `content` alone."""
    if fate.reply == "empty":
        return Answer("", "end")
    if fate.reply == "tool_call":
        return Answer("", "tool")
    draw = seeded(knobs.seed, content)
    if asks_for_scores(ask.system, ask.schema):
        if fate.reply == "refusal":
            return Answer("Simulated judge: it declines to judge.", "refusal")
        text = scores_reply(ask.user, knobs, draw)
        text = malformed(text, fate.draw) if fate.reply == "malformed" else text
    else:
        text = _canned(ask, knobs, fate, draw) if knobs.canned else None
    if text is None:
        reading = read_prompt(ask.system, ask.user, ask.schema)
        if fate.reply == "refusal":
            return Answer(reading.words.grammar.expand("refusal", draw.random, {}), "refusal")
        text = _text(reading, knobs, fate, draw, bare=ask.bare_json)
    if fate.reply == "truncated":
        text = _cut_inside(text, fate.draw)
    if ask.max_tokens is not None and tokens(text) > ask.max_tokens:
        return Answer(text.encode("utf-8", "surrogatepass")[: ask.max_tokens * 4].decode("utf-8", "ignore"), "length")
    return Answer(text, "length" if fate.reply == "truncated" else "end")


def _canned(ask: Ask, knobs: Knobs, fate: Fate, draw: random.Random) -> str | None:
    if not ask.schema or fate.reply not in (None, "truncated") or any_record_fault(knobs):
        return None
    return canned_reply(ask.system, ask.user, ask.schema, knobs.seed, draw.random)


def _text(reading: Reading, knobs: Knobs, fate: Fate, draw: random.Random, *, bare: bool) -> str:
    inventor = Inventor(reading, draw.random)
    if reading.wrapper is None:
        return orjson.dumps(inventor.record()).decode()
    records: list[Any] = (
        collapsed(reading, inventor, knobs, draw) if knobs.collapse else inventor.records(reading.count)
    )
    if any_record_fault(knobs):
        # As the records themselves: the same request meets the same damage, however often it is asked.
        records = damaged_records(records, reading, knobs, draw)
    if fate.reply == "wrapped":
        return wrapped(records, reading, fate.draw)
    if fate.reply == "malformed":
        return malformed(orjson.dumps({reading.wrapper: records}).decode(), fate.draw)
    if reading.structured or bare:
        return orjson.dumps({reading.wrapper: records}).decode()
    greeting = reading.words.grammar.expand("greeting", draw.random, {})
    return f"{greeting}\n\n```json\n{orjson.dumps(records, option=orjson.OPT_INDENT_2).decode()}\n```"


VALUE_START = re.compile(r'"\s*:\s*"?\w')


def _cut_inside(text: str, draw: random.Random) -> str:
    """`text` up to somewhere inside a value of one of its records."""
    places = [found.end() for found in VALUE_START.finditer(text)]
    # The first value may be the array itself; a cut there would leave no record begun.
    later = places[1:] or places
    return text[: later[draw.randrange(len(later))]] if later else text[: len(text) // 2]
