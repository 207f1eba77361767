"""What a prompt asks for: how many records, of which shape, after which seeds, with which aims, in which language."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from datasynth.tasks.llm.simulated.facts import described_fields
from datasynth.tasks.llm.simulated.grammar import Words, words_of
from datasynth.tasks.llm.simulated.material import Material, is_chinese, texts_in
from datasynth.tasks.llm.simulated.shapes import Node, compile_shape, inferred_schema

FENCE = re.compile(r"```(?:json|jsonl)?[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL | re.IGNORECASE)
COUNTS = (
    re.compile(r"exactly\s+(\d+)\s+(?:new\s+)?(?:records?|samples?|examples?)", re.IGNORECASE),
    re.compile(r"恰好\s*(\d+)\s*条"),
    re.compile(r"(\d+)\s+(?:\w+\s+){0,2}(?:records|samples)\b|(\d+)\s*条", re.IGNORECASE),
)
AIM_HEADING = re.compile(r"^\s*(?:#+\s*|\*\*)?[^\n]{0,20}?(?:\baims?\b|目标)[^\n]{0,20}$", re.IGNORECASE | re.MULTILINE)
AIM_LINE = re.compile(r"^\s*[-*]\s*`?([\w.\-\[\]]+)`?\s*[:=：]\s*(.+?)\s*$")
WRITTEN_HEADING = re.compile(r"^#+[^\n]*(?:already written|已经写过)[^\n]*$", re.IGNORECASE | re.MULTILINE)
QUOTED_LINE = re.compile(r'^\s*[-*]\s*(".*")\s*$')
LANGUAGE_RULE = re.compile(r"\bWrite in (\w+),|记录一律用(\S+?)撰写")
MOST = 500
"""Records in one reply, whatever a prompt says."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A prompt, understood."""

    count: int
    record: Node
    wrapper: str | None
    """Key of the array of records in the reply; None: the reply is one object of the shape itself."""
    structured: bool
    """Whether the request carried a schema, so that the reply is bare JSON."""
    material: Material
    aims: dict[str, Any]
    words: Words
    written: tuple[str, ...] = ()
    """Beginnings of texts that are quoted as written already."""


@dataclass(frozen=True, slots=True)
class _Text:
    """One message, taken apart."""

    prose: str
    schemas: tuple[dict[str, Any], ...]
    objects: tuple[dict[str, Any], ...]


def read_prompt(system: str, user: str, schema: bytes) -> Reading:
    """Reads the messages of a request and the JSON text of its structured-output `schema`, empty if it has none."""
    head, tail = _static(system), _taken(user)
    known = _shape(schema, system)
    record, wrapper = known if known else (None, "records")
    candidates = (*head.objects, *tail.objects)
    if record is not None:
        names = {f.name for f in record.fields}
        seeds = [o for o in candidates if not names or names & o.keys()]
    else:
        seeds = list(candidates)
        record = compile_shape(inferred_schema(seeds) or FALLBACK)
    words = words_of(_language(seeds, head.prose, tail.prose))
    return Reading(
        count=count_asked(user, system),
        record=record,
        wrapper=wrapper,
        structured=bool(schema),
        material=Material(seeds, words),
        aims=aims_of(tail.prose),
        words=words,
        written=written_in(tail.prose),
    )


FALLBACK = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
"""The record's shape where a prompt shows neither a schema nor a seed."""


def count_asked(*texts: str) -> int:
    """The number of records asked for, from the first of `texts` that says one; else 1."""
    for text in texts:
        # Where the count usually stands, so that the rest of a long prompt need not be searched.
        end = text[-300:]
        for pattern, part in (*((p, end) for p in COUNTS[:2]), *((p, text) for p in COUNTS)):
            if found := pattern.search(part):
                return max(1, min(MOST, int(next(g for g in found.groups() if g))))
    return 1


