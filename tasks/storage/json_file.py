"""JSON as files hold it that people and programs read."""

from typing import Any

import orjson


def json_file(facts: dict[str, Any]) -> bytes:
    """Indented, with sorted keys: equal facts are equal bytes."""
    return orjson.dumps(facts, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
