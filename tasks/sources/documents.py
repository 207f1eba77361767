"""The texts and JSON documents that a user points at: read whole from any fsspec address, or refused in a sentence."""

import errno
import json
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from typing import Any

import orjson

from datasynth.schemas.errors import InputError, StorageError
from datasynth.tasks.storage.store import Store

DEEPEST = 200
"""Levels of lists and objects in a document: orjson writes 254, and a run wraps documents in a few of its own."""


def names_json_lines(path: str) -> bool:
    """Whether a file or address is called as JSON Lines are."""
    return path.lower().endswith((".jsonl", ".ndjson"))


def read_text(url: str) -> str:
    """The text of the file at `url`, without a byte order mark.

    Raises:
        InputError: nothing is there, it cannot be read, or it is not UTF-8.
    """
    content = _content(url)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "{path}: not UTF-8 text (byte {offset} fits no character). Save it as UTF-8, for instance with "
            "iconv -f {encoding} -t UTF-8.",
            path=url,
            offset=error.start,
            encoding="UTF-16" if content[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) else "GB18030",
        ) from error


def read_json(url: str) -> Any:
    """The JSON document at `url`, strictly read: no NaN, and no key twice in one object, where one value would be lost.

    Raises:
        InputError: as `read_text`, or the text is not such a document, or it is nested too deeply.
    """
    text = read_text(url)
    try:
        require_shallow(orjson.loads(text), url)
    except orjson.JSONDecodeError as error:
        raise broken_json(url, text, error) from error
    return json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, url), parse_int=_number)


def plain_json(value: Any, where: str) -> Any:
    """`value`, which a program gave, as it would come back from a JSON file.

    Raises:
        InputError: JSON cannot say it (NaN, a set, half a surrogate pair), or it is nested too deeply.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        plain = orjson.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            "{path}: cannot be written as JSON ({error}). Give only objects, lists, texts, finite numbers, true, false "
            "and null.",
            path=where,
            error=str(error).encode("utf-8", "backslashreplace").decode(),
        ) from error
    require_shallow(plain, where)
    return plain


def require_shallow(value: Any, where: str) -> None:
    """Refuses JSON that is nested deeper than what reads, checks and writes it can follow.

    Raises:
        InputError: more than `DEEPEST` levels.
    """
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for holder in level
            if isinstance(holder, dict | list)
            for inner in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return
    raise InputError(
        "{path}: nested more than {levels} levels deep. Flatten it.",
        path=where,
        levels=DEEPEST,
    )


def broken_json(url: str, text: str, error: json.JSONDecodeError) -> InputError:
    """What to tell a user whose file `url` does not parse."""
    if not text.strip():
        return InputError("{path}: the file is empty. Give a file with JSON in it.", path=url)
    if not text[: error.pos].strip() and text.lstrip()[0] not in "[{":
        return InputError(
            '{path}: no JSON: it begins with "{start}". Give a file with JSON in it.',
            path=url,
            start=text.strip().split("\n", 1)[0][:30],
        )
    return InputError(
        "{path}: not valid JSON at line {line}, column {column}: {error}. Mend it there; if the text ends too early, "
        "the file was cut off and must be written or copied again.",
        path=url,
        line=error.lineno,
        column=error.colno,
        error=error.msg,
    )


def is_absent(error: BaseException | None) -> bool:
    """Whether `error` means that nothing is there: no such name, a name below a file, no name that a file can have."""
    if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
        return True
    return isinstance(error, FileNotFoundError | NotADirectoryError | ValueError)


def unreadable(path: str, error: StorageError | PermissionError) -> InputError:
    """What to tell a user whose file or folder `path` the storage would not hand over."""
    if isinstance(error, StorageError) and not isinstance(error.__cause__, PermissionError):
        return InputError("{problem}", problem=error.message)
    return InputError(
        "{path}: no permission to read it. Change its permissions, or use an account or key that may.", path=path
    )


def _content(url: str) -> bytes:
    store = Store(url)
    try:
        return store.read("")
    except FileNotFoundError as error:
        raise InputError("{path}: no such file. Check the path.", path=store.url()) from error
    except StorageError as error:
        if isinstance(error.__cause__, IsADirectoryError):
            raise InputError("{path}: a folder, not a file. Give a file in it.", path=store.url()) from error
        if store.local and is_absent(error.__cause__):
            raise InputError("{path}: no such file. Check the path.", path=store.url()) from error
        raise unreadable(store.url(), error) from error


def _number(text: str) -> int | float:
    """A whole number as orjson reads it: what 64 bits cannot hold becomes a float, as for most readers of JSON."""
    value = int(text) if len(text) <= 20 else 1 << 64
    return value if -(1 << 63) <= value < 1 << 64 else float(text)


def _object(pairs: list[tuple[str, Any]], url: str) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(
            '{path}: the name "{name}" stands twice in one object, so one of its values would be lost. Remove or '
            "rename one.",
            path=url,
            name=twice,
        )
    return value
