"""Measures of how varied texts are."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU

from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.dedup.text import shingled
from datasynth.tasks.measure.bleu import self_bleu
from datasynth.tasks.measure.neighbours import nearest
from datasynth.tasks.measure.texts import (
    MOST_TEXTS,
    compression_ratio,
    distinct,
    measure_like,
    measure_texts,
    self_repetition,
)
from datasynth.tasks.measure.vendi import vendi_score
from datasynth.tasks.measure.words import words

WORDS = st.lists(
    st.sampled_from(["alpha", "beta", "gamma", "delta", "订", "单", "epsilon", "3.5"]), min_size=1, max_size=12
)
TEXTS = st.lists(WORDS.map(" ".join), min_size=2, max_size=7)
DIFFERENT = [" ".join(f"w{n}x{k}" for k in range(12)) for n in range(10)]
SAME = ["one two three four five six seven eight nine ten"] * 10


@given(st.text(alphabet="ab订单かなไท 3.,;-_éÉＡ'", max_size=40).filter(lambda t: "-" not in t))
def test_words_are_the_units_that_near_duplicates_are_found_by(text):
    assert len(words(text)) == shingled([text], DedupSettings()).units[0]


def test_texts_without_a_common_word_are_wholly_distinct():
    assert (distinct(DIFFERENT, 1), distinct(DIFFERENT, 2)) == (1, 1)


def test_the_same_text_again_and_again_is_hardly_distinct():
    assert distinct(SAME, 1) == 0.1
    assert distinct(SAME, 2) == 0.1


def test_pairs_do_not_cross_texts():
    assert distinct(["a b", "c d"], 2) == 1
    assert distinct(["a", "b"], 2) is None


def test_chinese_is_measured_in_characters_and_other_words_in_words():
    assert distinct(["订单 order42 订单"], 1) == 3 / 5
    assert distinct(["订单 order42 订单"], 2) == 3 / 4


def test_repeated_texts_compress_better():
    assert (compression_ratio(SAME) or 0) > 2 * (compression_ratio(DIFFERENT) or 0)


def test_only_texts_with_a_run_of_eight_words_of_another_repeat():
    run = "one two three four five six seven eight"
    assert self_repetition([run, f"so {run} again", run[:-6], "something else entirely"]) == 0.5
    assert self_repetition(SAME) == 1
    assert self_repetition(DIFFERENT) == 0


@settings(deadline=None)
@given(TEXTS)
def test_self_bleu_is_what_sacrebleu_computes_with_all_others_as_references(texts):
    bleu = BLEU(smooth_method="floor", smooth_value=0.1, effective_order=True, tokenize="none")
    tokens = [" ".join(words(text)) for text in texts]
    scores = [bleu.sentence_score(text, tokens[:i] + tokens[i + 1 :]).score / 100 for i, text in enumerate(tokens)]
    assert self_bleu(texts) == pytest.approx(sum(scores) / len(scores), abs=1e-9)


def test_self_bleu_of_identical_texts_is_1_and_of_texts_without_a_common_word_0():
    assert self_bleu(SAME) == 1
    assert self_bleu(DIFFERENT) == 0
    assert self_bleu(["alone", "?!"]) is None


def test_vendi_counts_one_for_identical_rows_and_each_for_orthogonal_ones():
    assert vendi_score(np.ones((7, 3))) == pytest.approx(1)
    assert vendi_score(np.eye(5) * 3) == pytest.approx(5)
    assert vendi_score(np.repeat(np.eye(4), 6, axis=0)) == pytest.approx(4)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32))
def test_vendi_is_the_same_from_either_product(rows, columns, seed):
    matrix = np.random.default_rng(seed).normal(size=(rows, columns))
    padded = np.pad(matrix, ((0, 0), (0, 20)))
    assert vendi_score(matrix) == pytest.approx(vendi_score(padded))
    assert 1 - 1e-9 <= vendi_score(matrix) <= rows + 1e-9


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_the_nearest_text_is_the_one_that_comparing_all_finds(queries, others):
    mine, theirs = shingled(queries, DedupSettings()), shingled(others, DedupSettings())
    places, found = nearest(mine, theirs)
    for i in range(len(queries)):
        one = set(mine.values[mine.offsets[i] : mine.offsets[i + 1]].tolist())
        sets = [set(theirs.values[a:b].tolist()) for a, b in zip(theirs.offsets, theirs.offsets[1:], strict=False)]
        alike = [
            1.0 if mine.exact[i] == theirs.exact[k] else len(one & other) / max(len(one | other), 1)
            for k, other in enumerate(sets)
        ]
        assert found[i] == pytest.approx(max(alike))
        assert places[i] == alike.index(max(alike))


def test_a_text_is_not_its_own_neighbour():
    texts = shingled(["a b c d", "a b c e", "x y z"], DedupSettings())
    places, alike = nearest(texts, texts)
    assert places[:2].tolist() == [1, 0]
    assert alike[2] == 0


def test_no_others_have_no_nearest():
    assert nearest(shingled(["a"], DedupSettings()), shingled([], DedupSettings()))[0].tolist() == [-1]


@pytest.mark.parametrize("texts", [[], ["alone"], ["", ""], ["?", "!"]])
def test_what_says_nothing_is_none(texts):
    found = measure_texts(texts)
    assert (found.records, found.distinct_1, found.self_bleu) == (len(texts), None, None)


def test_a_large_set_is_measured_by_its_first_texts():
    found = measure_texts([f"text number {n}" for n in range(MOST_TEXTS + 5)])
    assert (found.records, found.sampled) == (MOST_TEXTS + 5, MOST_TEXTS)


def test_very_long_texts_are_measured_by_fewer():
    assert measure_texts([f"{n}" + "x" * 1_500_000 for n in range(5)]).sampled == 2


def test_a_larger_set_of_equal_variety_is_compared_in_draws_of_like_size():
    rng = random.Random("vocabulary")
    texts = [" ".join(f"w{rng.randrange(300)}" for _ in range(20)) for _ in range(400)]
    small, large = measure_texts(texts[:20]), measure_texts(texts)
    like = measure_like(texts, 20, key="k")
    assert like is not None
    assert (large.distinct_1 or 1) < 0.5 * (small.distinct_1 or 0)
    assert math.isclose(like.distinct_1 or 0, small.distinct_1 or 0, rel_tol=0.05)
    assert like == measure_like(texts, 20, key="k")


def test_fewer_texts_than_seeds_have_no_draw_of_like_size():
    assert measure_like(["a b", "c d"], 3, key="k") is None
    assert measure_like(["a b", "c d"], 1, key="k") is None


def test_embeddings_give_the_vendi_score():
    found = measure_texts(["a b", "c d", "e f"], embed=lambda texts: np.eye(len(texts)))
    assert found.vendi == 3
