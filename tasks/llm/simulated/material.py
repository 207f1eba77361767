"""What the seeds of a prompt lend to new records: their clauses, their short values, their lengths and ranges."""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasynth.tasks.llm.simulated.grammar import Words, words_of

ENGLISH_BREAK = re.compile(r"(?<=[.!?;:])\s+|\s*[,;:]\s+|\s+[–—-]\s+|\n+")
CHINESE_BREAK = re.compile(r"[，。；！？：、,;!?:\n]+")
CHINESE = re.compile(r"[㐀-鿿]")
KANA = re.compile(r"[ぁ-ヿ]")
ASKS_CHINESE = re.compile(r"吗|呢|怎|什么|为何|哪|多少|如何|能否|是否|能不能|可不可以|几")
ASKS_ENGLISH = re.compile(
    r"^(how|what|why|when|where|who|which|is|are|can|could|should|do|does|did|will|would)\b", re.IGNORECASE
)
CODED = re.compile(r"^(?=.*\d)[\w.\-/#:%$€£¥+]+$")
LEADING = re.compile(r"^(?:and|or|so|but|then|because|which|that|若|且|并|再|而)\s*", re.IGNORECASE)


def is_chinese(text: str) -> bool:
    """Whether a good part of the letters is Chinese and none is Japanese kana."""
    chinese = len(CHINESE.findall(text))
    if not chinese or KANA.search(text):
        return False
    latin_words = len(re.findall(r"[A-Za-z]+", text))
    return chinese > latin_words


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece of a seed's text, cut at its exchangeable words (odd positions)."""

    pieces: tuple[str, ...]
    asks: bool


@dataclass(slots=True)
class Profile:
    """What the seeds hold at one path."""

    values: list[Any] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    """Numbers of items, where the values are arrays."""
    texts: tuple[str, ...] = ()
    """Those of the values that are strings and not empty."""
    clauses: tuple[Clause, ...] = ()
    short: bool = False
    """Whether they are labels rather than sentences."""
    length: float = 0.0
    """Mean length of the texts in characters."""
    asks: bool = False
    """Whether most of the texts are questions."""
    coded: bool = False
    """Whether they are codes: no spaces, and a digit in each."""
    blank: float = 0.0
    """The share of strings that are empty."""

    def settle(self, words: Words) -> None:
        strings = [v for v in self.values if isinstance(v, str)]
        texts = [v for v in strings if v.strip()]
        if not texts:
            return
        self.texts = tuple(texts)
        self.blank = 1 - len(texts) / len(strings)
        self.coded = all(map(CODED.match, texts))
        self.length = sum(map(len, texts)) / len(texts)
        self.short = all(_is_label(t) for t in texts)
        self.clauses = tuple(c for t in texts for c in clauses_of(t, words.language))
        self.asks = sum(t.rstrip().endswith(("?", "？")) for t in texts) * 2 >= len(texts)


def _is_label(text: str) -> bool:
    if "\n" in text or text.rstrip().endswith((".", "!", "?", "。", "！", "？")):
        return False
    return len(text) <= 8 if CHINESE.search(text) else len(text) <= 30 and len(text.split()) <= 3


@functools.lru_cache(maxsize=4096)
def clauses_of(text: str, language: str) -> tuple[Clause, ...]:
    """The clauses of `text` long enough to mean something, without the conjunctions that led to them."""
    # Cached because a run shows the same few seeds over and over.
    return tuple(_clauses(text, words_of(language)))


def _clauses(text: str, words: Words) -> Iterator[Clause]:
    chinese = words.language == "zh"
    for part in (CHINESE_BREAK if chinese else ENGLISH_BREAK).split(text[:2000]):
        clause = LEADING.sub("", part.strip(" \t.!?…。！？"))
        if any(clause.count(a) != clause.count(b) for a, b in ("()", "“”", "（）", "[]", "{}", "《》")):
            continue
        if clause.count('"') % 2 or clause.count("`") % 2 or clause.startswith(("'", "”", "-", "#", "*")):
            continue
        asks = bool(ASKS_CHINESE.search(clause) if chinese else ASKS_ENGLISH.search(clause))
        if not (3 if asks else 5) <= len(clause) <= 90 if chinese else not 3 <= len(clause.split()) <= 30:
            continue
        yield Clause(words.swappable(clause), asks)


class Material:
    """The seeds by path: `a.b` for a field of an object, `a[]` for the items of an array."""

    def __init__(self, seeds: Sequence[dict[str, Any]], words: Words) -> None:
        self.seeds = seeds
        self.profiles: dict[str, Profile] = {}
        for seed in seeds:
            self._take(seed, "")
        for profile in self.profiles.values():
            profile.settle(words)

    def _take(self, value: Any, path: str) -> None:
        profile = self.profiles.setdefault(path, Profile())
        profile.values.append(value)
        if isinstance(value, dict):
            for key, inner in value.items():
                self._take(inner, f"{path}.{key}" if path else str(key))
        elif isinstance(value, list):
            profile.sizes.append(len(value))
            for inner in value:
                self._take(inner, f"{path}[]")

    def at(self, path: str) -> Profile:
        """What the seeds hold at `path`; an empty profile where they hold nothing."""
        return self.profiles.get(path) or NOTHING


NOTHING = Profile()
