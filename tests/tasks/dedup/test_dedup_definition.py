"""Shingles and exact hashes by the plainest means, a character at a time: the same as of a whole batch."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from datasynth.tasks.dedup import text as dedup_text
from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.dedup.text import fold, shingled, shingles_in_place

WORDS_AND_NUMBERS = st.text("ab 12.,:-+*/%^#$|~\n", max_size=40)
TEXTS = st.lists(st.text(max_size=40) | WORDS_AND_NUMBERS | st.text("ab3 你好ไทยกข…é.", max_size=60), max_size=6)
RULES = st.builds(
    DedupSettings, word_ngram=st.integers(1, 4), char_ngram=st.integers(1, 4), letter_ngram=st.integers(1, 6)
)
MASK = (1 << 64) - 1
BASE, GOLDEN = 0xD6E8FEB86659FD93, 0x9E3779B97F4A7C15


def mixed(value: int) -> int:
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & MASK
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & MASK
    return value ^ value >> 33


def kind(text: str, i: int) -> str:
    """Of the character at `i`: word, digit, character, letter, symbol, or nothing for a break."""

    def near(by: int) -> str:
        return text[i + by] if 0 <= i + by < len(text) else "\n"

    def is_digit(c: str) -> bool:
        return unicodedata.category(c) == "Nd"

    c, category = text[i], unicodedata.category(text[i])
    if is_digit(c):
        return "digit"
    if category[0] in "LMN":
        if any(ord(low) <= ord(c) <= ord(high) for low, high in ("\u0e00\u0eff", "\u1000\u109f", "\u1780\u17ff")):
            return "letter"
        return "character" if any(low <= ord(c) <= high for low, high in IDEOGRAPHIC) else "word"
    if c in ".,:":
        return "word" if is_digit(near(-1)) and is_digit(near(1)) else ""
    if c in "-*/%^":
        beside = any(is_digit(near(by)) or (near(by) == " " and is_digit(near(2 * by))) for by in (-1, 1))
        return "symbol" if beside else ""
    if c == "#":
        # Another # before it is no word, and thousands of them must not be asked one through the other.
        return "symbol" if i and text[i - 1] != "#" and kind(text, i - 1) == "word" else ""
    return "symbol" if category in ("Sm", "Sc", "So") and c not in "|~" else ""


IDEOGRAPHIC = (
    (0x3005, 0x3007),
    (0x3041, 0x30FF),
    (0x3105, 0x312F),
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA000, 0xA48C),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


def units(text: str) -> list[tuple[str, int]]:
    """Kind and hash of every unit of a folded text."""
    dashed = "".join("-" if unicodedata.category(c) == "Pd" or c == "−" else c for c in text)
    found: list[tuple[str, str]] = []
    open_word = False
    for i, c in enumerate(dashed):
        of = kind(dashed, i)
        in_word = of in ("word", "digit")
        if in_word and open_word:
            found[-1] = found[-1][0], found[-1][1] + c
        elif of:
            found.append((of, c))
        open_word = in_word
    return [
        (of, mixed(sum(ord(c) * pow(BASE, k, 1 << 64) for k, c in enumerate(unit, 1)) & MASK)) for of, unit in found
    ]


def by_definition(text: str, rules: DedupSettings) -> tuple[list[tuple[int, int, int]], int]:
    """Place, length and hash of every shingle, and the exact hash."""
    listed = units(text)
    wanted = {"character": rules.char_ngram, "letter": rules.letter_ngram}
    found = []
    for i, (of, _) in enumerate(listed):
        if i and i - 1 + wanted.get(listed[i - 1][0], rules.word_ngram) >= len(listed):
            continue  # the one before reached the end
        unit_hashes = [hash_ for _, hash_ in listed[i : i + wanted.get(of, rules.word_ngram)]]
        value = unit_hashes[0]
        for hash_ in unit_hashes[1:]:
            value = value * BASE + hash_ & MASK
        found.append((i, len(unit_hashes), mixed(value)))
    return found, sum(mixed(hash_ + i * GOLDEN & MASK) for i, (_, hash_) in enumerate(listed)) & MASK


@given(TEXTS, RULES, st.sampled_from([7, 1 << 16]))
def test_shingles_and_exact_hashes_are_those_of_the_definition(texts, rules, chunk):
    texts = [fold(text) for text in texts]
    usual, dedup_text.CHUNK_CHARACTERS = dedup_text.CHUNK_CHARACTERS, chunk
    try:
        sets, (places, _, _) = shingled(texts, rules), shingles_in_place(texts, rules)
    finally:
        dedup_text.CHUNK_CHARACTERS = usual
    for i, text in enumerate(texts):
        shingles, exact = by_definition(text, rules)
        in_text = places.texts == i
        columns = (places.places[in_text], places.lengths[in_text], places.values[in_text])
        assert list(zip(*(column.tolist() for column in columns), strict=True)) == shingles
        values = sets.values[sets.offsets[i] : sets.offsets[i + 1]].tolist()
        assert values == sorted({value >> 32 for _, _, value in shingles})
        assert not shingles or sets.exact[i] == exact
