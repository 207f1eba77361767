"""The words that people read, in their language: English templates in the code, translations in one catalogue.

A template is its own key, as in gettext: `say("No such folder: {path}.", path=p)`. Values are put in by
`str.format_map` on the template alone, so a brace inside a value (model text, a path) is never interpreted.
"""

import functools
import json
import os
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal

Language = Literal["en", "zh"]


@functools.cache
def catalogue(language: Language) -> dict[str, str]:
    """Translations of English templates into `language`; empty for English."""
    if language == "en":
        return {}
    text = resources.files("datasynth.schemas").joinpath(f"messages.{language}.json").read_text(encoding="utf-8")
    return json.loads(text)


@dataclass(frozen=True)
class Message:
    """A template and its values, rendered only when the reader's language is known."""

    template: str
    values: dict[str, Any] = field(default_factory=dict)

    def text(self, language: Language = "en") -> str:
        """The message in `language`, or in English where the catalogue lacks it."""
        template = catalogue(language).get(self.template, self.template)
        values = {k: v.text(language) if isinstance(v, Message) else v for k, v in self.values.items()}
        return template.format_map(values)

    def __str__(self) -> str:
        return self.text()


def say(template: str, **values: Any) -> Message:
    """A translatable message; the name marks its template for the catalogue's completeness test."""
    return Message(template, values)


def language_of_environment() -> Language:
    """`zh` under a Chinese locale (LC_ALL, LC_MESSAGES or LANG, in POSIX's order), else `en`."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"
