"""From the text of a reply to its records, whatever the model wrapped them in.

What is read: a bare array, `{"records": [...]}` or any other wrapping object, one record alone, records line by line,
in Markdown fences or between prose, after a `<think>` block; with trailing commas, comments, Python literals, raw line
breaks or unescaped quotation marks in strings, and typographic quotation marks as delimiters.

One rule stands above tolerance: a record is read only if its closing brace is there. What a reply cut at `max_tokens`
ends with is counted as lost and never completed, not even where it could be repaired into valid JSON.

Well-formed JSON is read by the standard library and by nothing else. Only where that fails, a scanner that knows about
strings finds the brackets that belong together, and each closed object is repaired for itself. Both take time linear
in the text: failed attempts to read JSON draw on a budget, and what is too large or deep is not repaired.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import json_repair
import orjson

from datasynth.schemas.calls import MissReason
from datasynth.schemas.record import RecordSchema
from datasynth.tasks.prompt.structured import without_nulls

MAX_REPAIR = 100_000
"""Characters of a broken object up to which it is repaired: json-repair takes about a second for a million."""

MAX_REPAIR_DEPTH = 64
"""Nesting up to which a broken object is repaired: json-repair takes quadratic time in it."""

MAX_WRAPPING = 6
"""Levels of brackets that records may be wrapped in."""

MAX_NESTING = 254
"""Open brackets at which the rest of a text is given up: orjson writes no record that is deeper."""

RETRIES = 8
"""Texts' lengths that failed attempts at strict JSON may cost in all."""


@dataclass(frozen=True)
class ParsedReply:
    """What a reply held."""

    records: tuple[dict[str, Any], ...] = ()
    """In the order of the reply. Not yet validated; each one can be written as JSON by orjson."""
    miss: MissReason | None = None
    """`empty`: blank text; `unparsable`: nothing that could be a record; None: records, or an empty list of them."""
    lost: int = 0
    """Records that were begun and cannot be had: cut off, beyond repair, or holding what JSON cannot (NaN,
    infinities, integers beyond 64 bits, lone surrogates)."""
    detail: str = ""
    """What went wrong, for people; empty if nothing did."""


def parse_reply(text: str, schema: RecordSchema, *, cut: bool) -> ParsedReply:
    """The records in a model's reply. Raises on no text.

    An object is a record if it has at least one of the fields that the schema asks for. Null in an optional field
    that is not nullable is left out, as strict structured output knows no other way to leave a field out.

    Args:
        cut: the reply stopped at `max_tokens`. Unclosed objects are lost whether it did or not.
    """
    if not text.strip():
        return ParsedReply(miss="empty", detail="the reply was blank")
    found = _Harvest(frozenset(f.name for f in schema.asked or schema.fields))
    found.read(_without_thinking(text, cut=cut))
    records = tuple(without_nulls(record, schema.fields) for record in found.records)
    faults = []
    if found.unclosed:
        faults.append(f"{found.unclosed} record(s) {'cut off at max_tokens' if cut else 'not closed'}")
    if found.broken:
        faults.append(f"{found.broken} record(s) beyond repair")
    miss: MissReason | None = None
    if not records and not found.empty_list:
        miss = "unparsable"
        faults = faults or ["no record in: " + " ".join(text.split())[:200]]
    return ParsedReply(records, miss, found.unclosed + found.broken, "; ".join(faults))


THINKING = re.compile(r"\s*<(think|thinking|reasoning|thought)>", re.IGNORECASE)
THOUGHT = re.compile(r"</(?:think|thinking|reasoning|thought)>", re.IGNORECASE)


def _without_thinking(text: str, *, cut: bool) -> str:
    """The reply after a thinking block at its start, which may hold drafts of records."""
    if not THINKING.match(text):
        return text
    if closed := THOUGHT.search(text):
        return text[closed.end() :]
    return "" if cut else text


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if number not in (float("inf"), float("-inf")) else _refuse(digits)


# `strict=False` takes raw line breaks in strings: wrong, frequent, and never ambiguous.
_JSON = json.JSONDecoder(strict=False, parse_constant=_refuse, parse_float=_finite)


def _sound(value: Any) -> bool:
    """Whether every reader of JSON will read the same value: finite, 64-bit, valid Unicode, not bottomless."""
    try:
        json.dumps(value, allow_nan=False)
        orjson.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


@dataclass(slots=True)
class _Span:
    """A bracket in broken JSON, with what it encloses."""

    kind: str
    start: int
    end: int | None = None
    """After its closing bracket; None while that is missing."""
    value: Any = None
    """Where this much of the text is valid JSON, its value."""
    keys: list[str] = field(default_factory=list)
    spans: list["_Span"] = field(default_factory=list)
    depth: int = 0
    """Levels of brackets inside."""
    sketch: bool = False
    """Whether it has an ellipsis for a value: the output format echoed, not a record."""


