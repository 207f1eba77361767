"""From texts to sets of hashed shingles, a batch at a time, in NumPy.

Normalised means: compatibility forms and widths unified (NFKC), case folded, punctuation and white space reduced to
breaks between units. A unit is a word, or one character of a script that writes no spaces. What changes the meaning
stays: currency and mathematical signs, emoji, the point in 3.5, and an operator beside a number (3 - 5 is not 3 / 5).
"""

import functools
import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from datasynth.tasks.dedup.columns import ragged, sorted_unique
from datasynth.tasks.dedup.settings import DedupSettings

CHUNK_CHARACTERS = 1 << 16
"""Characters worked on at once: their temporary arrays (half a megabyte each) stay in the processor's cache. With
sixteen times as many the same work takes a third longer."""

# What a code point counts as. Zero means that it has not been met yet.
BREAK, WORD, DIGIT, CHARACTER, LETTER, SYMBOL, JOINT, SIGN, TAIL = range(1, 10)
COMPLEX = 0x80
"""Flag of code points that cannot be folded one by one: they combine with neighbours, or fold to several."""

_CHARACTERS = (
    (0x3005, 0x3007),  # iteration mark, closing mark, ideographic zero
    (0x3041, 0x30FF),  # hiragana, katakana
    (0x3105, 0x312F),  # bopomofo
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # ideographs
    (0x4E00, 0x9FFF),
    (0xA000, 0xA48C),  # yi
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_UNSPACED_LETTERS = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF))  # Thai and Lao, Burmese, Khmer

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_BASE = np.uint64(0xD6E8FEB86659FD93)
"""Odd multipliers with well-spread bits; any others would do."""


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
    owners, _, _, values = _shingles(units, settings)
    keys = sorted_unique(owners << np.uint64(32) | values >> np.uint64(32))
    bounds = np.arange(len(texts) + 1, dtype=np.uint64) << np.uint64(32)
    offsets = np.searchsorted(keys, bounds).astype(np.int64)
    return Shingled((keys & np.uint64(0xFFFFFFFF)).astype(np.uint32), offsets, np.diff(units.offsets), units.exact)


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
        owners, at, lengths, values = _shingles(units, settings)
        owners = owners.astype(np.int64)
        whole = lengths == _lengths_by_kind(settings)[units.kinds[at]]
        parts.append(Shingles(owners + first, at - units.offsets[owners], lengths, whole, values))
        counts.append(np.diff(units.offsets))
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
    exact: np.ndarray


def _read_units(texts: Sequence[str]) -> _Units:
    codes, kinds, lengths = _folded(texts)
    _settle_punctuation(codes, kinds)
    begins = np.cumsum(lengths + 1) - lengths  # a break stands before each text
    starts, hashes = _units(codes, kinds)
    offsets = np.append(np.searchsorted(starts, begins), len(starts))
    units = np.diff(offsets)
    within = np.arange(len(starts)) - np.repeat(offsets[:-1], units)
    exact = _segment_sums(mix(hashes + within.astype(np.uint64) * _GOLDEN), offsets)
    for i in np.flatnonzero(units == 0).tolist():
        exact[i] = _hash_as_written(texts[i])
    return _Units(kinds[starts], hashes, offsets, exact)


