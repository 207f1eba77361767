"""Settings as people write them, before they are judged."""

import re
from typing import Any


def attribute_shares(given: Any) -> Any:
    """Attributes as people write them, `{"difficulty": "easy:3, hard:1"}` or with a list, as value to share.

    A value without a share counts once. What is neither is left for the settings to refuse.
    """
    if not isinstance(given, dict):
        return given
    return {str(name).strip(): _shares(values) for name, values in given.items()}


def _shares(values: Any) -> Any:
    if isinstance(values, str):
        shares = {}
        for part in filter(None, map(str.strip, re.split("[,，、]", values))):
            # Only a number after the last colon is a share: "12:30 pm" is a value.
            found = re.fullmatch(r"(.+?)\s*[:：]\s*(\d+(?:\.\d+)?)", part)
            shares[found[1] if found else part] = float(found[2]) if found else 1.0
    else:
        shares = {str(value): 1.0 for value in values} if isinstance(values, list | tuple) else values
    if isinstance(shares, dict) and not sum(share for share in shares.values() if isinstance(share, int | float)) > 0:
        raise ValueError("an attribute needs values")
    return shares


def words(given: Any) -> Any:
    """Values by name as text, for a settings file may hold numbers; what is no such thing is left to be refused."""
    if not isinstance(given, dict):
        return given
    return {name: str(value) if isinstance(value, int | float) else value for name, value in given.items()}
