"""Folded form and kind of every character of a batch of texts.

Normalised means: compatibility forms and widths unified (NFKC), case folded, punctuation and white space reduced to
breaks between units. What changes the meaning stays: currency and mathematical signs, emoji, the point in 3.5, and an
operator beside a number (3 - 5 is not 3 / 5).
"""

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# What a code point counts as. Zero means that it has not been met yet. Units of several characters are up to DIGIT,
# breaks up to BREAK (a blank is one that may stand between a sign and its number), all above is a unit by itself.
WORD, DIGIT, BLANK, BREAK, CHARACTER, LETTER, SYMBOL, JOINT, SIGN, TAIL = range(1, 11)
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

_KIND_SHIFT = np.uint32(24)
"""A table entry is one number, so that a character costs one access: its kind above its folded code point."""
_CODE = np.uint32(0xFFFFFF)


@dataclass(frozen=True)
class Characters:
    """A batch of texts, one after the other, with a break before each and one after the last."""

    codes: np.ndarray
    """uint32: folded code points; 0 at a break, which adds nothing to a hash."""
    kinds: np.ndarray
    """uint8: from WORD to SYMBOL."""
    begins: np.ndarray
    """int64: where each text begins."""


def characters(texts: Sequence[str]) -> Characters:
    """`texts` as folded characters, punctuation settled by what stands beside it."""
    codes, kinds, lengths = _looked_up(texts)
    if kinds.max() >= COMPLEX:
        ends = np.cumsum(lengths + 1)
        plain = list(texts)
        for i in np.unique(ends.searchsorted((kinds >= COMPLEX).nonzero()[0])).tolist():
            plain[i] = fold(plain[i])
        codes, kinds, lengths = _looked_up(plain)
        kinds &= ~np.uint8(COMPLEX)
    _settle_punctuation(codes, kinds)
    return Characters(codes, kinds, np.cumsum(lengths + 1) - lengths)


def _looked_up(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes and kinds by the table, and the texts' lengths."""
    joined = "\n" + "\n".join(texts) + "\n"
    # A model's "\ud83d" can leave half a surrogate pair, which is a break like any unassigned code point.
    entries = _code_table().look_up(np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4"))
    kinds = (entries >> _KIND_SHIFT).astype(np.uint8)
    entries &= _CODE
    return entries, kinds, np.fromiter(map(len, texts), np.int64, len(texts))


def fold(text: str) -> str:
    """`text` with compatibility forms, widths and case unified and invisible characters removed.

    Source: Unicode Standard Annex 15 and section 3.13 (NFKC_Casefold).
    """
    # A text has far fewer different characters than characters, and hardly ever an invisible one.
    invisible = {ord(c): None for c in set(text) if _invisible(c)}
    visible = text.translate(invisible) if invisible else text
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())


@functools.cache
def _invisible(c: str) -> bool:
    return unicodedata.category(c) == "Cf" or "\ufe00" <= c <= "\ufe0f"


class _CodeTable:
    """Entries of the code points met so far. Looking up beats normalising text by text tenfold."""

    def __init__(self) -> None:
        self._entries = np.zeros(0x110000, np.uint32)

    def look_up(self, codes: np.ndarray) -> np.ndarray:
        # No code point is beyond the table; but without a mode, `take` prepares for that in a slow buffer.
        entries = self._entries.take(codes, mode="clip")
        if not entries.min():
            for code in np.unique(codes[entries == 0]).tolist():
                folded, kind = _entry(code)
                self._entries[code] = kind << 24 | folded
            entries = self._entries.take(codes, mode="clip")
        return entries


@functools.cache
def _code_table() -> _CodeTable:
    return _CodeTable()


def _entry(code: int) -> tuple[int, int]:
    c = chr(code)
    if _invisible(c):
        return 0, BREAK | COMPLEX
    folded = fold(c)
    if all(_kind(f) in (BLANK, BREAK, JOINT) for f in folded) and len(folded) != 1:
        return 0, BLANK  # an ellipsis is three points
    if len(folded) != 1 or _combines(folded):
        kind = _kind(c)
        return _code(code, kind), kind | COMPLEX
    if unicodedata.category(folded) == "Pd" or folded == "−":
        folded = "-"
    kind = _kind(folded)
    return _code(ord(folded), kind), kind


def _code(code: int, kind: int) -> int:
    return 0 if kind in (BLANK, BREAK) else code


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
    if c == " ":
        return BLANK
    # A bar or a tilde draws tables and strikes text out; so do accents standing alone (Sk).
    return SYMBOL if category in ("Sm", "Sc", "So") and c not in "|~" else BREAK


def _settle_punctuation(codes: np.ndarray, kinds: np.ndarray) -> None:
    """Turns what is punctuation only in some places into a symbol, a part of a word, or a break; in place."""
    places = (kinds >= JOINT).nonzero()[0]
    kind, before, after = kinds[places], kinds[places - 1], kinds[places + 1]  # the batch begins and ends with a break
    digit_before, digit_after = before == DIGIT, after == DIGIT
    beside = digit_before | digit_after
    beside |= (before == BLANK) & (kinds.take(places - 2, mode="clip") == DIGIT)
    beside |= (after == BLANK) & (kinds.take(places + 2, mode="clip") == DIGIT)
    settled = np.full(len(places), BREAK, np.uint8)
    settled[(kind == JOINT) & digit_before & digit_after] = WORD
    settled[(kind == SIGN) & beside | (kind == TAIL) & (before == WORD)] = SYMBOL  # C# is not C
    kinds[places] = settled
    codes[places[settled == BREAK]] = 0