def _folded(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Folded code points, their kinds and the texts' lengths; one break before each text and one after the last."""
    codes, kinds, lengths = _code_points(texts)
    complex_at = np.flatnonzero(kinds & COMPLEX)
    if len(complex_at):
        ends = np.cumsum(lengths + 1)
        plain = list(texts)
        for i in map(int, np.unique(np.searchsorted(ends, complex_at))):
            plain[i] = fold(texts[i])
        codes, kinds, lengths = _code_points(plain)
        kinds &= ~np.uint8(COMPLEX)
    return codes, kinds, lengths


def _code_points(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    joined = "\n" + "\n".join(texts) + "\n"
    # A model's "\ud83d" can leave half a surrogate pair, which is a break like any unassigned code point.
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4")
    folded, kinds = _code_table().look_up(codes)
    return folded, kinds, np.fromiter(map(len, texts), np.int64, len(texts))


def fold(text: str) -> str:
    """`text` with compatibility forms, widths and case unified and invisible characters removed.

    Source: Unicode Standard Annex 15 and section 3.13 (NFKC_Casefold).
    """
    visible = "".join(c for c in text if not _invisible(c))
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())


def _invisible(c: str) -> bool:
    return unicodedata.category(c) == "Cf" or "\ufe00" <= c <= "\ufe0f"


class _CodeTable:
    """Folded form and kind of every code point met so far. Looking up beats normalising text by text tenfold."""

    def __init__(self) -> None:
        self.folded = np.zeros(0x110000, np.uint32)
        self.kinds = np.zeros(0x110000, np.uint8)

    def look_up(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kinds = self.kinds[codes]
        if not kinds.all():
            for code in np.unique(codes[kinds == 0]).tolist():
                self.folded[code], self.kinds[code] = _entry(code)
            kinds = self.kinds[codes]
        return self.folded[codes], kinds


@functools.cache
def _code_table() -> _CodeTable:
    return _CodeTable()


def _entry(code: int) -> tuple[int, int]:
    c = chr(code)
    if _invisible(c):
        return code, BREAK | COMPLEX
    folded = fold(c)
    if all(_kind(f) in (BREAK, JOINT) for f in folded) and len(folded) != 1:
        return ord(" "), BREAK  # an ellipsis is three points
    if len(folded) != 1 or _combines(folded):
        return code, _kind(c) | COMPLEX
    if unicodedata.category(folded) == "Pd" or folded == "−":
        folded = "-"
    return ord(folded), _kind(folded)


def _combines(c: str) -> bool:
    """Whether `c` may merge with the character before it under NFKC: marks, and the letters of Hangul syllables."""
    return unicodedata.category(c).startswith("M") or 0x1100 <= ord(c) <= 0x11FF


def _kind(c: str) -> int:
    category = unicodedata.category(c)
    if category == "Nd":
        return DIGIT
    if category[0] in "LMN":
        code = ord(c)
        if any(low <= code <= high for low, high in _CHARACTERS):
            return CHARACTER
        return LETTER if any(low <= code <= high for low, high in _UNSPACED_LETTERS) else WORD
    if c in ".,:":
        return JOINT
    if c in "-*/%^":
        return SIGN
    if c == "#":
        return TAIL
    # A bar or a tilde draws tables and strikes text out; so do accents standing alone (Sk).
    return SYMBOL if category in ("Sm", "Sc", "So") and c not in "|~" else BREAK


def _settle_punctuation(codes: np.ndarray, kinds: np.ndarray) -> None:
    """Turns what is punctuation only in some places into a symbol, a part of a word, or a break; in place."""
    padded = np.pad(kinds, 2, constant_values=BREAK)
    blank = np.pad(codes == ord(" "), 2)

    def kind_near(places: np.ndarray, by: int) -> np.ndarray:
        return padded[places + 2 + by]

    joints = np.flatnonzero(kinds == JOINT)
    inside = (kind_near(joints, -1) == DIGIT) & (kind_near(joints, 1) == DIGIT)
    signs = np.flatnonzero(kinds == SIGN)
    beside = (kind_near(signs, -1) == DIGIT) | (kind_near(signs, 1) == DIGIT)
    beside |= blank[signs + 1] & (kind_near(signs, -2) == DIGIT)
    beside |= blank[signs + 3] & (kind_near(signs, 2) == DIGIT)
    tails = np.flatnonzero(kinds == TAIL)
    kinds[joints] = np.where(inside, WORD, BREAK)
    kinds[signs] = np.where(beside, SYMBOL, BREAK)
    kinds[tails] = np.where(kind_near(tails, -1) == WORD, SYMBOL, BREAK)  # C# is not C


def _units(codes: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each unit begins, and its 64-bit hash."""
    in_word = kinds <= DIGIT
    in_word &= kinds != BREAK
    begins = kinds != BREAK
    begins[1:] &= ~(in_word[1:] & in_word[:-1])
    starts = np.flatnonzero(begins)
    if not len(starts):
        return starts, np.zeros(0, np.uint64)
    lengths = np.diff(starts, append=len(codes))
    within = np.arange(starts[0], len(codes)) - np.repeat(starts, lengths)
    powers = np.cumprod(np.full(int(within.max()) + 1, _BASE))
    terms = np.where(kinds != BREAK, codes, 0)[starts[0] :] * powers[within]
    return starts, mix(np.add.reduceat(terms, starts - starts[0]))


def _shingles(units: _Units, settings: DedupSettings) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of every shingle: its text (uint64), the unit it begins at, its length in units and its 64-bit hash.

    A shingle begins at each unit and is as long as its kind asks for. At the end of a text it is cut short, and left
    out if the shingle before it reached the end already.
    """
    kinds, offsets = units.kinds, units.offsets
    places = np.arange(len(kinds), dtype=np.int32)
    counts = np.diff(offsets)
    owners = np.repeat(np.arange(len(counts), dtype=np.uint64), counts)
    ends = np.repeat(offsets[1:].astype(np.int32), counts)
    reach = np.minimum(places + _lengths_by_kind(settings)[kinds], ends)
    wanted = np.ones(len(places), bool)
    np.less(reach[:-1], ends[:-1], out=wanted[1:])
    wanted[offsets[:-1][counts > 0]] = True
    lengths = reach - places
    values = units.hashes.copy()
    for k in range(1, int(lengths.max(initial=1))):
        longer = lengths[:-k] > k
        np.multiply(values[:-k], _BASE, out=values[:-k], where=longer)
        np.add(values[:-k], units.hashes[k:], out=values[:-k], where=longer)
    return owners[wanted], places[wanted], lengths[wanted], mix(values[wanted])


def _lengths_by_kind(settings: DedupSettings) -> np.ndarray:
    sizes = np.full(10, settings.word_ngram, np.int32)
    sizes[CHARACTER], sizes[LETTER] = settings.char_ngram, settings.letter_ngram
    return sizes


def _segment_sums(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    sums = np.zeros(len(offsets) - 1, values.dtype)
    filled = offsets[1:] > offsets[:-1]
    if filled.any():
        sums[filled] = np.add.reduceat(values, offsets[:-1][filled])
    return sums


def _hash_as_written(text: str) -> int:
    spaced = " ".join(fold(text).split()).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(spaced, digest_size=8).digest(), "little")


def mix(values: np.ndarray) -> np.ndarray:
    """The 64-bit finaliser of MurmurHash3 (Appleby 2011, public domain): a bijection that spreads every bit."""
    values = values ^ (values >> np.uint64(33))
    values *= np.uint64(0xFF51AFD7ED558CCD)
    values ^= values >> np.uint64(33)
    values *= np.uint64(0xC4CEB9FE1A85EC53)
    values ^= values >> np.uint64(33)
    return values
