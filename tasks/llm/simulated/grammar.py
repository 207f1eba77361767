"""The server's own words: per language a small generative grammar, from which clauses and sentences are expanded."""

import functools
import random
import re
from collections.abc import Callable
from importlib import resources

import orjson

Draw = Callable[[], float]
"""Uniform numbers in [0, 1), such as `random.Random(seed).random`."""


def seeded(seed: int, content: bytes) -> random.Random:
    """The generator of every draw that belongs to `content`."""
    return random.Random(b"%d/%s" % (seed, content))  # noqa: S311 (text, not secrets)


Scene = dict[str, str]
"""What a record is about: the symbols that keep their value throughout it."""

STICKY = frozenset({"topic", "object", "objects", "place", "person", "staff", "name", "n", "m", "unit"})
"""Symbols chosen once a record, so that its question and its answer speak of the same things."""

SLOT = re.compile(r"\{(\w+)\}")


class Grammar:
    """Rules `symbol -> options`; an option may hold `{symbol}` slots. Rules are the package's, never a prompt's."""

    def __init__(self, rules: dict[str, list[str]]) -> None:
        numbers = {"k": range(2, 31), "n": range(3, 41), "m": range(15, 951, 5)}
        texts = {symbol: [str(n) for n in numbers] for symbol, numbers in numbers.items()} | rules
        self.options = {s: tuple(tuple(SLOT.split(o)) for o in options) for s, options in texts.items()}

    def expand(self, symbol: str, draw: Draw, scene: Scene) -> str:
        """A text for `symbol`. Sticky symbols are read from `scene`, and written to it when they are first chosen."""
        if (fixed := scene.get(symbol)) is not None:
            return fixed
        options = self.options[symbol]
        pieces = options[int(draw() * len(options))]
        if len(pieces) == 1:
            text = pieces[0]
        else:
            # Odd positions of a split by SLOT are the symbols.
            text = "".join([self.expand(p, draw, scene) if i & 1 else p for i, p in enumerate(pieces)])
        if symbol in STICKY:
            scene[symbol] = text
        return text


class Swap:
    """What replaces what in the seed that one record grows out of: the same word, the same other word throughout."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        # One factor for all numbers of a record, so that "3 to 5 days" stays a range.
        self.factor = FACTORS[int(draw() * len(FACTORS))]
        self.words: dict[str, str] = {}


FACTORS = (1, 1.25, 1.5, 2, 2.5, 3)


class Words:
    """One language: its grammar and the words that may stand for each other in a seed's clause."""

    def __init__(self, language: str) -> None:
        text = resources.files("datasynth.tasks.llm.simulated").joinpath(f"words.{language}.json").read_bytes()
        rules = orjson.loads(text)
        swaps: list[list[str]] = rules.pop("swap")
        self.language = language
        self.grammar = Grammar(rules)
        self.classes = {word: tuple(words) for words in swaps for word in words}
        either = "|".join(sorted(map(re.escape, self.classes), key=len, reverse=True))
        self.slots = re.compile(
            rf"(?<![\w-])((?:{either})|\d+)(?![\w-])"
            if language == "en"
            else rf"({either}|(?<![\d.:/-])\d+(?![\d.:/-]))"
        )

    def swappable(self, clause: str) -> tuple[str, ...]:
        """`clause` cut so that the odd pieces are numbers and words that others may replace."""
        return tuple(self.slots.split(clause))

    def swapped(self, pieces: tuple[str, ...], swap: Swap) -> str:
        """The sentence again, with its numbers and exchangeable words replaced."""
        if len(pieces) == 1:
            return pieces[0]
        return "".join([self._other(p, pieces[i - 1], swap) if i & 1 else p for i, p in enumerate(pieces)])

    def _other(self, word: str, before: str, swap: Swap) -> str:
        if not (words := self.classes.get(word)):
            # Leading zeros and four digits are codes and years.
            return word if word.startswith("0") or len(word) > 3 else str(round(int(word) * swap.factor))
        if word not in swap.words:
            swap.words[word] = words[int(swap.draw() * len(words))]
        other = swap.words[word]
        article = before.endswith((" a ", " an "))
        return word if article and (word[0] in VOWELS) is not (other[0] in VOWELS) else other


VOWELS = "aeiouAEIOU"


@functools.cache
def words_of(language: str) -> Words:
    """The words of `language`: `zh` has its own, every other language gets English."""
    return Words("zh" if language == "zh" else "en")
