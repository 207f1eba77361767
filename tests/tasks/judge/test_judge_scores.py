"""From a judge's words to a quality: tolerant of form, strict about what is meant."""

import json
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.tasks.judge.scores import LONGEST_REASON, UNJUDGED, Score, judgement, read_scores

QUALITY = st.integers(0, 9).map(lambda n: round(n / 9, 4))


def said(*scores: Any) -> str:
    return json.dumps({"scores": list(scores)}, ensure_ascii=False)


def one(score: Any, n: Any = 1) -> dict[int, Score]:
    return read_scores(said({"n": n, "reason": "r", "score": score}))


@given(st.permutations(range(1, 7)), st.lists(st.integers(1, 10), min_size=6, max_size=6))
def test_scores_go_by_their_numbers_whatever_their_order(order: list[int], points: list[int]) -> None:
    found = read_scores(said(*({"n": n, "reason": f"r{n}", "score": points[n - 1]} for n in order)))
    assert {n: score.quality for n, score in found.items()} == {
        n + 1: round((p - 1) / 9, 4) for n, p in enumerate(points)
    }
    assert found[3].reason == "r3"


@pytest.mark.parametrize(
    ("points", "quality"), [(1, 0), (10, 1), (5.5, 0.5), ("7", 0.6667), ("7/10", 0.6667), ("8 分", 0.7778)]
)
def test_the_scale_runs_from_0_to_1_and_points_may_be_written_as_text(points: Any, quality: float) -> None:
    assert one(points)[1].quality == quality


@pytest.mark.parametrize("points", [0, 11, -3, True, None, "good", "", "7/5", [7], {"score": 7}, "70%"])
def test_points_off_the_scale_are_no_score(points: Any) -> None:
    assert one(points) == {}


@pytest.mark.parametrize("n", [1.0, "1", "#1", "Record 1", "记录 1"])
def test_a_number_may_be_written_in_any_way(n: Any) -> None:
    assert list(one(5, n)) == [1]


def test_two_scores_for_one_number_are_none() -> None:
    twice = [
        {"n": 1, "reason": "a", "score": 3},
        {"n": 1, "reason": "b", "score": 9},
        {"n": 2, "reason": "c", "score": 9},
    ]
    assert list(read_scores(said(*twice))) == [2]


def test_nothing_is_read_of_a_reply_that_counts_from_zero() -> None:
    assert read_scores(said({"n": 0, "reason": "", "score": 3}, {"n": 1, "reason": "", "score": 9})) == {}


@pytest.mark.parametrize(
    "text",
    [
        '[{"n": 1, "reason": "r", "score": 7}]',
        '```json\n{"scores": [{"n": 1, "score": 7, "reason": "r"}]}\n```',
        'Here you are:\n{"n": 1, "score": 7, "reason": "r",}',
        '<think>{"n": 1, "score": 2, "reason": "draft"}</think>{"scores": [{"n": 1, "score": 7, "reason": "r"}]}',
    ],
)
def test_the_form_of_a_reply_matters_little(text: str) -> None:
    assert read_scores(text) == {1: Score(0.6667, "r")}


def test_of_a_reply_that_was_cut_the_whole_scores_are_kept() -> None:
    assert list(read_scores('{"scores": [{"n": 1, "reason": "r", "score": 7}, {"n": 2, "rea', cut=True)) == [1]


def test_a_long_reason_is_shortened_to_one_line() -> None:
    reason = read_scores(said({"n": 1, "reason": "a\nb " * 1000, "score": 5}))[1].reason
    assert len(reason) <= LONGEST_REASON
    assert "\n" not in reason


@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    read_scores(text)


@given(st.lists(QUALITY, min_size=1, max_size=9))
def test_the_median_counts_and_the_reason_is_of_a_judge_near_it(qualities: list[float]) -> None:
    given_ = [Score(q, f"{n}") for n, q in enumerate(qualities)]
    found, middle = judgement(given_), round(median(qualities), 4)
    assert found.quality == middle
    assert abs(qualities[int(found.reason)] - middle) == min(abs(q - middle) for q in qualities)
    assert found.spread == (round(max(qualities) - min(qualities), 4) if len(qualities) > 1 else None)


def test_without_a_score_there_is_no_quality() -> None:
    assert judgement([]) == UNJUDGED
