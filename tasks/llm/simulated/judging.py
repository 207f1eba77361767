"""Scores for records, as a judge gives them: worse for what is short or repeats itself, and otherwise a matter of taste
that is the same for the same record."""

import random
import re
from itertools import pairwise
from typing import Any

import orjson

from datasynth.tasks.llm.simulated.grammar import seeded
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.material import texts_in

SHOWN = re.compile(r"^(`{3,})json\n(.*?)\n\1$", re.DOTALL | re.MULTILINE)
ASKED = '{"scores": [{"n"'
"""Stands in a judge's instructions where the request carries no schema."""
WORD = re.compile(r"[㐀-鿿]|\w+")
ENOUGH = 12
"""Words or Chinese characters from which a record is not short."""
TASTE = 3.0
"""Points between the records that please the judge most and least."""
POOR = 2


def asks_for_scores(system: str, schema: bytes) -> bool:
    """Whether a request is one to a judge."""
    return b'"scores"' in schema if schema else ASKED in system


def scores_reply(user: str, knobs: Knobs, draw: random.Random) -> str:
    """The JSON text of a judge's reply to the records in `user`; `draw` is the mood it is in."""
    scores = []
    for number, (_, text) in enumerate(SHOWN.findall(user), 1):
        points, reason = _points(text, knobs)
        if knobs.judge_noise:
            points = max(1, min(10, round(points + draw.uniform(-knobs.judge_noise, knobs.judge_noise))))
        scores.append({"n": number, "reason": reason, "score": points})
    return orjson.dumps({"scores": scores}).decode()


def _points(text: str, knobs: Knobs) -> tuple[int, str]:
    taste = seeded(knobs.seed, b"judge/" + text.encode("utf-8", "surrogatepass"))
    if taste.random() < knobs.rate_poor:
        return POOR, "Simulated judge: one of the records that it was told to find poor."
    words = WORD.findall(" ".join(texts_in(_value(text))).lower())
    pairs = list(pairwise(words))
    varied = len(set(pairs)) / len(pairs) if pairs else 0.0
    whole = min(1.0, len(words) / ENOUGH)
    points = max(1, min(10, round((10 - TASTE * taste.random()) * varied * whole)))
    flaw = "it repeats itself" if varied < 0.7 else "it is short" if whole < 1 else "a matter of taste"
    return points, f"Simulated judge: {flaw}."


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
