"""Records in files: JSON lists, documents that hold a list, and JSON Lines, wrapped or bare.

A record is *wrapped* when it stands in the object `data` of an item that says something about it, as DataRecipe
writes them: `{"id": "SAMPLE_001", "task_type": ..., "data": {...}}`. A bare record may have a field `data` of its
own, so an item with an object `data` is unwrapped only where
- more of the schema's fields are in `data` than beside it, if the schema is known and either holds any; else
- everything beside `data` is bookkeeping (`BOOKKEEPING`).
The doubtful rest is taken as bare: a record wrongly left wrapped is named by the check against the schema, fields
thrown away with a wrapper would not be.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

import orjson

from datasynth.schemas.errors import InputError
from datasynth.tasks.sources.documents import broken_json, read_text, require_shallow

CONTAINERS = ("samples", "seeds", "data", "records")
"""Names under which a document may hold its list of records."""

BOOKKEEPING = frozenset(
    ("id", "task_type", "synthetic", "metadata", "meta", "_meta", "_lineage", "think_process", "automation_status")
)
"""Names beside `data` that say something about a record: what DataRecipe, the earlier tool and this one write."""


def read_records(url: str) -> list[dict[str, Any]]:
    """The records in the file at `url`, in its order. See `named_records`."""
    return [record for _, record in named_records(url)]


def named_records(url: str, known: Collection[str] = ()) -> list[tuple[str, dict[str, Any]]]:
    """The records in the file at `url` with their names, in its order.

    Takes a JSON list; a document with a list under `samples`, `seeds`, `data` or `records`; JSON Lines, by the ending
    `.jsonl` or `.ndjson` or because every line is an object. A list may be empty.

    Args:
        url: Any fsspec address.
        known: The names of the schema's fields, where there is a schema: they decide what is wrapped.

    Returns:
        (name, record): the name is the item's `id`, else its 1-based position such as `#3`.

    Raises:
        InputError: nothing is there; not UTF-8; not JSON, with line and column; empty; no list of objects in it.
    """
    text = read_text(url)
    return named(_items(text, url), known, where=url)


def named(items: Sequence[Any], known: Collection[str] = (), *, where: str) -> list[tuple[str, dict[str, Any]]]:
    """`items` as (name, bare record); an item that holds only `_meta` is left out."""
    records = []
    for number, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            raise InputError(
                "{path}: record {number} is {found}, not an object. Write each record as an object of its fields.",
                path=where,
                number=number,
                found=json_name(item),
            )
        if item.keys() == {"_meta"}:
            continue
        require_shallow(item, f"{where}, record {number}")
        record = item["data"] if _is_wrapped(item, known) else item
        records.append((_name(item, record, number), record))
    return records


def json_name(value: Any) -> str:
    """What JSON calls the type of `value`."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _is_wrapped(item: dict[str, Any], known: Collection[str]) -> bool:
    inner = item.get("data")
    if not isinstance(inner, dict):
        return False
    fields = set(known) - {"id", "metadata"}
    within, beside = len(fields & inner.keys()), len(fields & item.keys())
    if within or beside:
        return within > beside
    return item.keys() - {"data"} <= BOOKKEEPING


def _name(item: dict[str, Any], record: dict[str, Any], number: int) -> str:
    for holder in (item, record):
        identity = holder.get("id")
        if isinstance(identity, str | int) and not isinstance(identity, bool) and identity != "":
            return str(identity)
    return f"#{number}"


def _items(text: str, url: str) -> list[Any]:
    lines = re.search(r"\.(jsonl|ndjson)$", url.split("?", 1)[0], re.IGNORECASE) is not None
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if text.strip() and (lines or _first_line_is_object(text)):
            return _lines(text, url)
        raise broken_json(url, text, error) from error
    if isinstance(document, list):
        return document
    if lines and isinstance(document, dict) and "\n" not in text.strip():
        return [document]
    return _list_in(document, url)


def _first_line_is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text.lstrip().split("\n", 1)[0]), dict)
    except orjson.JSONDecodeError:
        return False


def _lines(text: str, url: str) -> list[Any]:
    items = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            item = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InputError(
                "{path}: line {line} is not valid JSON (column {column}: {error}). Write one whole object per line.",
                path=url,
                line=number,
                column=error.colno,
                error=error.msg,
            ) from error
        if not isinstance(item, dict):
            raise InputError(
                "{path}: line {line} is {found}, not an object. Write one whole object per line.",
                path=url,
                line=number,
                found=json_name(item),
            )
        items.append(item)
    return items


def _list_in(document: Any, url: str) -> list[Any]:
    if not isinstance(document, dict):
        raise InputError(
            "{path}: holds {found} where a list of records should be. Give a JSON list of objects, or JSON Lines.",
            path=url,
            found=json_name(document),
        )
    lists = [name for name in CONTAINERS if isinstance(document.get(name), list)]
    if len(lists) > 1:
        raise InputError(
            "{path}: has lists under {names}, and only one can be the records. Keep one of them.",
            path=url,
            names=", ".join(lists),
        )
    named_so = next((name for name in CONTAINERS if name in document), None)
    if not lists and named_so:
        raise InputError(
            '{path}: "{name}" is {found}, not a list. Write the records as a list of objects.',
            path=url,
            name=named_so,
            found=json_name(document[named_so]),
        )
    if not lists:
        raise InputError(
            "{path}: no list of records in it (found: {found}). Put the records in a list, or in a list under "
            '"samples", "seeds", "data" or "records".',
            path=url,
            found=", ".join(list(document)[:8]) or "{}",
        )
    return document[lists[0]]