QUOTES = {'"': '"', "'": "'", "“": "”", "＂": "＂"}
END_OF_STRING = {mark: re.compile(rf"\\.|{end}", re.DOTALL) for mark, end in QUOTES.items()}
TOKEN = re.compile(r"""\s+|[{}\[\],:，："'“＂]|//|/\*|\#\s|[^\s{}\[\],:，："'“＂/#]+|.""", re.DOTALL)
# A quotation mark ends a string if what follows could follow a value or key; else it stands inside, unescaped.
AFTER_STRING = re.compile(r"\s*(?:[,:}\]]|//|/\*|\Z)")
AFTER_TYPOGRAPHIC_STRING = re.compile(r"\s*(?:[,:}\]：]|，\s*[“＂\"]|\Z)")
AFTER_OBJECT = re.compile(r"\s*(?:[,，{}\]`]|//|/\*|#|\Z)")
REST_OF_STRING = re.compile(r"""[^\n]{0,200}["']\s*[,}\]]""")
# What begins JSON that may hold records, as opposed to a bracket in prose.
OPENING = re.compile(r"""\[\s*(?:[\[{\]]|//|/\*|\#\s)|\{\s*(?:["'“＂]|[^\W\d]\w*\s*[:：]|//|/\*|\#\s)""")


class _Harvest:
    """Collects the records of one text."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self.records: list[dict[str, Any]] = []
        self.unclosed = 0
        self.broken = 0
        self.empty_list = False

    def read(self, text: str) -> None:
        self.text = text
        self.credit = RETRIES * len(text)
        position = 0
        while opening := OPENING.search(text, position):
            start = opening.start()
            if THOUGHT.search(text, position, start):
                # Chat templates that open the block themselves leave only its end in the reply; in a record's own
                # text, such an end is no end.
                self.records, self.unclosed, self.broken = [], 0, 0
            read = self.strict(start)
            if read is not None:
                value, position = read
                self.empty_list |= value in ([], {"records": []})
                self._take(value)
                continue
            root = _Scanner(self, start).scan()
            self._gather(root, in_list=False)
            if root.end is None:
                return
            position = root.end

    def strict(self, start: int) -> tuple[Any, int] | None:
        """The JSON value at `start` and its end, if it is valid and there is credit left for trying."""
        if self.credit <= 0:
            return None
        try:
            return _JSON.raw_decode(self.text, start)
        except json.JSONDecodeError as error:
            # The last part is what the exception itself costs: it counts the lines before the error.
            self.credit -= error.pos - start + error.pos // 8
        except (ValueError, RecursionError):
            self.credit -= len(self.text) - start
        return None

    def _take(self, value: Any) -> None:
        for record in _records_in(value, self.names):
            if _sound(record):
                self.records.append(record)
            else:
                self.broken += 1

    def _gather(self, span: _Span, *, in_list: bool) -> None:
        """Takes the records of a scanned bracket: whole ones as they are, closed ones repaired, unclosed ones never."""
        if span.value is not None:
            self._take(span.value)
        elif span.sketch:
            return
        elif span.kind == "[":
            for inner in span.spans:
                self._gather(inner, in_list=True)
        elif not span.keys and span.end is None:
            # A brace in prose, or a record of which nothing but the brace is there.
            for inner in span.spans:
                self._gather(inner, in_list=in_list)
            self.unclosed += not span.spans
        elif span.end is None and (in_list or not self._wraps(span)):
            self.unclosed += 1
        elif self._wraps(span):
            for inner in span.spans:
                # Beside the list of an unclosed wrapper, only lists: an object may be a part of a cut record.
                if span.end is not None or inner.kind == "[":
                    self._gather(inner, in_list=False)
        else:
            self._repair(span, span.end or 0, in_list=in_list)

    def _wraps(self, span: _Span) -> bool:
        if span.keys == ["records"] and "records" in self.names:
            elements = [inner for outer in span.spans for inner in outer.spans]
            return any(self.names & _keys(element) for element in elements)
        return self.names.isdisjoint(span.keys)

    def _repair(self, span: _Span, end: int, *, in_list: bool) -> None:
        segment = self.text[span.start : end]
        # With the rest of a string behind it, a brace inside of that string was mistaken for the object's end.
        whole = AFTER_OBJECT.match(self.text, end) or not (in_list or REST_OF_STRING.match(self.text, end))
        fits = len(segment) <= MAX_REPAIR and span.depth <= MAX_REPAIR_DEPTH
        value = _repaired(segment) if whole and fits else None
        if isinstance(value, dict) and not self.names.isdisjoint(value):
            self._take(value)
        else:
            self.broken += 1


def _keys(span: _Span) -> set[str]:
    return set(span.value) if isinstance(span.value, dict) else set(span.keys)


def _records_in(value: Any, names: frozenset[str], depth: int = 0) -> Iterator[dict[str, Any]]:
    """The records in a JSON value, from the outside in: what is inside of a record is never one."""
    if depth > MAX_WRAPPING or not isinstance(value, (dict, list)):
        return
    if isinstance(value, list):
        for item in value:
            yield from _records_in(item, names, depth + 1)
        return
    ours = value.get("records") if len(value) == 1 else None
    wrapped = isinstance(ours, list) and any(isinstance(r, dict) and not names.isdisjoint(r) for r in ours)
    if not wrapped and not names.isdisjoint(value):
        yield value
    elif not ("$schema" in value or (isinstance(value.get("properties"), dict) and "type" in value)):
        for inner in value.values():
            yield from _records_in(inner, names, depth + 1)


TRAILING_COMMA = re.compile(r"""("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])""", re.DOTALL)
PYTHON = re.compile(r"""\{\s*'(?:[^\\]|\\[\\'"abfnrtvxuU0-7])*\Z""")
"""A dictionary as Python writes it, without the escapes that Python itself would warn of."""


