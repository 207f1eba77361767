"""Records that repeat the items of an evaluation set: training on them would make the evaluation worthless.

The rule is that of Tülu 3 (Lambert et al. 2024, arXiv:2411.15124, section 3.2), for whole evaluation sets and training
records: n-grams of eight words, and a record overlaps with an item where they cover half of a text of the item. GPT-3's
one common 13-gram (Brown et al. 2020, arXiv:2005.14165, appendix C) misses short questions and takes any long
quotation for a leak; PaLM's 70 % of all 8-grams (Chowdhery et al. 2022, arXiv:2204.02311, section 8) lets pass an item
with a word replaced in every eighth. From GPT-3 is the rule for what is worded alike in many items.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datasynth.schemas.errors import InputError
from datasynth.schemas.record import content_digest
from datasynth.tasks.dedup.columns import ragged
from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.dedup.text import Shingles, shingles_in_place
from datasynth.tasks.sources.records import named_records

NGRAMS = DedupSettings(word_ngram=8, char_ngram=13, letter_ngram=40)
"""Words, ideographs or kana, and letters of Thai and its like in an n-gram. A Chinese word has 1.6 characters on
average, and a Thai one about five letters, so all say as much as eight words."""

LEAST_SHARE = 0.5
"""Of a text's own words, those that must stand in n-grams it shares with a record."""

MOST_ITEMS = 10
"""An n-gram that stands in more items than this is the form's wording ("Choose the correct answer from ..."), not an
item's own, and counts neither as shared nor as the text's own."""

LEAST_UNITS = 4
"""Words or characters in a text that is compared although it is shorter than an n-gram: "Yes." repeats anywhere."""

BATCH = 512


@dataclass(frozen=True)
class EvaluationSet:
    """The texts of one file, by item."""

    path: str
    names: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    digest: str
    """Of names and texts: another one is another set."""


@dataclass(frozen=True)
class Overlap:
    """The item that a record repeats most of."""

    path: str
    item: str
    share: float
    """Of the words of the item's text; 1 where a short text is equal."""


