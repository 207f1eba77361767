"""Shares become whole numbers that add up, and scaled ones keep the proportions."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError
from datasynth.schemas.proportions import ProportionalSettings
from datasynth.tasks.proportions.apportion import largest_remainder, scaled, whole_numbers

WEIGHTS = st.lists(st.fractions(min_value=Fraction(1, 1000), max_value=1000), min_size=1, max_size=8)


def settings(total: int | None, *parts: dict[str, Any], **changes: Any) -> ProportionalSettings:
    given = [{"name": f"p{n}", "data": "x.json", **part} for n, part in enumerate(parts)]
    return ProportionalSettings.model_validate({"name": "mix", "target_count": total, "parts": given, **changes})


@given(st.integers(0, 100_000), WEIGHTS)
def test_whole_numbers_add_up_and_each_is_less_than_one_off_its_quota(total: int, weights: list[Fraction]) -> None:
    numbers = largest_remainder(total, weights)
    assert sum(numbers) == total
    for number, weight in zip(numbers, weights, strict=True):
        assert abs(number - total * weight / sum(weights)) < 1


@given(st.integers(0, 10_000), WEIGHTS, st.integers(1, 1000))
def test_weights_of_another_unit_are_the_same_shares(total: int, weights: list[Fraction], unit: int) -> None:
    assert largest_remainder(total, weights) == largest_remainder(total, [weight * unit for weight in weights])


def test_of_equal_remainders_the_earlier_part_gets_more() -> None:
    assert largest_remainder(10, [Fraction(1)] * 3) == [4, 3, 3]


def test_counts_stay_and_shares_divide_the_rest() -> None:
    parts = {"share": 0.1}, {"count": 40}, {"share": 0.2}
    assert whole_numbers(settings(100, *parts)) == [20, 40, 40]


def test_counts_alone_need_no_total() -> None:
    assert settings(None, {"count": 3}, {"count": 4}).total == 7


@pytest.mark.parametrize(
    ("total", "parts"),
    [
        (8, [{"count": 3}, {"count": 4}]),
        (None, [{"count": 3}, {"share": 1}]),
        (3, [{"count": 3}, {"share": 1}]),
    ],
)
def test_totals_that_cannot_be_met_are_refused(total: int | None, parts: list[dict[str, Any]]) -> None:
    with pytest.raises(InputError, match=r"records"):
        settings(total, *parts)


@given(st.data())
def test_scaled_numbers_are_the_largest_in_proportion_that_are_there(data: st.DataObject) -> None:
    shares = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    plan = settings(data.draw(st.integers(1, 300)), *({"share": share} for share in shares))
    made = [data.draw(st.integers(0, n)) for n in whole_numbers(plan)]
    numbers = scaled(plan, made)
    weights = [Fraction(share) for share in shares]
    assert all(n <= there for n, there in zip(numbers, made, strict=True))
    assert numbers == largest_remainder(sum(numbers), weights)
    for more in range(sum(numbers) + 1, plan.total + 1):
        assert any(n > there for n, there in zip(largest_remainder(more, weights), made, strict=True))


def test_where_a_part_has_a_count_the_numbers_wanted_are_the_proportions() -> None:
    assert scaled(settings(None, {"count": 10}, {"count": 20}), [5, 20]) == [5, 11]
