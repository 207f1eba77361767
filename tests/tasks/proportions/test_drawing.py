"""What a part may draw: filtered by plain values, each record once, in an order that the seed decides."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError
from datasynth.schemas.proportions import Part
from datasynth.tasks.proportions.drawing import drawn, records_digest
from datasynth.tasks.proportions.records import Sourced

RECORDS = [
    {"id": n, "text": f"text {n}", "level": level, "tags": tags, "score": score}
    for n, (level, tags, score) in enumerate(
        [("easy", ["a", "b"], 1), ("hard", [], 2), ("easy", ["b"], 2.0), ("medium", ["c"], True), ("easy", ["a"], None)]
    )
]


def sourced(records: list[dict[str, Any]]) -> list[Sourced]:
    return [Sourced(record, "file", f"#{n}", None) for n, record in enumerate(records, start=1)]


def part(**where: Any) -> Part:
    return Part.model_validate({"name": "p", "share": 1, "data": "x.json", "where": where})


def taken(where: dict[str, Any]) -> set[int]:
    return {one.record["id"] for one in drawn(sourced(RECORDS), part(**where), 0)}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, {0, 1, 2, 3, 4}),
        ({"level": "easy"}, {0, 2, 4}),
        ({"level": ["hard", "medium"]}, {1, 3}),
        ({"tags": "a"}, {0, 4}),
        ({"score": 2}, {1, 2}),
        ({"score": True}, {3}),
        ({"score": 1}, {0}),
        ({"score": None}, {4}),
        ({"level": "easy", "tags": ["b"]}, {0, 2}),
    ],
)
def test_a_filter_is_a_field_and_its_values(where: dict[str, Any], expected: set[int]) -> None:
    assert taken(where) == expected


@pytest.mark.parametrize("text", ["__import__('os')", "{level}", "level == 'easy'", "[a-z]+"])
def test_nothing_in_a_filter_is_evaluated(text: str) -> None:
    with pytest.raises(InputError, match=r"It is, for example: 'easy', 'hard', 'medium'"):
        taken({"level": text})


def test_a_field_that_no_record_has_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"has the field colour .*There are: id, text, level, tags, score"):
        taken({"colour": "red"})


def test_values_that_never_come_together_are_refused() -> None:
    with pytest.raises(InputError, match="all that where asks for at once"):
        taken({"level": "medium", "tags": "a"})


@given(st.lists(st.integers(0, 30), min_size=1, max_size=40), st.integers())
def test_each_record_is_drawn_once_and_the_same_way_every_time(values: list[int], seed: int) -> None:
    records = sourced([{"id": n, "text": f"{value}"} for n, value in enumerate(values)])
    order = drawn(records, part(), seed)
    assert sorted(int(one.record["text"]) for one in order) == sorted(set(values))
    assert order == drawn(records, part(), seed)


def test_another_seed_and_another_part_draw_in_another_order() -> None:
    records = sourced([{"text": f"{n}"} for n in range(50)])
    named = [(part().model_copy(update={"name": name}), seed) for name, seed in (("p", 0), ("p", 1), ("q", 0))]
    orders = [drawn(records, one, seed) for one, seed in named]
    assert len({records_digest(order) for order in orders}) == 3
