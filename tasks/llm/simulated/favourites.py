"""A model that has collapsed: most of what it says are its few favourite answers to what the prompt aims at.

Stands in for what aligned models do (Zhang et al. 2025, "Verbalized Sampling", arXiv:2510.01171, section on mode
collapse), so that ways of prompting can be compared. It reacts to the text of the prompt and to nothing else:

- What a prompt aims at is a niche with favourites of its own; half of them it shares with all prompts that name one of
  the same values. Without an aim all prompts share one set.
- Of the favourites of a niche the one of rank r comes with a probability that falls as r to the power of `steepness`,
  which differs by niche: of some subjects the model has more to say than of others.
- What the answer holds already, or the prompt quotes as written, it mostly leaves out (`OBEDIENCE`) and says the next
  thing that comes to its mind; it does not get cleverer by that, and may come to the same things again and again.
- A favourite is said again in the same words, or with one word changed.

Seeds shown do not change favourites: how much they do in a real model, nobody has measured.
"""

import copy
import dataclasses
import functools
import hashlib
import itertools
import random
import re
from bisect import bisect_left
from typing import Any

import orjson

from datasynth.tasks.llm.simulated.damage import nearly
from datasynth.tasks.llm.simulated.grammar import seeded
from datasynth.tasks.llm.simulated.invent import Inventor
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.material import Material, texts_in
from datasynth.tasks.llm.simulated.reading import Reading

RANKS = 1_000
"""Favourites of a niche; the last ones come up about never."""
STEEPNESS = (1.2, 2.0)
"""Exponents of the Zipf laws, from the subject that most is said of to the one that least is said of. At 1.2 the first
five ranks take half of all answers, at 2.0 nine tenths."""
OBEDIENCE = 0.8
"""Probability that a record is written with regard to what is quoted as written and what the answer holds already."""
ALIKE = 0.75
"""Share of a quotation's words, each in its place, from which a text counts as quoted."""
UNIT = re.compile(r"[㐀-鿿]|[^\W㐀-鿿]+")
THOUGHTS = 8
"""Favourites that come to mind for one record; if all are quoted, the last one is said all the same."""


def collapsed(reading: Reading, inventor: Inventor, knobs: Knobs, draw: random.Random) -> list[dict[str, Any]]:
    """The records of one reply: favourites by the share `knobs.collapse`, the rest invented."""
    said: set[tuple[bytes, int]] = set()
    return [
        _favourite(reading, knobs, draw, said) if draw.random() < knobs.collapse else inventor.record()
        for _ in range(reading.count)
    ]


def _favourite(reading: Reading, knobs: Knobs, draw: random.Random, said: set[tuple[bytes, int]]) -> dict[str, Any]:
    aims = sorted(reading.aims.items())
    if len(aims) > 1 and draw.random() < 0.5:
        aims = [draw.choice(aims)]
    niche = orjson.dumps(aims)
    weights = _ranks(_steepness(knobs.seed, niche))
    record: dict[str, Any] = {}
    heeds = draw.random() < OBEDIENCE
    for _ in range(THOUGHTS):
        rank = bisect_left(weights, draw.random() * weights[-1])
        record = _said(reading, knobs.seed, niche, rank, dict(aims))
        known = (niche, rank) in said or _quoted(record, reading.written)
        said.add((niche, rank))
        if not known or not heeds:
            break
    return record if draw.random() < 0.5 else nearly(copy.deepcopy(record), reading.words, draw)


def _said(reading: Reading, seed: int, niche: bytes, rank: int, aims: dict[str, Any]) -> dict[str, Any]:
    """The favourite of that rank, the same in whatever prompt it comes up, labelled as this one asks for."""
    alone = dataclasses.replace(reading, material=Material([], reading.words), aims=aims)
    record = Inventor(alone, seeded(seed, b"favourite %d/" % rank + niche).random).record()
    return record | {name: value for name, value in reading.aims.items() if name in record}


def _quoted(record: dict[str, Any], written: tuple[str, ...]) -> bool:
    """Whether a text of the record begins much like one of the quotations; a word changed does not hide it."""
    beginnings = [_units(text) for text in texts_in(record)] if written else []
    return any(_alike(_units(quotation), text) for quotation in written for text in beginnings)


def _alike(quotation: list[str], text: list[str]) -> bool:
    # The last word of a quotation may be cut.
    told = quotation[:-1] or quotation
    met = sum(a == b for a, b in zip(told, text, strict=False))
    return bool(told) and met >= ALIKE * len(told)


@functools.lru_cache(maxsize=65536)
def _units(text: str) -> list[str]:
    """The first words, or characters of a script without spaces."""
    return UNIT.findall(text[:200].casefold())[:40]


def _steepness(seed: int, niche: bytes) -> float:
    low, high = STEEPNESS
    digest = hashlib.blake2b(b"%d/" % seed + niche, digest_size=4).digest()
    return low + (high - low) * int.from_bytes(digest, "big") / 2**32


@functools.lru_cache(maxsize=4096)
def _ranks(steepness: float) -> list[float]:
    """Cumulated weights of the ranks."""
    return list(itertools.accumulate((rank + 1) ** -steepness for rank in range(RANKS)))
