"""The sample that a judge is shown, and how scores are summed up."""

from pathlib import Path

from evaluated import GOOD, worked_on, written
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.evaluation import EvaluationSettings
from datasynth.tasks.evaluate.conclusion import tenths
from datasynth.tasks.evaluate.sampling import BATCH, Sample, draw_sample, drawn


@given(st.integers(0, 500), st.integers(0, 500), st.text(max_size=3))
def test_the_sample_is_as_many_different_records_as_wanted_and_always_the_same(
    valid: int, wanted: int, key: str
) -> None:
    places = drawn(valid, wanted, key)
    assert len(set(places)) == len(places) == (min(wanted, valid) if wanted else valid)
    assert places == sorted(places)
    assert set(places) <= set(range(valid))
    assert places == drawn(valid, wanted, key)


@given(st.integers(0, 5 * BATCH))
def test_batches_hold_every_record_of_the_sample_once(records: int) -> None:
    batches = Sample(records, "x").batches
    assert [row for one in batches for row in range(one.first, one.first + one.records)] == list(range(records))
    assert [one.number for one in batches] == list(range(1, len(batches) + 1))


@given(st.lists(st.floats(0, 1).map(lambda score: round(score, 4))))
def test_every_score_is_in_one_tenth(scores: list[float]) -> None:
    assert sum(tenths(scores)) == len(scores)


def test_a_score_on_a_bound_is_in_the_tenth_that_begins_there() -> None:
    assert tenths([n / 10 for n in range(11)]) == (1,) * 9 + (2,)


def test_only_valid_records_are_shown_to_the_judge_and_the_same_request_has_one_journal(tmp_path: Path) -> None:
    bad = {"instruction": "?", "response": "", "level": "medium"}
    told = written(tmp_path, [bad, *GOOD], judge_provider="simulated")
    first = draw_sample(worked_on(EvaluationSettings.model_validate(told)))
    again = draw_sample(worked_on(EvaluationSettings.model_validate(told | {"id": "e2", "max_calls": 9})))
    twice = draw_sample(worked_on(EvaluationSettings.model_validate(told | {"id": "e3", "judges": 2})))
    assert first == again
    assert first.records == 3
    assert first.journal != twice.journal
