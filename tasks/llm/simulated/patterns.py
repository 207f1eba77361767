"""Strings that a `pattern` or a `format` of JSON Schema asks for."""

import functools
import re
from collections.abc import Callable
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from typing import Any

from datasynth.tasks.llm.simulated.grammar import Draw

# `re._parser` is private, but it is how the standard library itself reads patterns; a second parser would be a
# second truth about them.
LETTERS = "abcdefghijklmnopqrstuvwxyz"
CATEGORIES = {
    sre.CATEGORY_DIGIT: "0123456789",
    sre.CATEGORY_WORD: LETTERS + LETTERS.upper() + "0123456789_",
    sre.CATEGORY_SPACE: " ",
    sre.CATEGORY_NOT_DIGIT: LETTERS,
    sre.CATEGORY_NOT_WORD: "-. ",
    sre.CATEGORY_NOT_SPACE: LETTERS + "0123456789",
}
PRINTABLE = "".join(map(chr, range(32, 127)))


@functools.lru_cache(maxsize=256)
def _parsed(pattern: str) -> tuple[Any, re.Pattern[str]] | None:
    try:
        return sre_parser.parse(pattern), re.compile(pattern)
    except re.error:
        return None


def matching(pattern: str, draw: Draw) -> str | None:
    """A string that `pattern` matches from end to end; None for patterns this simple generator cannot serve."""
    parsed = _parsed(pattern)
    if parsed is None:
        return None
    for _ in range(8):
        try:
            text = _sequence(parsed[0], draw, {})
        except NotImplementedError:
            return None
        if parsed[1].search(text):
            return text
    return None


def _sequence(tokens: Any, draw: Draw, groups: dict[int, str]) -> str:
    return "".join([_token(kind, value, draw, groups) for kind, value in tokens])


def _token(kind: Any, value: Any, draw: Draw, groups: dict[int, str]) -> str:
    if kind is sre.LITERAL:
        return chr(value)
    if kind is sre.ANY:
        return _one(LETTERS, draw)
    if kind is sre.NOT_LITERAL:
        return _one(LETTERS.replace(chr(value), ""), draw)
    if kind is sre.IN:
        return _one(_members(value), draw)
    if kind is sre.BRANCH:
        return _sequence(value[1][int(draw() * len(value[1]))], draw, groups)
    if kind is sre.SUBPATTERN:
        text = _sequence(value[3], draw, groups)
        if value[0]:
            groups[value[0]] = text
        return text
    if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        low, high, inner = value
        most = low + 6 if high is sre.MAXREPEAT else int(high)
        return "".join([_sequence(inner, draw, groups) for _ in range(low + int(draw() * (most - low + 1)))])
    if kind is sre.GROUPREF:
        return groups.get(value, "")
    if kind in (sre.AT, sre.ASSERT, sre.ASSERT_NOT):
        # What an anchor or a look-around demands is left to the final search.
        return ""
    raise NotImplementedError(str(kind))


def _members(items: Any) -> str:
    chars, negated = "", False
    for kind, value in items:
        if kind is sre.NEGATE:
            negated = True
        elif kind is sre.LITERAL:
            chars += chr(value)
        elif kind is sre.RANGE:
            # A wide range, such as all Chinese characters, is served by its first few hundred.
            chars += "".join(map(chr, range(value[0], min(value[1], value[0] + 400) + 1)))
        elif kind is sre.CATEGORY:
            chars += CATEGORIES.get(value, LETTERS)
    return "".join(c for c in PRINTABLE if c not in chars) if negated else chars


def _one(chars: str, draw: Draw) -> str:
    return chars[int(draw() * len(chars))] if chars else ""


def _date(draw: Draw) -> str:
    return f"{2023 + int(draw() * 3)}-{1 + int(draw() * 12):02d}-{1 + int(draw() * 28):02d}"


def _time(draw: Draw) -> str:
    return f"{int(draw() * 24):02d}:{int(draw() * 60):02d}:{int(draw() * 60):02d}Z"


def _hex(draw: Draw, count: int) -> str:
    return f"{int(draw() * 16**count):0{count}x}"


def _uuid(draw: Draw) -> str:
    parts = (_hex(draw, 8), _hex(draw, 4), "4" + _hex(draw, 3), "89ab"[int(draw() * 4)] + _hex(draw, 3), _hex(draw, 12))
    return "-".join(parts)


def _word(draw: Draw) -> str:
    return "".join([_one("bcdfghklmnprstvw", draw) + _one("aeiou", draw) for _ in range(3)])


FORMATS: dict[str, Callable[[Draw], str]] = {
    "date-time": lambda draw: f"{_date(draw)}T{_time(draw)}",
    "date": _date,
    "time": _time,
    "duration": lambda draw: f"PT{1 + int(draw() * 90)}M",
    "email": lambda draw: f"{_word(draw)}.{_word(draw)}@example.com",
    "idn-email": lambda draw: f"{_word(draw)}.{_word(draw)}@example.com",
    "uri": lambda draw: f"https://example.com/{_word(draw)}/{_word(draw)}",
    "iri": lambda draw: f"https://example.com/{_word(draw)}/{_word(draw)}",
    "url": lambda draw: f"https://example.com/{_word(draw)}/{_word(draw)}",
    "uri-reference": lambda draw: f"/{_word(draw)}/{_word(draw)}",
    "hostname": lambda draw: f"{_word(draw)}.example.com",
    "ipv4": lambda draw: f"192.0.2.{1 + int(draw() * 254)}",
    "ipv6": lambda draw: f"2001:db8::{_hex(draw, 4)}",
    "uuid": _uuid,
    "regex": lambda draw: f"^{_word(draw)}[0-9]+$",
    "json-pointer": lambda draw: f"/{_word(draw)}/{int(draw() * 9)}",
}


def formatted(name: str, draw: Draw) -> str | None:
    """A string of the JSON Schema format `name`; None for formats unknown here."""
    make = FORMATS.get(name)
    return make(draw) if make else None