def read_evaluation_set(path: str) -> EvaluationSet:
    """The evaluation set at `path`: JSON or JSON Lines, any fsspec address, any fields.

    Raises:
        InputError: it cannot be read, or has no text that records could be compared with.
    """
    items = named_records(path)
    texts = tuple(tuple(_texts(record)) for _, record in items)
    # Item by item, for the first one mostly settles it.
    if not any((shingles_in_place(item, NGRAMS)[1] >= LEAST_UNITS).any() for item in texts):
        raise InputError(
            "{path}: holds no text of at least {count} words or characters to compare records with. Give the "
            "evaluation set as a list of objects with its questions.",
            path=path,
            count=LEAST_UNITS,
        )
    names = tuple(name for name, _ in items)
    return EvaluationSet(path, names, texts, content_digest([names, texts]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


class Decontamination:
    """The items of all evaluation sets of a run, to be compared with records."""

    def __init__(self, sets: Sequence[EvaluationSet]) -> None:
        """An item that is there twice counts once."""
        items = {texts: (one.path, name) for one in reversed(sets) for name, texts in _backwards(one.names, one.texts)}
        self._items = list(items.values())[::-1]
        of_items = list(items)[::-1]
        owners = np.repeat(np.arange(len(of_items)), [len(texts) for texts in of_items])
        found, units, exact = shingles_in_place([text for texts in of_items for text in texts], NGRAMS)
        self._owners = owners
        """int64: the item of each text."""
        self._index(found)
        self._short = _short_texts(owners, units, exact, long=np.unique(owners[found.texts[found.whole]]))

    def overlaps(self, records: Sequence[Any]) -> list[Overlap | None]:
        """For each record the item that it repeats at least half a text of; of several the one it repeats most of."""
        found: list[Overlap | None] = []
        for first in range(0, len(records), BATCH):
            found += self._overlaps(records[first : first + BATCH])
        return found

    def _index(self, found: Shingles) -> None:
        """Sorts the n-grams that are an item's own, and sums up how many units of each text they cover."""
        whole = np.flatnonzero(found.whole)
        order = whole[np.argsort(found.values[whole], kind="stable")]
        values, texts = found.values[order], found.texts[order]
        _, group = np.unique(values, return_inverse=True)
        in_items = np.unique(np.stack([group, self._owners[texts]]), axis=1)[0]
        own = np.bincount(in_items, minlength=1)[group] <= MOST_ITEMS if len(group) else np.zeros(0, bool)
        self._values, self._texts = values[own], texts[own]
        self._places, self._lengths = found.places[order][own], found.lengths[order][own]
        self._own = np.zeros(len(self._owners), np.int64)
        np.add.at(self._own, *_covered(self._texts, self._places, self._lengths))

    def _overlaps(self, records: Sequence[Any]) -> list[Overlap | None]:
        texts = [list(_texts(record)) for record in records]
        owners = np.repeat(np.arange(len(records)), [len(of_record) for of_record in texts])
        found, _, exact = shingles_in_place([text for of_record in texts for text in of_record], NGRAMS)
        best: dict[int, tuple[float, int]] = {}
        for record, item, share in self._shared(owners[found.texts], found.values):
            if share >= LEAST_SHARE:
                best[record] = max(best.get(record, (0.0, 0)), (share, -item))
        for record, hash_ in zip(owners.tolist(), exact.tolist(), strict=True):
            if hash_ in self._short:
                best[record] = max(best.get(record, (0.0, 0)), (1.0, -self._short[hash_]))
        return [
            Overlap(*self._items[-best[row][1]], best[row][0]) if row in best else None for row in range(len(records))
        ]

    def _shared(self, records: np.ndarray, values: np.ndarray) -> Iterator[tuple[int, int, float]]:
        """Record, item and the share of one of its texts, for every text that shares an n-gram with a record."""
        starts = np.searchsorted(self._values, values)
        sizes = np.searchsorted(self._values, values, "right") - starts
        hits = ragged(starts, sizes)
        width = max(1, len(self._owners))
        pairs = np.repeat(records, sizes) * width + self._texts[hits]
        groups, counts = _covered(pairs, self._places[hits], self._lengths[hits])
        for pair, covered in zip(groups.tolist(), counts.tolist(), strict=True):
            record, text = divmod(pair, width)
            yield record, int(self._owners[text]), covered / int(self._own[text])


def _backwards(names: Sequence[str], texts: Sequence[tuple[str, ...]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield from zip(reversed(names), reversed(texts), strict=True)


def _covered(groups: np.ndarray, places: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each of `groups` once, and how many places its intervals [place, place + length) cover together."""
    order = np.lexsort((places, groups))
    groups, begins = groups[order], places[order]
    if not len(groups):
        return groups, np.zeros(0, np.int64)
    first = np.append(True, groups[1:] != groups[:-1])
    # An interval may reach beyond the next one's end; a step larger than any place keeps the groups apart.
    step = (np.cumsum(first) - 1) * (int((begins + lengths[order]).max()) + 1)
    reached = np.maximum.accumulate(begins + lengths[order] + step)
    before = np.append(0, reached[:-1])
    fresh = np.maximum(0, reached - np.maximum(before, begins + step))
    return groups[first], np.add.reduceat(fresh, np.flatnonzero(first))


def _short_texts(owners: np.ndarray, units: np.ndarray, exact: np.ndarray, long: np.ndarray) -> dict[int, int]:
    """Exact hash to item: of every item without a text as long as an n-gram, its longest text."""
    short: dict[int, int] = {}
    longest: dict[int, tuple[int, int]] = {}
    for text, item in enumerate(owners.tolist()):
        longest[item] = max(longest.get(item, (0, 0)), (int(units[text]), -text))
    for item in sorted(longest.keys() - set(long.tolist())):
        count, text = longest[item]
        if count >= LEAST_UNITS:
            short.setdefault(int(exact[-text]), item)
    return short


def decontamination_of(paths: Sequence[str], digests: Sequence[str]) -> Decontamination | None:
    """What records of a run are checked against, None where it has no evaluation set.

    Args:
        paths: The evaluation sets, as the settings name them.
        digests: Of their contents, as the run's card has them.

    Raises:
        InputError: one cannot be read, or has changed since the run began.
    """
    sets = [read_evaluation_set(path) for path in paths]
    require_unchanged(sets, digests)
    return Decontamination(sets) if sets else None


def require_unchanged(sets: Sequence[EvaluationSet], digests: Sequence[str]) -> None:
    """Makes sure that all records of a run are checked against the same items.

    Raises:
        InputError: a set has other content than when the run began.
    """
    for one, digest in zip(sets, digests, strict=True):
        if one.digest != digest:
            raise InputError(
                "{path} has changed since this run began, and records made so far were checked against what it held "
                "then. Restore it, or start a new run without --resume and --run-id.",
                path=one.path,
            )
