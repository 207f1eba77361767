"""How a round's candidates are judged: no more than needed, again where a score is missing, and never for a limit."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.calls import CallResult, MissReason, Prompt, Reply, Usage
from datasynth.schemas.errors import RunError
from datasynth.tasks.judge.waves import SHOWN, SHOWN_BYTES, Examination, Scoring, groups, in_turn

Points = Callable[[int, int], int | None]
"""Points of a record, by its number and the time it is judged (from 0); None: left out of the reply."""


Misses = list[MissReason | None]
DOWN: Misses = ["server_error"] * 20
REFUSED: Misses = ["bad_request"] * 20
OVER: Misses = [None, "budget", "budget"]


class Bench:
    """Judges that answer by a rule, and what they were shown."""

    def __init__(self, points: Points, misses: Sequence[MissReason | None] = ()) -> None:
        self.points = points
        self.misses = list(misses)
        self.shown: list[list[int]] = []
        self.passes: list[int] = []
        self.indexes: list[int] = []
        self.times: dict[int, int] = {}

    def __call__(self, prompts: tuple[Prompt, ...]) -> list[tuple[CallResult, Reply | None]]:
        self.passes.append(len(prompts))
        return [self._answer(prompt) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> tuple[CallResult, Reply | None]:
        index = prompt.call.index
        self.indexes.append(index)
        numbers = [int(n) for n in re.findall(r'"n": (\d+)', prompt.user)]
        assert prompt.call.asked == len(numbers)
        self.shown.append(numbers)
        if self.misses and (miss := self.misses.pop(0)):
            return CallResult(index, None, miss, "max_calls" if miss == "budget" else "said"), None
        scores = []
        for place, number in enumerate(numbers, 1):
            time = self.times[number] = self.times.get(number, -1) + 1
            if (points := self.points(number, time)) is not None:
                scores.append({"n": place, "reason": f"r{number}", "score": points})
        return CallResult(index, f"k{index}"), Reply(json.dumps({"scores": scores}), "end", Usage(), "m")


def records(count: int) -> list[dict[str, Any]]:
    return [{"n": n} for n in range(count)]


def examined(
    bench: Bench, count: int, wanted: int, *, judges: int = 1, least: float | None = None, round: int = 1
) -> Scoring:
    examination = Examination(bench, round=round, language="en", judges=judges, least=least)
    return examination.scored(records(count), wanted)


def qualities(scoring: Scoring) -> list[float | None]:
    return [judgement.quality for judgement in scoring.judgements]


def test_only_as_many_are_judged_as_are_wanted_where_all_pass() -> None:
    bench = Bench(lambda n, t: 10)
    assert qualities(examined(bench, 100, 12, least=0.5)) == [1.0] * 12
    assert [len(shown) for shown in bench.shown] == [5, 5, 2]


def test_more_are_judged_where_some_were_refused_sized_by_how_many_passed() -> None:
    bench = Bench(lambda n, t: 10 if n % 2 else 1)
    scoring = examined(bench, 100, 10, least=0.5)
    assert sum(q == 1.0 for q in qualities(scoring)) >= 10
    assert len(scoring.judgements) == 20
    assert bench.passes == [2, 2]


def test_what_is_judged_last_is_the_last_candidate() -> None:
    scoring = examined(Bench(lambda n, t: 1), 13, 5, least=0.5)
    assert qualities(scoring) == [0.0] * 13


def test_without_a_least_quality_every_record_passes() -> None:
    assert len(examined(Bench(lambda n, t: 1), 100, 8).judgements) == 8


def test_a_record_without_a_score_is_asked_again_by_itself_and_then_given_up() -> None:
    bench = Bench(lambda n, t: None if n == 3 or (n == 1 and t == 0) else 10)
    scoring = examined(bench, 5, 5)
    assert qualities(scoring) == [1.0, 1.0, 1.0, None, 1.0]
    assert bench.shown == [[0, 1, 2, 3, 4], [1], [3]]


def test_a_reply_that_never_came_is_asked_again_record_by_record() -> None:
    bench = Bench(lambda n, t: 10, REFUSED[:1])
    assert qualities(examined(bench, 5, 5)) == [1.0] * 5
    assert bench.shown == [[0, 1, 2, 3, 4], [0], [1], [2], [3], [4]]


def test_every_judge_sees_every_record_and_each_record_the_same_mean_place() -> None:
    bench = Bench(lambda n, t: 5)
    examined(bench, 5, 5, judges=2)
    assert bench.shown == [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]]


@given(st.integers(1, 6), st.integers(0, 8))
def test_a_judges_order_is_one_of_the_same_records(size: int, judge: int) -> None:
    assert sorted(in_turn(range(size), judge)) == list(range(size))


def test_pairs_of_judges_begin_at_different_places() -> None:
    assert [in_turn(range(4), judge)[0] for judge in range(4)] == [0, 3, 2, 1]


def test_the_median_of_several_judges_decides() -> None:
    said = {0: 1, 1: 9, 2: 10}
    scoring = examined(Bench(lambda n, t: said[t]), 3, 3, judges=3, least=0.8)
    assert qualities(scoring) == [round(8 / 9, 4)] * 3
    assert scoring.judgements[0].spread == 1.0


def test_a_limit_ends_the_judging_and_says_so() -> None:
    bench = Bench(lambda n, t: 10, OVER)
    scoring = examined(bench, 15, 15, least=0.5)
    assert qualities(scoring) == [1.0] * 5 + [None] * 10
    assert scoring.limit == "max_calls"
    assert len(bench.shown) == 3


def test_a_judge_that_answers_nothing_ends_the_run_with_nothing_lost() -> None:
    with pytest.raises(RunError, match="said"):
        examined(Bench(lambda n, t: 10, DOWN), 15, 15)


def test_a_record_that_the_endpoint_refuses_for_good_does_not_end_the_run() -> None:
    scoring = examined(Bench(lambda n, t: 10, REFUSED), 15, 15)
    assert qualities(scoring) == [None] * 15
    assert scoring.trouble == "said"


def test_calls_are_numbered_apart_over_all_rounds() -> None:
    first, second = Bench(lambda n, t: 10 if n % 3 else 1), Bench(lambda n, t: 10)
    examined(first, 40, 20, least=0.5, judges=2)
    examined(second, 40, 20, judges=2, round=2)
    indexes = first.indexes + second.indexes
    assert len(set(indexes)) == len(indexes)


@given(st.integers(0, 40), st.integers(1, 40), st.integers(1, 4), st.data())
def test_judging_stops_exactly_when_enough_passed_or_none_is_left(
    count: int, wanted: int, judges: int, data: st.DataObject
) -> None:
    points = data.draw(st.lists(st.integers(1, 10), min_size=count, max_size=count))
    scoring = examined(Bench(lambda n, t: points[n]), count, wanted, judges=judges, least=0.5)
    assert qualities(scoring) == [round((p - 1) / 9, 4) for p in points[: len(scoring.judgements)]]
    passed = sum(p >= 5.5 for p in points[: len(scoring.judgements)])
    assert passed >= wanted or len(scoring.judgements) == count


@given(st.lists(st.integers(0, 2 * SHOWN_BYTES), max_size=12))
def test_long_records_are_shown_with_fewer_others(sizes: list[int]) -> None:
    texts = [{"t": "x" * size} for size in sizes]
    found = groups(range(len(texts)), texts, SHOWN)
    assert [row for group in found for row in group] == list(range(len(texts)))
    for group in found:
        assert len(group) <= SHOWN
        assert len(group) == 1 or sum(sizes[row] for row in group) <= SHOWN_BYTES
