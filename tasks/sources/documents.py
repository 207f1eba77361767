"""The texts and JSON documents that a user points at: read whole from any fsspec address, or refused in a sentence."""

import json
from typing import Any

import orjson

from datasynth.schemas.errors import InputError, StorageError
from datasynth.tasks.storage.store import Store


def read_text(url: str) -> str:
    """The text of the file at `url`, without a byte order mark.

    Raises:
        InputError: nothing is there, it cannot be read, or it is not UTF-8.
    """
    try:
        return _content(url).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "{path}: not UTF-8 text (byte {offset} fits no character). Save it as UTF-8, for instance with "
            "iconv -f GB18030 -t UTF-8.",
            path=url,
            offset=error.start,
        ) from error


def read_json(url: str) -> Any:
    """The JSON document at `url`, strictly read: no NaN, and no key twice in one object, where one value would be lost.

    Raises:
        InputError: as `read_text`, or the text is not such a document.
    """
    text = read_text(url)
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise broken_json(url, text, error) from error
    return json.loads(text, object_pairs_hook=lambda pairs: _object(pairs, url))


def broken_json(url: str, text: str, error: json.JSONDecodeError) -> InputError:
    """What to tell a user whose file `url` does not parse."""
    if not text.strip():
        return InputError("{path}: the file is empty. Give a file with JSON in it.", path=url)
    return InputError(
        "{path}: not valid JSON at line {line}, column {column}: {error}. Mend it there; if the text ends too early, "
        "the file was cut off and must be written or copied again.",
        path=url,
        line=error.lineno,
        column=error.colno,
        error=error.msg,
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
        raise InputError("{problem}", problem=error.message) from error


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