def _repaired(segment: str) -> Any:
    """The value of a closed object that is not quite JSON; None if it cannot be had."""
    try:
        return _JSON.decode(segment)
    except json.JSONDecodeError:
        pass
    except (ValueError, RecursionError):
        # All JSON but for a number that is none: there is no right value to put in its place.
        return None
    try:
        return _JSON.decode(TRAILING_COMMA.sub(r"\1", segment))
    except (ValueError, RecursionError):
        pass
    if PYTHON.match(segment):
        try:
            return orjson.loads(orjson.dumps(ast.literal_eval(segment)))
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            pass
    try:
        return json_repair.loads(segment, skip_json_loads=True)
    except Exception:  # noqa: BLE001 (whatever a library makes of a model's text, the reply's other records count)
        return None


class _Scanner:
    """Finds the brackets that belong together in a text that is not quite JSON."""

    def __init__(self, harvest: _Harvest, start: int) -> None:
        self.text = harvest.text
        self.strict = harvest.strict
        self.position = start
        self.root = _Span(self.text[start], start)
        self.open: list[_Span] = []
        self.counts = {"{": 0, "[": 0}
        # The last thing before the position that is not space: a bracket, comma or colon, or `x` for all else.
        self.before = ":"

    def scan(self) -> _Span:
        """The bracket at the start, closed or not, with the brackets inside of it."""
        text = self.text
        while token := TOKEN.match(text, self.position):
            sign = token[0]
            self.position = token.end()
            if sign.isspace():
                continue
            if sign in "{[":
                self._opens(sign, token.start())
            elif sign in "}]":
                self._closes("{" if sign == "}" else "[")
                if not self.open:
                    break
            elif sign in QUOTES:
                self._string(sign)
            elif sign[0] in "/#" and len(sign) > 1 and text[token.start() - 1] != ":":
                self._comment(sign, token.start())
                continue
            else:
                self._other(sign)
                continue
            self.before = sign if sign in "{[" else "x"
        return self.root

    def _opens(self, kind: str, start: int) -> None:
        if kind == "{" and self.before == "," and [s.kind for s in self.open[-2:]] == ["[", "{"]:
            # An object where a key should be: the one before it in the list lacks its closing brace.
            self._leaves()
        parent = self.open[-1] if self.open else None
        span = _Span(kind, start) if parent else self.root
        if kind == "{" and parent is not None and parent.kind == "[" and (read := self.strict(start)):
            span.value, self.position = read
            span.end = self.position
        else:
            self.open.append(span)
            self.counts[kind] += 1
            if len(self.open) > MAX_NESTING:
                self.position = len(self.text)
        if parent is not None and len(self.open) <= MAX_WRAPPING + 1:
            parent.spans.append(span)

    def _closes(self, kind: str) -> None:
        if not self.counts[kind]:
            return
        while self.open[-1].kind != kind:
            self._leaves()
        self.open[-1].end = self.position
        self._leaves()

    def _leaves(self) -> None:
        span = self.open.pop()
        self.counts[span.kind] -= 1
        if self.open:
            self.open[-1].depth = max(self.open[-1].depth, span.depth + 1)

    def _string(self, mark: str) -> None:
        if self.before not in "{[,:":
            return
        after = AFTER_STRING if mark in "\"'" else AFTER_TYPOGRAPHIC_STRING
        start = self.position
        for found in END_OF_STRING[mark].finditer(self.text, start):
            if found[0][0] == "\\":
                continue
            if follows := after.match(self.text, found.end()):
                self.position = found.end()
                if follows[0].strip() in (":", "：") and self.before in "{,":
                    self._key(self.text[start : found.start()])
                return
        self.position = len(self.text)

    def _key(self, written: str) -> None:
        if self.open[-1].kind != "{":
            return
        try:
            self.open[-1].keys.append(json.loads(f'"{written}"'))
        except ValueError:
            self.open[-1].keys.append(written)

    def _comment(self, sign: str, start: int) -> None:
        end = self.text.find("*/", start + 2) if sign == "/*" else self.text.find("\n", start)
        self.position = len(self.text) if end < 0 else end + (2 if sign == "/*" else 0)

    def _other(self, sign: str) -> None:
        if sign in "：:" and self.before.startswith("?") and self.open[-1].kind == "{":
            self.open[-1].keys.append(self.before[1:])
        self.open[-1].sketch |= self.before == ":" and sign.startswith(("…", "..."))
        if sign in ",，:：":
            self.before = "," if sign in ",，" else ":"
        else:
            self.before = f"?{sign}" if self.before in "{," else "x"