def aims_of(text: str) -> dict[str, Any]:
    """The `- field: "value"` lines under a heading that speaks of an aim, up to the next heading."""
    aims: dict[str, Any] = {}
    for heading in AIM_HEADING.finditer(text):
        for line in text[heading.end() :].splitlines():
            if line.lstrip().startswith("#"):
                break
            if found := AIM_LINE.match(line):
                aims[found[1]] = _value(found[2])
    return aims


def written_in(text: str) -> tuple[str, ...]:
    """The quoted lines under a heading that speaks of what is written already, up to the next heading."""
    found = []
    for heading in WRITTEN_HEADING.finditer(text):
        for line in text[heading.end() :].splitlines():
            if line.startswith("#"):
                break
            if quoted := QUOTED_LINE.match(line):
                found.append(str(_value(quoted[1])).removesuffix("…").strip())
    return tuple(filter(None, found))


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text.strip("`\"'“”")


@functools.lru_cache(maxsize=64)
def _static(text: str) -> _Text:
    # A system prompt is the same over a whole run, so it is read once.
    return _taken(text)


@functools.lru_cache(maxsize=64)
def _shape(schema: bytes, system: str) -> tuple[Node, str | None] | None:
    """The record's shape and the key of the array it stands in; None where nothing tells."""
    head = _static(system)
    hints = head.schemas[0] if head.schemas else described_fields(head.prose)
    if not schema:
        return (compile_shape(hints), "records") if hints else None
    whole = orjson.loads(schema)
    properties = whole.get("properties") if isinstance(whole, dict) else None
    if isinstance(properties, dict) and len(properties) == 1:
        key, inner = next(iter(properties.items()))
        if isinstance(inner, dict) and inner.get("type") == "array":
            items = inner["items"] if isinstance(inner.get("items"), dict) else {}
            # Definitions stand at the root of the whole reply's schema.
            root = {k: whole[k] for k in ("$defs", "definitions") if k in whole}
            return compile_shape(root | items, hints), key
    return compile_shape(whole if isinstance(whole, dict) else {}), None


def _taken(text: str) -> _Text:
    schemas: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    if "```" not in text:
        return _Text(text, (), ())
    for block in FENCE.findall(text):
        for value in _parsed(block):
            if (schema := _as_schema(value)) is not None:
                schemas.append(schema)
            else:
                objects.extend(_as_records(value))
    return _Text(FENCE.sub("", text), tuple(schemas), tuple(objects))


def _parsed(block: str) -> Sequence[Any]:
    try:
        return [orjson.loads(block)]
    except orjson.JSONDecodeError:
        pass
    values = []
    for line in block.splitlines():
        try:
            values.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            continue
    return values


def _as_schema(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("properties"), dict):
        records = value["properties"].get("records")
        if isinstance(records, dict) and isinstance(records.get("items"), dict):
            return records["items"]
        return value
    fields = value.get("fields")
    if isinstance(fields, list) and fields and all(isinstance(f, dict) and "name" in f for f in fields):
        return {"type": "object", "properties": {f["name"]: f for f in fields}, "required": [f["name"] for f in fields]}
    return None


def _as_records(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        for key in ("records", "samples", "seeds", "data", "examples"):
            if isinstance(value.get(key), list):
                return _as_records(value[key])
        value = [value]
    if not isinstance(value, list):
        return []
    rows = [v["data"] if isinstance(v, dict) and isinstance(v.get("data"), dict) else v for v in value]
    return [r for r in rows if isinstance(r, dict) and not _is_placeholder(r)]


def _is_placeholder(record: dict[str, Any]) -> bool:
    return all(
        v in ("...", "…", "", None) or (isinstance(v, str) and v[:1] in "<[" and v[-1:] in ">]")
        for v in record.values()
    )


def _language(seeds: list[dict[str, Any]], *prose: str) -> str:
    texts = " ".join(t for s in seeds[:4] for t in texts_in(s))[:600]
    if texts:
        return "zh" if is_chinese(texts) else "en"
    for text in prose:
        if rule := LANGUAGE_RULE.search(text):
            return "zh" if (rule[1] or rule[2]) in ("Chinese", "中文") else "en"
    return "zh" if is_chinese(" ".join(prose)[:3000]) else "en"
