"""What a record must look like, compiled from JSON Schema into a tree that is quick to walk."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

TURNS = frozenset({"conversation", "conversations", "messages", "dialogue", "dialog", "turns"})
"""Names of arrays that hold a conversation."""


@dataclass(slots=True)
class Node:
    """One value of a record. `path` is its dotted place, `[]` for the items of an array."""

    name: str
    path: str
    kind: str
    about: str = ""
    """Its description and the title of the schema, in lower case: what a text for it is written from."""
    nullable: bool = False
    enum: tuple[Any, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    step: float | None = None
    min_length: int = 0
    max_length: int | None = None
    pattern: str | None = None
    format: str | None = None
    items: "Node | None" = None
    min_items: int = 0
    max_items: int | None = None
    unique: bool = False
    fields: tuple["Node", ...] = ()
    required: frozenset[str] = field(default_factory=frozenset)

    @property
    def turns(self) -> bool:
        """Whether it is a list of messages."""
        if self.kind != "array":
            return False
        names = {f.name for f in self.items.fields} if self.items else set()
        return bool(names & {"role", "from", "speaker"} and names & {"content", "value", "text"}) or (
            self.name.lower() in TURNS and not names and (self.items is None or self.items.kind in ("any", "object"))
        )


def compile_shape(schema: Mapping[str, Any], hints: Mapping[str, Any] | None = None) -> Node:
    """The tree of `schema`. `hints` is a second schema of the same record whose constraints are added.

    Structured output leaves constraints out that its dialect lacks; a prompt may show the whole schema beside it.
    Local `$ref`s are followed to a depth of eight; an `anyOf` stands for its first alternative that is not null.
    """
    about = str(schema.get("title") or (hints or {}).get("title") or "")
    return _node(merged(schema, hints or {}), "", "", about.lower(), schema, depth=0)


def merged(schema: Mapping[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` with the keywords it lacks taken from `hints`, down through properties and items."""
    if not isinstance(hints, Mapping):
        return dict(schema)
    extra = {
        k: v for k, v in hints.items() if k not in ("required", "properties", "items", "type", "additionalProperties")
    }
    result = extra | dict(schema)
    if isinstance(least := extra.get("minItems"), int) and isinstance(schema.get("minItems"), int):
        # Strict structured output knows no more than "at least one".
        result["minItems"] = max(least, schema["minItems"])
    if isinstance(properties := schema.get("properties"), Mapping) and isinstance(hints.get("properties"), Mapping):
        result["properties"] = {
            name: merged(value, hints["properties"].get(name, {})) if isinstance(value, Mapping) else value
            for name, value in properties.items()
        }
    if isinstance(items := schema.get("items"), Mapping) and isinstance(hints.get("items"), Mapping):
        result["items"] = merged(items, hints["items"])
    if isinstance(union := schema.get("anyOf"), list):
        # An optional field of strict structured output is a union with null.
        result["anyOf"] = [
            merged(choice, hints) if isinstance(choice, Mapping) and choice.get("type") != "null" else choice
            for choice in union
        ]
    return result


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The schema without `$ref` and unions, and whether null is allowed."""
    nullable = False
    found = dict(schema)
    for _ in range(8):
        if isinstance(ref := found.get("$ref"), str) and ref.startswith("#/"):
            target: Any = root
            for part in ref[2:].split("/"):
                target = (
                    target.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(target, Mapping) else {}
                )
            found = {k: v for k, v in found.items() if k != "$ref"} | dict(target)
            continue
        unions = (found.get(k) for k in ("anyOf", "oneOf", "allOf"))
        union: list[Any] | None = next((u for u in unions if isinstance(u, list) and u), None)
        if union is None:
            break
        choices = [u for u in union if isinstance(u, Mapping)]
        nullable = nullable or any(u.get("type") == "null" for u in choices)
        first: Mapping[str, Any] = next((u for u in choices if u.get("type") != "null"), {})
        found = {k: v for k, v in found.items() if k not in ("anyOf", "oneOf", "allOf")} | dict(first)
    kinds: Any = found.get("type")
    if isinstance(kinds, list):
        nullable = nullable or "null" in kinds
        found["type"] = next((k for k in kinds if k != "null"), "null")
    return found, nullable


def _node(schema: Any, name: str, path: str, title: str, root: Mapping[str, Any], *, depth: int) -> Node:
    if not isinstance(schema, Mapping) or depth > 12:
        return Node(name, path, "any")
    schema, nullable = _resolved(schema, root)
    node = Node(name, path, _kind(schema), nullable=nullable)
    node.about = f"{schema.get('description') or ''} {title}".lower()
    enum = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(enum, list):
        node.enum = tuple(v for v in enum if v is not None)
        node.nullable = nullable or None in enum
    _bounds(node, schema)
    if node.kind == "array" and isinstance(items := schema.get("items"), Mapping):
        node.items = _node(items, name, f"{path}[]", title, root, depth=depth + 1)
    if node.kind == "object":
        properties = schema.get("properties")
        fields: Iterable[tuple[str, Any]] = properties.items() if isinstance(properties, Mapping) else ()
        node.fields = tuple(_node(v, k, f"{path}.{k}" if path else k, title, root, depth=depth + 1) for k, v in fields)
        required = schema.get("required")
        node.required = frozenset(required) if isinstance(required, list) else frozenset()
    return node


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    if "items" in schema:
        return "array"
    if {"minLength", "maxLength", "pattern", "format"} & schema.keys():
        return "string"
    if {"minimum", "maximum"} & schema.keys():
        return "number"
    return "any"


def _bounds(node: Node, schema: Mapping[str, Any]) -> None:
    def number(keyword: str) -> float | None:
        value = schema.get(keyword)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    # An exclusive bound is met by keeping a small distance from it; for integers that distance is one.
    gap = 1 if node.kind == "integer" else 1e-6
    node.low = max(
        (v for v in (number("minimum"), _moved(number("exclusiveMinimum"), gap)) if v is not None), default=-math.inf
    )
    node.high = min(
        (v for v in (number("maximum"), _moved(number("exclusiveMaximum"), -gap)) if v is not None), default=math.inf
    )
    node.step = number("multipleOf") or None
    node.min_length = int(number("minLength") or 0)
    node.max_length = None if (limit := number("maxLength")) is None else int(limit)
    node.min_items = int(number("minItems") or 0)
    node.max_items = None if (limit := number("maxItems")) is None else int(limit)
    node.unique = bool(schema.get("uniqueItems"))
    node.pattern = schema["pattern"] if isinstance(schema.get("pattern"), str) else None
    node.format = schema["format"] if isinstance(schema.get("format"), str) else None


def _moved(bound: float | None, by: float) -> float | None:
    return None if bound is None else bound + by


def inferred_schema(values: Iterable[Any]) -> dict[str, Any]:
    """A JSON Schema that the seed `values` fit: where a schema is silent, its seeds speak."""
    known = [v for v in values if v is not None]
    if not known:
        return {}
    kinds = {_kind_of(v) for v in known}
    if kinds == {"integer", "number"}:
        kinds = {"number"}
    if len(kinds) > 1:
        return {}
    kind = kinds.pop()
    if kind == "array":
        return {"type": "array", "items": inferred_schema(item for v in known for item in v)}
    if kind == "object":
        names = dict.fromkeys(name for v in known for name in v)
        return {
            "type": "object",
            "properties": {n: inferred_schema(v[n] for v in known if n in v) for n in names},
            "required": [n for n in names if all(n in v for v in known)],
        }
    return {"type": kind}


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "object"
