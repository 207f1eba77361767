"""What a record says, in a few words: shown to the model as what has been written already."""

import re
import unicodedata
from typing import Any

from datasynth.schemas.recipe import Detection
from datasynth.schemas.record import RecordSchema
from datasynth.tasks.dedup.views import View, views_for

WIDTH = 56
"""Columns of an excerpt: about 56 Latin letters, or 28 Chinese characters, which take two each."""
OPENING_WORDS = 3
OPENING_CHARACTERS = 6
"""What counts as the same opening: so many words, or characters of a script without spaces."""


def telling_views(schema: RecordSchema, detection: Detection) -> dict[str, View]:
    """The views that near-duplicates are found by; `""` is the one that says what a record is about.

    That is what a conversation opens with, else what asks, else the first field of free text.
    """
    views = {view.name: view for view in views_for(schema, detection)}
    telling = next((view for view in views.values() if view.first_turn), None)
    if telling is None:
        parts = [view for name, view in views.items() if name != "record"]
        free = tuple(f for f in schema.asked if f.type in ("string", "array", "any") and f.enum is None)[:1]
        telling = parts[0] if parts else View("text", free) if free else views["record"]
    # What is alike as a whole is best told by what it asks.
    return {**views, "record": telling, "": telling}


def excerpt(text: str) -> str:
    """The beginning of `text` as one line without control characters, ending in an ellipsis where it was cut."""
    text = " ".join(text[: 4 * WIDTH].split())
    if text.isascii() and text.isprintable():
        return text if len(text) <= WIDTH else text[:WIDTH].rstrip() + "…"
    width, kept = 0, []
    for character in text:
        if unicodedata.category(character)[0] == "C":
            continue
        width += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if width > WIDTH:
            return "".join(kept).rstrip() + "…"
        kept.append(character)
    return "".join(kept)


def opening(said: str) -> str:
    """The first words of an excerpt, or its first characters where it has no spaces; empty for a shorter one."""
    words = said.split(" ")
    if len(words) > OPENING_WORDS:
        return " ".join(words[:OPENING_WORDS]) + "…"
    return said[:OPENING_CHARACTERS] + "…" if len(words) == 1 and len(said) > 2 * OPENING_CHARACTERS else ""


def cheap_quality(record: dict[str, Any], view: View, usual_length: float) -> float:
    """A guess at a record's quality where no judge gave one, 0 to 1: says as much as the seeds, and not twice.

    Half for the length of its texts, up to what is usual; half for the share of different words.
    """
    text = view.text(record)
    words = re.findall(r"[㐀-鿿]|\w+", text)
    if not words:
        return 0.0
    return (min(1.0, len(text) / max(usual_length, 1)) + len(set(words)) / len(words)) / 2
