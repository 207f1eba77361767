"""Words that the user wants in no record."""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import say
from datasynth.schemas.settings import ContentCheck
from datasynth.tasks.quality.passages import Finding, Passages
from datasynth.tasks.sources.documents import read_text
from datasynth.tasks.validate.findings import QUOTED_CHARACTERS, json_text, path_text

UNSPACED: Final = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts, as Unicode names begin, in which nothing tells where a word ends (in Korean, endings are joined on)."""


class Sensitive:
    """`sensitive`: a word of the user's lists, anywhere in a record.

    Both sides are compared after NFKC and case folding, white space as one space. A word that begins or ends with a
    letter or digit of a spaced script stands at the border of a word there ("bomb" is not in "bombastic", nor in
    "bombs"). The search is Polars' `find_many`: Aho-Corasick, one pass over the text whatever the length of the list.
    A list is a wish, so no seed switches it off.
    """

    name: ContentCheck = "sensitive"
    wished = True

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(dict.fromkeys(filter(None, map(folded, words))))

    def find(self, passages: Passages) -> Iterable[Finding]:
        texts = pl.Series([folded(p.text) for p in passages.all], dtype=pl.String)
        hits = texts.str.contains_any(self._words).arg_true().to_list()
        if not hits:
            return
        found = texts.gather(hits)
        places = found.str.find_many(self._words, overlapping=True).to_list()
        words = found.str.extract_many(self._words, overlapping=True).to_list()
        for n, text, starts, matches in zip(hits, found.to_list(), places, words, strict=True):
            raw = text.encode()
            for start, word in zip(starts, matches, strict=True):
                before = raw[:start].decode()[-1:]
                after = raw[start + len(word.encode()) :].decode()[:1]
                if not (_joined(before, word[0]) or _joined(word[-1], after)):
                    field, value = path_text(passages.all[n].keys), json_text(word, QUOTED_CHARACTERS)
                    sentence = say("{field} holds a word of the sensitive ones: {value}.", field=field, value=value)
                    yield Finding(n, word, word, sentence)
                    break


def folded(text: str) -> str:
    """`text` as words are compared."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = text.encode("utf-8", "replace").decode()
    return " ".join(text.casefold().split())


def _joined(left: str, right: str) -> bool:
    """Whether two neighbouring signs belong to one word."""
    return bool(left and right) and _is_spaced(left) and _is_spaced(right)


def _is_spaced(sign: str) -> bool:
    return sign.isalnum() and (sign.isascii() or not unicodedata.name(sign, "").startswith(UNSPACED))


def read_words(paths: Sequence[str]) -> list[str]:
    """The words in the lists at `paths`: one a line, UTF-8; empty lines and lines that begin with `#` aside.

    Raises:
        InputError: a file is missing, unreadable, or without a word.
    """
    words: list[str] = []
    for path in paths:
        lines = (line.strip() for line in read_text(path).lstrip("\ufeff").splitlines())
        own = [line for line in lines if line and not line.startswith("#")]
        if not own:
            raise InputError("{path}: no word in it. Write one a line, as UTF-8; # begins a comment.", path=path)
        words += own
    return words
