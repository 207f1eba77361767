"""Records, which may hold anything, as names and texts to be read."""

import json
import re
from dataclasses import dataclass
from typing import Any

from datasynth.tasks.dedup.views import ROLE_LABELS

LONGEST = 1_500
"""Characters of one value that are shown; the whole of it is in report.json."""
SHORT = 20
"""Characters of a value up to which its neighbours may stand on the same line."""
DEEPEST = 5
"""Objects and lists within one another that are laid out; what is deeper is shown as JSON text."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
"""What no HTML page may hold (HTML Standard, 13.2.3.5), but for tab and line feed."""
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks by which a text can show its neighbours in another order (Unicode TR 36, section 2.6)."""


def visible(text: str) -> str:
    """`text` without what a page cannot hold or what would disturb its order."""
    without = _REORDERING.sub("", _CONTROL.sub("\ufffd", text.replace("\r\n", "\n")))
    return without.encode("utf-8", "replace").decode()


def shortened(text: str) -> str:
    """`text`, cut to what is shown of one value."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


@dataclass(frozen=True)
class Shown:
    """A field of a record, to be read."""

    name: str
    text: str

    @property
    def long(self) -> bool:
        """Whether it needs a line of its own."""
        return len(self.text) > SHORT or "\n" in self.text


def laid_out(record: str) -> list[Shown]:
    """The fields of a record, given as JSON text; what is no object has an empty name."""
    try:
        value = json.loads(record)
    except (ValueError, RecursionError):
        return [Shown("", shortened(record))]
    if not isinstance(value, dict):
        return [Shown("", shortened(_text(value)))]
    return [Shown(name, shortened(_text(inner))) for name, inner in value.items()]


def _text(value: Any, depth: int = 0) -> str:
    if isinstance(value, str):
        return value
    if depth > DEEPEST or not isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return "\n".join(_text(item, depth + 1) for item in value)
    role = next((name for name in ROLE_LABELS if name in value), None)
    if role and len(value) == 2:
        # A turn of a conversation: who speaks, and what.
        said = next(inner for name, inner in value.items() if name != role)
        return f"{_text(value[role], depth + 1)}: {_text(said, depth + 1)}"
    return "\n".join(f"{name}: {_text(inner, depth + 1)}" for name, inner in value.items())
