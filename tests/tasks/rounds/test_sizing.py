"""How much the next round asks for, and why a run stops."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.calls import Usage
from datasynth.schemas.report import Counts, RoundOutcome, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.rounds.sizing import (
    LEAST_WAVES,
    MOST_RECORDS,
    NO_REPLY,
    answered,
    batch_size,
    round_calls,
    stop_reason,
)

REASONS = ["validate.enum", "dedup.near_duplicate", "surplus.beyond_target"]
MISSES = ["truncated", "unparsable", "short", *NO_REPLY]


def with_(**values: Any) -> SynthesisSettings:
    return SynthesisSettings.model_validate({"analysis_dir": "x"} | values)


def outcome(number: int = 1, *, limit: Any = None, trouble: str = "", **counts: Any) -> RoundOutcome:
    given_ = Counts.model_validate(counts)
    return RoundOutcome(round=number, calls=1, counts=given_, spend=Spend(usage=Usage()), limit=limit, trouble=trouble)


@st.composite
def outcomes(draw: st.DrawFn) -> list[RoundOutcome]:
    made = []
    for number in range(1, draw(st.integers(0, 4)) + 1):
        accepted = draw(st.integers(0, 200))
        rejected = draw(st.dictionaries(st.sampled_from(REASONS), st.integers(1, 200), max_size=3))
        missing = draw(st.dictionaries(st.sampled_from(MISSES), st.integers(1, 200), max_size=3))
        unasked = draw(st.integers(0, accepted))
        asked = accepted + sum(rejected.values()) + sum(missing.values()) - unasked
        made.append(
            outcome(number, asked=asked, unasked=unasked, accepted=accepted, rejected=rejected, missing=missing)
        )
    return made


@given(outcomes(), st.integers(1, 100_000), st.integers(1, 50), st.integers(1, 200), st.integers(0, 50))
def test_no_round_asks_for_more_than_what_remains_and_a_batch_a_worker(
    done: list[RoundOutcome], remaining: int, batch: int, concurrency: int, pilot: int
) -> None:
    asked = round_calls(done, with_(concurrency=concurrency, pilot=pilot), remaining=remaining, batch=batch)
    assert asked
    assert sum(asked) <= max(MOST_RECORDS, LEAST_WAVES * concurrency * batch)
    assert all(1 <= n <= batch for n in asked)
    assert sum(asked) <= remaining + batch * concurrency


@given(outcomes(), st.integers(1, 5000), st.integers(1, 20), st.integers(1, 20))
def test_an_unsteered_round_after_the_pilot_asks_for_at_least_what_remains(
    done: list[RoundOutcome], remaining: int, batch: int, concurrency: int
) -> None:
    asked = round_calls(done, with_(concurrency=concurrency, diversity_factor=0), remaining=remaining, batch=batch)
    assert sum(asked) >= min(remaining, MOST_RECORDS - batch)


@given(outcomes(), st.integers(1, 5000), st.integers(1, 20), st.integers(1, 20))
def test_a_steered_round_is_a_beginning_of_the_unsteered_one_and_never_a_small_one(
    done: list[RoundOutcome], remaining: int, batch: int, concurrency: int
) -> None:
    steered, plain = (
        round_calls(done, with_(concurrency=concurrency, diversity_factor=d), remaining=remaining, batch=batch)
        for d in (0.5, 0)
    )
    assert steered == plain[: len(steered)]
    assert len(steered) == len(plain) or len(steered) >= min(LEAST_WAVES * concurrency, len(plain) / 3)


def calls_by_round(calls: int, concurrency: int, **options: Any) -> list[int]:
    """Calls of the rounds of a run in which all is well."""
    done: list[RoundOutcome] = []
    while (left := calls - sum(o.calls for o in done)) > 0:
        asked = round_calls(done, with_(concurrency=concurrency, **options), remaining=5 * left, batch=5)
        counts = Counts(asked=sum(asked), accepted=sum(asked))
        done.append(RoundOutcome(round=len(done) + 1, calls=len(asked), counts=counts, spend=Spend()))
    return [o.calls for o in done]


@pytest.mark.parametrize(
    ("calls", "concurrency", "rounds"),
    [
        (20, 16, [20]),
        (100, 16, [100]),
        (400, 32, [160, 240]),
        (2000, 16, [128, 256, 512, 1104]),
        (2000, 128, [768, 1232]),
    ],
)
def test_a_steered_run_takes_a_few_growing_rounds_and_a_small_one_is_not_cut(
    calls: int, concurrency: int, rounds: list[int]
) -> None:
    assert calls_by_round(calls, concurrency) == rounds


@pytest.mark.parametrize("options", [{"diversity_factor": 0}, {"batch_api": True}])
def test_what_is_not_steered_or_takes_hours_a_round_is_asked_for_at_once(options: dict[str, Any]) -> None:
    assert calls_by_round(2000, 16, **options) == [2000]


def test_the_first_round_asks_for_exactly_what_is_wanted() -> None:
    assert round_calls([], with_(), remaining=23, batch=5) == [5, 5, 5, 5, 3]


def test_a_pilot_is_no_larger_than_what_is_wanted() -> None:
    assert round_calls([], with_(pilot=5), remaining=1000, batch=4) == [4] * 5
    assert round_calls([], with_(pilot=5), remaining=6, batch=4) == [4, 4]


def test_a_low_yield_asks_for_more() -> None:
    half = outcome(asked=200, accepted=100, rejected={"validate.enum": 100})
    asked = sum(round_calls([half], with_(concurrency=1000), remaining=100, batch=5))
    assert 200 <= asked <= 220


def test_one_loss_among_many_asks_for_a_few_more_so_that_no_tiny_round_follows() -> None:
    done = [outcome(asked=768, accepted=767, rejected={"dedup.near_duplicate": 1})]
    assert 1245 <= sum(round_calls(done, with_(concurrency=128, diversity_factor=0), remaining=1233, batch=1)) <= 1250


def test_what_was_beyond_the_count_lowers_no_yield() -> None:
    surplus = outcome(asked=200, accepted=100, rejected={"surplus.beyond_target": 100})
    assert sum(round_calls([surplus], with_(), remaining=10, batch=5)) == 10


def test_calls_without_a_reply_lower_no_yield() -> None:
    failed = outcome(asked=200, accepted=100, missing={"server_error": 100})
    assert answered(failed.counts) == 100
    assert sum(round_calls([failed], with_(), remaining=10, batch=5)) == 10


@pytest.mark.parametrize(("cut", "size"), [(0, 8), (2, 8), (3, 4)])
def test_the_batch_is_halved_after_a_round_with_cut_answers(cut: int, size: int) -> None:
    done = [outcome(asked=100, accepted=100 - cut, missing={"truncated": cut})]
    assert batch_size(done, with_(batch_size=8)) == size


@given(outcomes(), st.integers(1, 64))
def test_the_batch_is_never_empty_nor_larger_than_set(done: list[RoundOutcome], size: int) -> None:
    assert 1 <= batch_size(done, with_(batch_size=size)) <= size


@given(outcomes(), st.integers(0, 500))
def test_a_met_count_is_done_whatever_happened(done: list[RoundOutcome], target: int) -> None:
    stop = stop_reason(done, total=target, target=target)
    assert stop is not None
    assert stop[0] == "done"


@pytest.mark.parametrize(
    "done",
    [
        [outcome(asked=10, missing={"budget": 10}, limit=limit)]
        for limit in ("max_cost", "max_tokens", "max_calls", "max_minutes")
    ]
    + [
        [outcome(n, asked=10, missing={"timeout": 10}) for n in (1, 2)],
        [outcome(asked=300, rejected={"dedup.near_duplicate": 300})],
        [outcome(asked=300, rejected={"validate.enum": 300})],
    ],
)
def test_every_reason_has_a_sentence_in_both_languages(done: list[RoundOutcome]) -> None:
    stop = stop_reason(done, total=0, target=1)
    assert stop is not None
    assert "{" not in stop[1].text("en")
    assert stop[1].text("zh") != stop[1].text("en")


def test_a_run_that_has_not_begun_goes_on() -> None:
    assert stop_reason([], total=0, target=5) is None


@pytest.mark.parametrize("limit", ["max_cost", "max_tokens", "max_calls", "max_minutes"])
def test_a_limit_that_kept_calls_from_starting_ends_the_run_and_is_named(limit: str) -> None:
    done = [outcome(asked=10, accepted=5, missing={"budget": 5}, limit=limit)]
    stop = stop_reason(done, total=5, target=10)
    assert stop is not None
    assert stop[0] == limit
    assert f"--{limit.replace('_', '-')}" in stop[1].text()


def test_a_limit_met_before_a_resume_ends_nothing() -> None:
    done = [outcome(asked=10, accepted=5, missing={"budget": 5}, limit="max_cost")]
    assert stop_reason(done, total=5, target=10, resumed=1) is None


def test_one_round_without_any_reply_is_tried_again_and_two_are_a_failure_that_says_why() -> None:
    silent = [outcome(n, asked=10, missing={"connection": 10}, trouble="10 x no route") for n in (1, 2)]
    assert stop_reason(silent[:1], total=0, target=10) is None
    stop = stop_reason(silent, total=0, target=10)
    assert stop is not None
    assert stop[0] == "failed"
    assert "no route" in stop[1].text()


def test_failures_before_a_resume_are_forgiven() -> None:
    silent = [outcome(n, asked=10, missing={"connection": 10}) for n in (1, 2)]
    assert stop_reason(silent, total=0, target=10, resumed=2) is None
    assert stop_reason(silent, total=0, target=10, resumed=1) is None


def test_a_yield_that_collapsed_to_duplicates_says_so_and_what_to_do() -> None:
    done = [
        outcome(1, asked=1000, accepted=900, rejected={"validate.enum": 100}),
        outcome(2, asked=200, accepted=12, rejected={"dedup.near_duplicate": 188}),
    ]
    stop = stop_reason(done, total=912, target=2000)
    assert stop is not None
    assert stop[0] == "dry"
    assert "200 candidates 94 % were lost to dedup.near_duplicate: raise diversity" in stop[1].text()


def cut_off(asked: int, *, calls: int, accepted: int = 0) -> RoundOutcome:
    made = outcome(asked=asked, accepted=accepted, missing={"truncated": asked - accepted})
    return made.model_copy(update={"calls": calls})


def test_a_run_whose_replies_are_cut_off_even_one_record_a_call_ends_before_it_costs_more() -> None:
    before = [cut_off(20, calls=4), cut_off(20, calls=10)]
    stop = stop_reason([*before, cut_off(20, calls=20), cut_off(20, calls=20)], total=0, target=500)
    assert stop is not None
    assert stop[0] == "dry"
    assert "Of the last 40 replies, each asked for one record, 100 % were cut off" in stop[1].text()
    assert "--max-tokens-per-sample" in stop[1].text()


@pytest.mark.parametrize(
    "done",
    [
        [cut_off(200, calls=100, accepted=30)],
        [cut_off(60, calls=30), cut_off(20, calls=20)],
        [cut_off(50, calls=50, accepted=6)],
    ],
    ids=["several a call", "too few", "some are whole"],
)
def test_replies_that_are_cut_off_prove_nothing_else(done: list[RoundOutcome]) -> None:
    assert stop_reason(done, total=0, target=500) is None


def test_a_poor_yield_of_few_candidates_proves_nothing() -> None:
    assert stop_reason([outcome(asked=150, rejected={"validate.enum": 150})], total=0, target=10) is None


def test_records_lost_to_silent_calls_are_no_collapse() -> None:
    done = [outcome(asked=1000, accepted=30, missing={"rate_limited": 970})]
    assert stop_reason(done, total=30, target=2000) is None
