"""From texts to sets of hashed shingles, a batch at a time, in NumPy.

A unit is a word, or one character of a script that writes no spaces, of the text as `characters` normalises it.
"""

import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from datasynth.tasks.dedup.characters import BREAK, CHARACTER, DIGIT, LETTER, characters, fold
from datasynth.tasks.dedup.columns import ragged
from datasynth.tasks.dedup.settings import DedupSettings

CHUNK_CHARACTERS = 1 << 16
"""Characters worked on at once: so many that a hundred calls of NumPy cost little, and so few that what the calls hand
to each other (half a megabyte at a time) stays in the processor's cache."""

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_BASE = np.uint64(0xD6E8FEB86659FD93)
"""Odd multipliers with well-spread bits; any others would do."""
_HALF = np.uint64(32)
_MIX_SHIFT, _MIX_FIRST, _MIX_SECOND = np.uint64(33), np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)


@dataclass(frozen=True)
class Shingled:
    """The shingle sets of a batch of texts, in their order."""

    values: np.ndarray
    """uint32: the sets one after the other, each sorted and without repeats."""
    offsets: np.ndarray
    """int64, one more than there are texts: text i has `values[offsets[i]:offsets[i + 1]]`."""
    units: np.ndarray
    """int64: words or characters in each text. A text with none has no shingle."""
    exact: np.ndarray
    """uint64: equal for texts whose sequence of units is equal. Texts without a unit are told apart as written."""

    @property
    def sizes(self) -> np.ndarray:
        """int64: distinct shingles of each text."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.units)

    def take(self, rows: np.ndarray) -> "Shingled":
        """The texts at `rows` (a mask or places in order)."""
        sizes = self.sizes[rows]
        values = self.values[ragged(self.offsets[:-1][rows], sizes)]
        return Shingled(values, np.append(0, np.cumsum(sizes)), self.units[rows], self.exact[rows])


def shingled(texts: Sequence[str], settings: DedupSettings) -> Shingled:
    """The shingle sets of `texts`; the same text has the same set in any batch, process or machine.

    A text shorter than a shingle is one shingle of what it has.
    """
    parts = [_shingled_chunk(chunk, settings) for chunk in _chunks(texts)]
    if len(parts) == 1:
        return parts[0]
    sizes = np.concatenate([np.zeros(1, np.int64), *(part.sizes for part in parts)])
    return Shingled(
        values=np.concatenate([np.zeros(0, np.uint32), *(part.values for part in parts)]),
        offsets=np.cumsum(sizes),
        units=np.concatenate([np.zeros(0, np.int64), *(part.units for part in parts)]),
        exact=np.concatenate([np.zeros(0, np.uint64), *(part.exact for part in parts)]),
    )


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    first = characters = 0
    for i, text in enumerate(texts):
        if characters and characters + len(text) > CHUNK_CHARACTERS:
            yield texts[first:i]
            first, characters = i, 0
        characters += len(text) + 1
    if first < len(texts):
        yield texts[first:]


def _shingled_chunk(texts: Sequence[str], settings: DedupSettings) -> Shingled:
    units = _read_units(texts)
    lengths, values = _shingles(units, settings)
    # Sorted by text and value. Where no shingle begins stands the text's first one once more, to go with the repeats.
    keys = values
    keys >>= _HALF
    keys |= (np.arange(len(texts), dtype=np.uint64) << _HALF).repeat(units.counts)
    left_out = (lengths == 0).nonzero()[0]
    keys[left_out] = keys[units.offsets[keys[left_out] >> _HALF]]
    keys.sort()
    repeats = (keys[1:] == keys[:-1]).nonzero()[0]
    offsets = units.offsets - repeats.searchsorted(units.offsets)
    return Shingled(np.delete(keys.astype(np.uint32), repeats), offsets, units.counts, units.exact)


@dataclass(frozen=True)
class Shingles:
    """Every shingle of a batch of texts in its place, repeats included."""

    texts: np.ndarray
    """int64: the text that it is in."""
    places: np.ndarray
    """int64: the unit of the text at which it begins."""
    lengths: np.ndarray
    """int32: units in it."""
    whole: np.ndarray
    """bool: as long as its kind asks for, not cut short by the end of its text."""
    values: np.ndarray
    """uint64: its hash."""


def shingles_in_place(texts: Sequence[str], settings: DedupSettings) -> tuple[Shingles, np.ndarray, np.ndarray]:
    """Every shingle of `texts`, and of each text how many units it has (int64) and its exact hash (uint64)."""
    parts, counts, exact, first = [], [], [], 0
    for chunk in _chunks(texts):
        units = _read_units(chunk)
        lengths, values = _shingles(units, settings)
        at = lengths.nonzero()[0]
        owners = np.arange(len(chunk)).repeat(units.counts)[at]
        whole = lengths[at] == _lengths(units.kinds[at], settings)
        parts.append(Shingles(owners + first, at - units.offsets[owners], lengths[at], whole, values[at]))
        counts.append(units.counts)
        exact.append(units.exact)
        first += len(chunk)
    if not parts:
        none = np.zeros(0, np.int64)
        hashes = none.astype(np.uint64)
        return Shingles(none, none, none.astype(np.int32), none.astype(bool), hashes), none, hashes
    joined = (np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Shingles))
    return Shingles(*joined), np.concatenate(counts), np.concatenate(exact)


@dataclass(frozen=True)
class _Units:
    """The units of a batch of texts, one text after the other."""

    kinds: np.ndarray
    hashes: np.ndarray
    offsets: np.ndarray
    counts: np.ndarray
    exact: np.ndarray


def _read_units(texts: Sequence[str]) -> _Units:
    found = characters(texts)
    in_word = found.kinds <= DIGIT
    begins = found.kinds > BREAK
    begins |= in_word
    begins[1:] ^= in_word[1:] & in_word[:-1]
    starts = begins.nonzero()[0]
    kinds = found.kinds.take(starts, mode="clip")
    # No index is out of bounds; but without a mode, `take` prepares for that in a slow buffer.
    hashes = _character_hashes().take(found.codes.take(starts, mode="clip"), mode="clip")
    hashes[(kinds <= DIGIT).nonzero()[0]] = _word_hashes(found.codes, begins, in_word.nonzero()[0])
    offsets = np.append(starts.searchsorted(found.begins), len(starts))
    counts = offsets[1:] - offsets[:-1]
    # The exact hash sums up each unit's, mixed with its place in the text: its place in the batch less the text's.
    placed = hashes + _constants(len(hashes)).places
    placed -= (offsets[:-1].astype(np.uint64) * _GOLDEN).repeat(counts)
    exact = _segment_sums(_mixed(placed), offsets, counts)
    for i in np.flatnonzero(counts == 0).tolist():
        exact[i] = _hash_as_written(texts[i])
    return _Units(kinds, hashes, offsets, counts, exact)


def _word_hashes(codes: np.ndarray, begins: np.ndarray, letters: np.ndarray) -> np.ndarray:
    """The 64-bit hash of each word: the sum of code times base to the power of its place in the word, from 1, mixed.

    The sums are differences of one running sum over all words, with powers by the place among all their letters; the
    inverse power of where a word begins takes the difference back to the word's own. All of it is modulo 2^64, where
    an odd base has an inverse, so nothing is lost.

    Args:
        codes: Of all characters.
        begins: Of all characters, whether a unit begins there.
        letters: Where the characters stand that belong to words.
    """
    firsts = begins.take(letters, mode="clip").nonzero()[0]
    constants = _constants(len(letters))
    sums = np.zeros(len(letters) + 1, np.uint64)
    np.cumsum(codes.take(letters, mode="clip") * constants.powers, out=sums[1:])
    before = sums.take(np.append(firsts, len(letters)), mode="clip")
    hashes = before[1:] - before[:-1]
    hashes *= constants.inverses.take(firsts, mode="clip")
    return _mixed(hashes)


@functools.cache
def _character_hashes() -> np.ndarray:
    """By code point, 9 MB."""
    return _mixed(np.arange(0x110000, dtype=np.uint64) * _BASE)


@dataclass(frozen=True)
class _Constants:
    """uint64, by place in a batch."""

    powers: np.ndarray
    """Of the base, from the first on."""
    inverses: np.ndarray
    """Of the base modulo 2^64, from the zeroth power on."""
    places: np.ndarray
    """Multiples of the golden ratio."""


def _constants(count: int) -> _Constants:
    """The first `count` of each."""
    if count > 2 * CHUNK_CHARACTERS:  # one very long text: not kept
        return _fresh_constants(count)
    kept = _kept_constants(2 * CHUNK_CHARACTERS)
    return _Constants(kept.powers[:count], kept.inverses[:count], kept.places[:count])


@functools.cache
def _kept_constants(count: int) -> _Constants:
    return _fresh_constants(count)


def _fresh_constants(count: int) -> _Constants:
    inverse = np.uint64(pow(int(_BASE), -1, 1 << 64))
    inverses = np.cumprod(np.append(np.uint64(1), np.full(count - 1, inverse)))
    return _Constants(np.cumprod(np.full(count, _BASE)), inverses, np.arange(count, dtype=np.uint64) * _GOLDEN)


def _shingles(units: _Units, settings: DedupSettings) -> tuple[np.ndarray, np.ndarray]:
    """Of the shingle that begins at each unit: its length in units (int32), 0 where none does, and its 64-bit hash.

    A shingle is as long as the kind of its first unit asks for. At the end of a text it is cut short, and left out if
    the shingle before it reached the end already.
    """
    lengths = _lengths(units.kinds, settings)
    _cut_short(lengths, units)
    values = units.hashes.copy()
    for k in range(1, int(lengths.max(initial=1))):
        # Those that are no longer than k are few as a rule: they are put back.
        done = (lengths[:-k] <= k).nonzero()[0]
        kept = values[done]
        values[:-k] *= _BASE
        values[:-k] += units.hashes[k:]
        values[done] = kept
    return lengths, _mixed(values)


def _lengths(kinds: np.ndarray, settings: DedupSettings) -> np.ndarray:
    """int32: how long a shingle that begins with a unit of each kind should be."""
    lengths = np.full(len(kinds), settings.word_ngram, np.int32)
    for kind, length in ((CHARACTER, settings.char_ngram), (LETTER, settings.letter_ngram)):
        if length != settings.word_ngram:
            lengths[(kinds == kind).nonzero()[0]] = length
    return lengths


def _cut_short(lengths: np.ndarray, units: _Units) -> None:
    """Cuts and leaves out shingles at the ends of texts, in place; only a text's last few units are looked at."""
    for left in range(1, min(int(lengths.max(initial=1)), int(units.counts.max(initial=0)) + 1)):
        reaching = units.counts >= left
        places = units.offsets[1:][reaching] - left
        # What the unit before asks for is not cut yet: that comes with the next `left`.
        covered = (lengths[places - 1] > left) & (units.counts[reaching] > left)
        lengths[places] = np.where(covered, 0, np.minimum(lengths[places], left))


def _segment_sums(values: np.ndarray, offsets: np.ndarray, counts: np.ndarray) -> np.ndarray:
    sums = np.zeros(len(counts), values.dtype)
    filled = counts > 0
    if len(values):
        sums[filled] = np.add.reduceat(values, offsets[:-1][filled])
    return sums


def _hash_as_written(text: str) -> int:
    spaced = " ".join(fold(text).split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(spaced, digest_size=8).digest(), "little")


def _mixed(values: np.ndarray) -> np.ndarray:
    """The 64-bit finaliser of MurmurHash3 (Appleby 2011, public domain): a bijection that spreads every bit; in place.

    Returns:
        `values` itself.
    """
    shifted = values >> _MIX_SHIFT
    values ^= shifted
    values *= _MIX_FIRST
    values ^= np.right_shift(values, _MIX_SHIFT, out=shifted)
    values *= _MIX_SECOND
    values ^= np.right_shift(values, _MIX_SHIFT, out=shifted)
    return values
