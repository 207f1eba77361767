"""What the seeds of a prompt lend to new records: their sentences, their short values, their lengths and ranges."""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasynth.tasks.llm.simulated.grammar import Words, words_of

ENGLISH_END = re.compile(r"(?<=[.!?])\s+|\n+")
CHINESE_END = re.compile(r"(?<=[。；！？;!?])|\n+")
CHINESE = re.compile(r"[㐀-鿿]")
KANA = re.compile(r"[ぁ-ヿ]")
ASKS_CHINESE = re.compile(r"吗|呢|怎|什么|为何|哪|多少|如何|能否|是否|能不能|可不可以|几")
ASKS_ENGLISH = re.compile(
    r"^(how|what|why|when|where|who|which|is|are|can|could|should|do|does|did|will|would)\b", re.IGNORECASE
)
CODED = re.compile(r"^(?=.*\d)[\w.\-/#:%$€£¥+]+$")


def is_chinese(text: str) -> bool:
    """Whether a good part of the letters is Chinese and none is Japanese kana."""
    chinese = len(CHINESE.findall(text))
    if not chinese or KANA.search(text):
        return False
    latin_words = len(re.findall(r"[A-Za-z]+", text))
    return chinese > latin_words


def texts_in(value: Any) -> list[str]:
    """All texts in a JSON value, at whatever depth, in order."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in texts_in(each)]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a seed, without its full stop, cut at its exchangeable words (odd positions)."""

    pieces: tuple[str, ...]
    asks: bool


@dataclass(slots=True)
class Profile:
    """What the seeds hold at one path."""

    values: list[Any] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    """Of each value, the position of the seed that it stands in."""
    sizes: list[int] = field(default_factory=list)
    """Numbers of items, where the values are arrays."""
    texts: tuple[str, ...] = ()
    """Those of the values that are strings and not empty."""
    sentences: dict[int, list[Sentence]] = field(default_factory=dict)
    """By seed, in the order of its text."""
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
        strings = [(v, o) for v, o in zip(self.values, self.origins, strict=True) if isinstance(v, str)]
        texts = [v for v, _ in strings if v.strip()]
        self.blank = 1 - len(texts) / len(strings) if strings else 0.0
        if not texts:
            return
        self.texts = tuple(texts)
        self.coded = all(map(CODED.match, texts))
        self.length = sum(map(len, texts)) / len(texts)
        self.short = all(map(_is_label, texts))
        self.asks = sum(t.rstrip().endswith(("?", "？")) for t in texts) * 2 >= len(texts)
        for text, origin in strings:
            if found := sentences_of(text, words.language):
                self.sentences.setdefault(origin, []).extend(found)

    def of(self, origin: int | None) -> list[Any]:
        """The values of the seed `origin`."""
        return [v for v, o in zip(self.values, self.origins, strict=True) if o == origin]


def _is_label(text: str) -> bool:
    if "\n" in text or text.rstrip().endswith((".", "!", "?", "。", "！", "？")):
        return False
    return len(text) <= 8 if CHINESE.search(text) else len(text) <= 30 and len(text.split()) <= 3


@functools.lru_cache(maxsize=4096)
def sentences_of(text: str, language: str) -> tuple[Sentence, ...]:
    """The sentences of `text` that are long enough to mean something."""
    # Cached because a run shows the same few seeds over and over.
    return tuple(_sentences(text, words_of(language)))


def _sentences(text: str, words: Words) -> Iterator[Sentence]:
    chinese = words.language == "zh"
    for part in (CHINESE_END if chinese else ENGLISH_END).split(text[:2000]):
        sentence = part.strip(" \t.!?…。！？；;")
        if any(sentence.count(a) != sentence.count(b) for a, b in ("()", "“”", "（）", "[]", "{}", "《》")):
            continue
        if sentence.count('"') % 2 or sentence.count("`") % 2 or sentence.startswith(("”", "-", "#", "*", "|")):
            continue
        asks = part.rstrip().endswith(("?", "？"))
        if not asks and part.strip() == sentence:
            # People often leave the question mark out, but hardly ever put a full stop in its place.
            asks = bool(ASKS_CHINESE.search(sentence) if chinese else ASKS_ENGLISH.search(sentence))
        if not (3 if asks else 5) <= len(sentence) <= 160 if chinese else not 3 <= len(sentence.split()) <= 60:
            continue
        yield Sentence(words.swappable(sentence), asks)


class Material:
    """The seeds by path: `a.b` for a field of an object, `a[]` for the items of an array, `a[]:user` for what the
    speaker `user` says in a list of messages.
    """

    def __init__(self, seeds: Sequence[dict[str, Any]], words: Words) -> None:
        self.seeds = seeds
        self.profiles: dict[str, Profile] = {}
        for origin, seed in enumerate(seeds):
            self._take(seed, "", origin)
        for profile in self.profiles.values():
            profile.settle(words)

    def _take(self, value: Any, path: str, origin: int) -> None:
        profile = self.profiles.setdefault(path, Profile())
        profile.values.append(value)
        profile.origins.append(origin)
        if isinstance(value, dict):
            for key, inner in value.items():
                self._take(inner, f"{path}.{key}" if path else str(key), origin)
        elif isinstance(value, list):
            profile.sizes.append(len(value))
            for inner in value:
                self._take(inner, f"{path}[]", origin)
                if isinstance(inner, dict) and (spoken := _spoken(inner)):
                    self._take(spoken[1], f"{path}[]:{spoken[0]}", origin)

    def at(self, path: str) -> Profile:
        """What the seeds hold at `path`; an empty profile where they hold nothing."""
        return self.profiles.get(path) or NOTHING


SPEAKER, SPOKEN = ("role", "from", "speaker"), ("content", "value", "text", "message")
"""Names under which a message keeps who says it, and what."""


def _spoken(message: dict[str, Any]) -> tuple[str, str] | None:
    speaker = next((message[k] for k in SPEAKER if isinstance(message.get(k), str)), None)
    text = next((message[k] for k in SPOKEN if isinstance(message.get(k), str)), None)
    return (speaker, text) if speaker is not None and text is not None else None


NOTHING = Profile()
