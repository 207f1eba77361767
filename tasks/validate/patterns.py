"""The `pattern` keyword: a search anywhere in the text (JSON Schema 2020-12, validation, 6.3.3) that always ends.

Patterns are ECMA-262's, so `$` is the end of the text and not also the place before a last line break. `\\d`, `\\w` and
`\\s` know all of Unicode.
"""

from typing import Final

import polars as pl
import regex

from datasynth.schemas.errors import InputError

SECONDS: Final = 1.0
"""Processor time that one text may take to be searched for a pattern which backtracks. What takes longer takes as good
as for ever: time grows with every character by a factor."""

SET_OPERATION: Final = regex.compile(r"\[[^\]]*(?:&&|--|~~)")
"""Rust reads these as operations on character classes, ECMA-262 as characters."""

DOLLAR: Final = regex.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$", regex.DOTALL)
"""Escapes, character classes, and the dollars outside of both."""


class Pattern:
    """A search in Rust, in time linear to the text, where its regular expressions suffice; else (look-around,
    references back) one that backtracks and is stopped."""

    def __init__(self, pattern: str, path: str) -> None:
        """Compiles `pattern`.

        Raises:
            InputError: it is no regular expression; `path` says where it stands in the schema.
        """
        self.text = pattern
        self.linear = not SET_OPERATION.search(pattern) and _suits_rust(pattern)
        self._undecided: set[str] = set()
        """Texts whose search was stopped, so that none is waited for twice."""
        if self.linear:
            return
        try:
            self._search = regex.compile(DOLLAR.sub(_end_of_text, pattern), regex.VERSION0).search
        except (regex.error, OverflowError, RecursionError) as error:
            raise InputError(
                "{path}: the schema's pattern {pattern} is no regular expression ({error}). Correct it in the schema.",
                path=path,
                pattern=pattern,
                error=str(error),
            ) from error

    def matches(self, column: pl.Expr) -> pl.Expr:
        """Where the pattern is found before the search is stopped."""
        if self.linear:
            return column.str.contains(self.text)
        return column.map_batches(
            lambda texts: pl.Series([text is None or self._is_in(text) for text in texts], dtype=pl.Boolean),
            return_dtype=pl.Boolean,
        )

    def gave_up(self, text: str) -> bool:
        """Whether the search of `text`, which `matches` must have been asked of before, was stopped."""
        return text in self._undecided

    def _is_in(self, text: str) -> bool:
        if text in self._undecided:
            return False
        try:
            return self._search(text, timeout=SECONDS, concurrent=True) is not None
        except TimeoutError:
            self._undecided.add(text)
            return False


def _suits_rust(pattern: str) -> bool:
    try:
        pl.Series([""]).str.contains(pattern)
    except (pl.exceptions.ComputeError, UnicodeEncodeError):
        return False
    return True


def _end_of_text(found: regex.Match[str]) -> str:
    return r"\Z" if found[0] == "$" else found[0]
