"""From a judge's replies to a record's quality."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from datasynth.schemas.calls import Reply
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.generate.parse import parse_reply
from datasynth.tasks.judge.prompt import HIGHEST, LOWEST

SCORE = RecordSchema(fields=(Field(name="n", type="integer"), Field(name="reason"), Field(name="score", type="number")))
POINTS = re.compile(r"\s*(\d{1,2}(?:\.\d{1,6})?)\s*(?:/\s*10|分|points?)?\s*", re.IGNORECASE)
NUMBER = re.compile(r"\D{0,12}?(\d{1,6})")
LONGEST_REASON = 500
"""Characters kept of a reason: one sentence was asked for."""


@dataclass(frozen=True)
class Score:
    """What one judge said of one record."""

    quality: float
    """0 to 1."""
    reason: str


@dataclass(frozen=True)
class Judgement:
    """What all judges together said of one record."""

    quality: float | None
    """Their median; None where none of them gave a score."""
    spread: float | None
    """Highest less lowest; None for fewer than two scores."""
    reason: str


UNJUDGED = Judgement(None, None, "")


def read_scores(text: str, *, cut: bool = False) -> dict[int, Score]:
    """The scores in a reply, by the number of the record. Raises on no text.

    Left out is what cannot be told for certain: no number or two scores for one, and points off the scale. A reply
    that counts from 0 may mean any of two records by each number, so nothing of it is read.
    """
    found: dict[int, Score | None] = {}
    for entry in parse_reply(text, SCORE, cut=cut).records:
        number, points = _number(entry.get("n")), _points(entry.get("score"))
        if number is None:
            continue
        if number == 0:
            return {}
        known = None if points is None else Score(_quality(points), _reason(entry.get("reason")))
        found[number] = known if number not in found or found[number] == known else None
    return {number: score for number, score in found.items() if score is not None}


def has_scores(reply: Reply) -> bool:
    """Whether a reply holds any score; one that does not is asked for again."""
    return bool(read_scores(reply.text, cut=reply.stop == "length"))


def judgement(scores: Iterable[Score]) -> Judgement:
    """The median of `scores`, in the order of the judges; the reason is that of the first one nearest to it."""
    given = list(scores)
    if not given:
        return UNJUDGED
    values = [score.quality for score in given]
    middle = round(median(values), 4)
    nearest = min(given, key=lambda score: abs(score.quality - middle))
    return Judgement(middle, round(max(values) - min(values), 4) if len(given) > 1 else None, nearest.reason)


def _quality(points: float) -> float:
    return round((points - LOWEST) / (HIGHEST - LOWEST), 4)


def _number(value: Any) -> int | None:
    if isinstance(value, str):
        found = NUMBER.match(value)
        return int(found[1]) if found else None
    return int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _points(value: Any) -> float | None:
    if isinstance(value, str):
        found = POINTS.fullmatch(value)
        value = float(found[1]) if found else None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if LOWEST <= value <= HIGHEST else None


def _reason(value: Any) -> str:
    return " ".join(value.split())[:LONGEST_REASON] if isinstance(value, str) else ""
