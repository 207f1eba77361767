"""What counts as a near-duplicate, and how surely it is found."""

import functools
import math
from dataclasses import dataclass

from datasynth.schemas.errors import InputError


@dataclass(frozen=True)
class DedupSettings:
    """Two texts are near-duplicates when the Jaccard similarity of their shingle sets is at least `threshold`."""

    threshold: float = 0.7
    """0.7 is where a text of 60 words may differ in five of them and is still the same text said again: with pairs
    of words, k replaced words cost 2k of 59 shingles, so three leave (59-6)/(59+6) = 0.82 and five leave 0.71.
    distilabel's 0.9 over five-word shingles finds 26 % of records with three words replaced."""

    word_ngram: int = 2
    """Words in a shingle. Three would leave 0.73 of the text above, too close to the threshold for short texts;
    one would make any two texts of the same vocabulary alike."""

    char_ngram: int = 2
    """Ideographs and kana in a shingle. A Chinese word is about two characters, so replacing a word costs three
    of its 1.7 shingles, as much as in English; with three characters a text of 60 characters that differs in
    three words would fall to 0.66."""

    letter_ngram: int = 5
    """Letters in a shingle of Thai, Lao, Burmese and Khmer, which put no space between words: alphabets of some 70
    signs, whose pairs all occur in any long text. Five letters are about a word."""

    num_perm: int = 128
    """Values in a signature. More of them buy recall at the threshold with fewer false candidates, and cost time
    and 4 bytes a record each."""

    recall: float = 0.999
    """Probability that a pair exactly at the threshold becomes a candidate; a pair above it, more. What becomes a
    candidate by chance is refused by the exact similarity, so recall costs time, never precision."""

    seed: int = 1
    """Of the permutations; 1 is datasketch's own default."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise InputError(
                "The near-duplicate threshold is {threshold}. Give a number above 0 and at most 1.",
                threshold=self.threshold,
            )
        for name in ("word_ngram", "char_ngram", "letter_ngram"):
            if getattr(self, name) < 1:
                raise InputError("{name} is {value}. Give at least 1.", name=name, value=getattr(self, name))
        if not 16 <= self.num_perm <= 1024:
            raise InputError(
                "num_perm is {value}. Give 16 to 1024: fewer values find too little, more cost only time.",
                value=self.num_perm,
            )
        if not 0 < self.recall < 1:
            raise InputError("recall is {value}. Give a probability between 0 and 1.", value=self.recall)

    @functools.cached_property
    def bands(self) -> tuple[int, int]:
        """Bands and rows of the LSH: the most rows a band (fewest false candidates) that still reach `recall`.

        A pair of similarity s shares one of b bands of r rows with probability 1 - (1 - s^r)^b (Leskovec, Rajaraman
        and Ullman, "Mining of Massive Datasets", 3.4.2). At the defaults 26 bands of 4 rows: 0.9992 at 0.7, where
        datasketch's own optimum for a threshold of 0.7 finds 0.75. Where no split reaches `recall` (a threshold
        below 0.06), as many bands as there are values.
        """
        for rows in range(self.num_perm, 0, -1):
            bands = bands_needed(self.threshold**rows, self.recall)
            if bands * rows <= self.num_perm:
                return bands, rows
        return self.num_perm, 1

    @property
    def sketch_words(self) -> int:
        """64-bit words of a sketch, one bit for each value of a signature."""
        return -(-self.num_perm // 64)

    @functools.cached_property
    def sketch_floor(self) -> int:
        """Equal bits of two `num_perm`-bit sketches below which a pair cannot be a near-duplicate.

        One bit of each signature value agrees with probability (1 + s) / 2 (Li and König 2010, "b-bit minwise
        hashing"). The floor loses one pair at the threshold in ten million, and spares almost every candidate of
        similarity 0.3 or less its exact comparison.
        """
        agree = (1 + self.threshold) / 2
        lost, floor = 0.0, 0
        while floor < self.num_perm:
            lost += math.comb(self.num_perm, floor) * agree**floor * (1 - agree) ** (self.num_perm - floor)
            if lost > 1e-7:
                break
            floor += 1
        return floor


def bands_needed(one_band: float, recall: float) -> int:
    """Bands that find a pair with probability `recall`, if each finds it with probability `one_band`."""
    if one_band >= 1:
        return 1
    if one_band <= 1e-12:
        return 1 << 30
    return math.ceil(math.log(1 - recall) / math.log1p(-one_band))
