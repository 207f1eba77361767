"""The funnel and the headline."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.calls import Usage
from datasynth.schemas.errors import RunError
from datasynth.schemas.report import Counts, Spend
from datasynth.tasks.report.summary import check_counts, dollars, duration, funnel, headline

REASONS = st.dictionaries(st.sampled_from(["a", "b", "c.d", "e.f"]), st.integers(0, 1000))


@st.composite
def adding_up(draw: st.DrawFn) -> Counts:
    rejected, missing, accepted = draw(REASONS), draw(REASONS), draw(st.integers(0, 1000))
    everything = accepted + sum(rejected.values()) + sum(missing.values())
    unasked = draw(st.integers(0, everything))
    return Counts(asked=everything - unasked, unasked=unasked, accepted=accepted, rejected=rejected, missing=missing)


@given(adding_up())
def test_counts_that_add_up_pass(counts):
    check_counts(counts)


@given(adding_up(), st.sampled_from(["asked", "unasked", "accepted"]), st.sampled_from([-1, 1]))
def test_counts_that_are_off_by_one_are_an_error(counts, field, step):
    wrong = counts.model_copy(update={field: getattr(counts, field) + step})
    with pytest.raises(RunError, match="do not add up"):
        check_counts(wrong)


@given(adding_up(), adding_up())
def test_sums_of_counts_that_add_up_add_up(one, other):
    check_counts(one + other)


def test_a_negative_count_is_an_error_even_where_the_sum_fits():
    with pytest.raises(RunError):
        check_counts(Counts(asked=1, accepted=2, missing={"short": -1}))


def test_the_error_names_the_round_and_the_figures():
    with pytest.raises(RunError, match=r"round 3 .* 10 asked \+ 0 unasked is not 9 accepted"):
        check_counts(Counts(asked=10, accepted=9), 3)


@given(adding_up())
def test_the_funnels_rows_before_the_last_sum_to_the_last(counts):
    *steps, accepted = funnel(counts)
    assert sum(row.records for row in steps) == accepted.records == counts.accepted


def test_the_most_frequent_reason_comes_first():
    counts = Counts(asked=9, accepted=1, missing={"short": 1, "empty": 3}, rejected={"validate.enum": 4})
    assert [row.reason for row in funnel(counts)] == ["", "empty", "short", "validate.enum", ""]


def test_carried_over_records_are_in_the_data_set_but_not_in_the_funnel(make_report):
    report = make_report(counts=Counts(asked=90, accepted=90), carried_over=10)
    assert report.total == 100
    assert headline(report)[0].text() == "All 100 records made."


def test_a_run_that_fell_short_says_by_how_much(make_report):
    report = make_report(counts=Counts(asked=90, accepted=90))
    assert headline(report)[0].text() == "90 of 100 records made."


def test_an_unknown_price_is_said(make_report):
    report = make_report(spend=Spend(calls=2, usage=Usage(10, 5), cost_usd=None))
    assert "Cost: unknown price (15 tokens in 2 calls)." in [s.text() for s in headline(report)]


def test_calls_without_an_answer_may_have_cost_something(make_report):
    assert any("$0.0310 more is possible" in s.text() for s in headline(make_report()))


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0.00"), (0.00123, "$0.001230"), (0.7283, "$0.7283"), (5, "$5.00"), (0.1, "$0.10"), (1234.567, "$1,234.57")],
)
def test_dollars_show_the_digits_that_matter(amount, text):
    assert dollars(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4 s"), (59.6, "1 min 0 s"), (133.4, "2 min 13 s"), (7265, "2 h 1 min")]
)
def test_a_duration_reads_as_people_say_it(seconds, text):
    assert duration(seconds).text() == text
