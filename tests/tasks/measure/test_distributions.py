"""How values spread over bins, for seeds and output."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.tasks.measure.distributions import MOST_BINS, MOST_DISTRIBUTIONS, ValueCounts, distributions


def counted(values: list[Any]) -> ValueCounts:
    counts = ValueCounts()
    for value in values:
        counts.add(value)
    return counts


def of(seeds: list[Any], output: list[Any], known: tuple[str, ...] = ()):
    return distributions({"f": counted(seeds)}, {"f": counted(output)}, {"f": known} if known else {})


def test_known_categories_keep_their_order_and_new_values_follow_by_frequency():
    [found] = of(["b"], ["a"] * 2 + ["x"] + ["y"] * 3, ("b", "a"))
    assert (found.what, found.labels) == ("category", ("b", "a", "y", "x"))
    assert (found.seeds, found.output, found.others) == ((1, 0, 0, 0), (0, 2, 3, 1), 0)


def test_values_beyond_the_listed_ones_are_counted_as_others():
    output = [f"v{n}" for n in range(20) for _ in range(20 - n)]
    [found] = of([], output, ("v0", "v1"))
    assert len(found.labels) == MOST_BINS
    assert sum(found.output) + found.others == len(output)


def test_texts_that_repeat_are_categories_and_others_are_measured_by_their_length():
    assert [one.what for one in of(["a"], ["a", "b", "c"] * 4)] == ["category"]
    assert [one.what for one in of(["a"], ["a", "b", "c"])] == ["length"]


def test_flags_are_categories():
    [found] = of([True], [True, False, False] * 3)
    assert dict(zip(found.labels, found.output, strict=True)) == {"false": 6, "true": 3}


def test_narrow_whole_numbers_have_a_bin_each():
    [found] = of([4], [3, 5, 5.0, 3])
    assert (found.what, found.labels, found.seeds, found.output) == ("number", ("3", "4", "5"), (0, 1, 0), (2, 0, 2))


def test_lists_are_measured_by_their_items_and_their_characters():
    turns = [{"role": "user", "content": "abc"}, {"role": "assistant", "content": "de"}]
    length, items = of([], [turns])
    assert (length.what, length.labels) == ("length", ("5",))
    assert (items.what, items.labels) == ("items", ("2",))


def test_a_tail_is_taken_by_the_last_bin():
    [found] = of([], [n / 2 for n in range(1, 200)] + [10_000.5])
    assert found.labels[-1].endswith("+")
    assert sum(found.output) == 200
    assert max(found.output[:-1]) <= 40


def test_absent_values_count_as_nothing():
    assert of([None], [None]) == ()


def test_a_dozen_distributions_are_shown_categories_first():
    fields = {f"t{n}": counted(["x" * n, "y" * (n + 1)]) for n in range(20)}
    found = distributions({name: ValueCounts() for name in [*fields, "c"]}, fields | {"c": counted([True] * 9)}, {})
    assert len(found) == MOST_DISTRIBUTIONS
    assert found[0].name == "c"


NUMBERS = st.integers(-(10**12), 10**12) | st.floats(-1e9, 1e9) | st.integers(0, 30)


@given(st.lists(NUMBERS), st.lists(NUMBERS, min_size=1))
def test_every_number_is_in_one_of_few_bins(seeds, output):
    for found in of(seeds, output):
        assert 1 <= len(found.labels) == len(found.output) == len(found.seeds) <= 21
        assert len(set(found.labels)) == len(found.labels)
        assert sum(found.output) + found.others == len(output)
        if found.what == "number":
            assert sum(found.seeds) == len(seeds)


@given(st.lists(st.text(max_size=70)), st.lists(st.text(max_size=70), min_size=1))
def test_every_text_is_in_one_of_few_bins(seeds, output):
    [found] = of(seeds, output)
    assert len(found.labels) <= 21
    assert sum(found.output) + found.others == len(output)


@pytest.mark.parametrize("value", [0, -0.0, 1e308, -1e308, 5e-324, 2**70])
def test_extreme_numbers_are_counted(value):
    assert sum(of([], [value, 1])[0].output) == 2
