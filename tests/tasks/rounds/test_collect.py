"""From replies to candidates: in plan order, and every record asked for is somewhere."""

import asyncio
import contextlib
import random
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.calls import CallResult, PlannedCall, Reply, Usage
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.generate.collect import Collected, collect, readable
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.storage.store import Store

SCHEMA = RecordSchema(fields=(Field(name="a"), Field(name="b")))


def reply(text: str, stop: Any = "end", **changed: Any) -> Reply:
    return Reply(**({"text": text, "stop": stop, "usage": Usage(1, 1), "model": "m"} | changed))


def records(count: int) -> str:
    return orjson.dumps({"records": [{"a": f"a{n}", "b": f"b{n}"} for n in range(count)]}).decode()


def collected(answers: Sequence[Reply | CallResult], *, asked: int = 3, order: int = 0) -> Collected:
    """Calls 0, 1, ... that ended as `answers` say, their results in some other order."""
    calls = [PlannedCall(n, asked) for n in range(len(answers))]
    results = [a if isinstance(a, CallResult) else CallResult(n, f"k{n}") for n, a in enumerate(answers)]
    random.Random(order).shuffle(results)
    with contextlib.closing(Journal(Store(f"memory://{uuid.uuid4().hex}"))) as journal:

        async def fill() -> None:
            for n, answer in enumerate(answers):
                if isinstance(answer, Reply):
                    await journal.append(f"k{n}", answer, round=1, cost=Decimal(0))

        asyncio.run(fill())
        return collect(calls, results, journal, SCHEMA)


def test_candidates_are_in_plan_order_whatever_the_order_of_results() -> None:
    answers = [reply(records(3)) for _ in range(5)]
    first = collected(answers)
    assert first.candidates["call"].to_list() == [n for n in range(5) for _ in range(3)]
    assert first.candidates["position"].to_list() == [0, 1, 2] * 5
    for order in range(1, 4):
        assert collected(answers, order=order).candidates.equals(first.candidates)


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        (reply(records(3)), {}),
        (reply(records(1)), {"short": 2}),
        (reply(records(2)[:-20], "length"), {"truncated": 2}),
        (reply("", "length"), {"truncated": 3}),
        (reply(""), {"empty": 3}),
        (reply("I cannot help with that.", "refusal"), {"refused": 3}),
        (reply("", "tool"), {"tool_call": 3}),
        (reply("no json at all"), {"unparsable": 3}),
        (CallResult(0, None, "timeout", "no answer in time"), {"timeout": 3}),
        (CallResult(0, None, "budget", "max_cost"), {"budget": 3}),
        (CallResult(0, "a key that the journal lost"), {"stopped": 3}),
    ],
)
def test_every_way_to_bring_too_little_has_its_name(answer: Reply | CallResult, missing: dict[str, int]) -> None:
    assert dict(collected([answer]).missing) == missing


def test_what_the_endpoint_said_is_counted_by_calls() -> None:
    found = collected([CallResult(n, None, "server_error", "500: no") for n in range(3)])
    assert found.trouble == {"500: no": 3}


def test_records_beyond_what_was_asked_are_kept_and_counted() -> None:
    found = collected([reply(records(5))])
    assert (len(found.candidates), found.unasked) == (5, 2)


def test_each_reply_used_is_listed_with_its_model_once() -> None:
    found = collected([reply(records(3), model="m1"), reply("", model="m2", simulated=True)])
    assert found.replies.rows() == [("k0", "m1", False), ("k1", "m2", True)]


def test_a_round_without_any_reply_is_an_empty_frame() -> None:
    found = collected([CallResult(0, None, "connection")])
    assert found.candidates.is_empty()
    assert found.candidates.columns == ["call", "position", "record", "reply"]


@pytest.mark.parametrize(
    "value",
    ["123456789012345678901234567890", '"\\ud800"', '"\\u0000"', "NaN", "1e999", "-0", "[[[[[[]]]]]]", '{"x": null}'],
)
@pytest.mark.parametrize("frame", ['{"records": [%s]}', "[%s", "Here:\n```json\n[%s]\n```", "%s"])
def test_no_value_that_a_model_may_write_stops_a_run(value: str, frame: str) -> None:
    text = frame.replace("%s", '{"a": ' + value + ', "b": "x"}')
    found = collected([reply(text)])
    assert len(found.candidates) + sum(found.missing.values()) - found.unasked == 3


ANSWERS = st.lists(
    st.one_of(
        st.builds(
            reply,
            st.one_of(
                st.text(max_size=40),
                st.builds(records, st.integers(0, 6)),
                st.builds(lambda n, cut: records(n)[:cut], st.integers(1, 5), st.integers(0, 150)),
                st.builds(lambda n, at, c: records(n)[:at] + c + records(n)[at:], st.integers(1, 4), st.integers(0, 90),
                          st.characters()),
            ),
            st.sampled_from(["end", "length", "refusal", "tool", "other"]),
        ),
        st.builds(
            CallResult, st.just(0), st.none(), st.sampled_from(["timeout", "budget", "stopped"]), st.just("why")
        ),
    ),
    max_size=4,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(ANSWERS, st.integers(1, 5))
def test_asked_and_unasked_are_what_came_and_what_is_missing(answers: list[Any], asked: int) -> None:
    placed = [
        CallResult(n, a.reply, a.miss, a.detail) if isinstance(a, CallResult) else a for n, a in enumerate(answers)
    ]
    found = collected(placed, asked=asked)
    assert asked * len(answers) + found.unasked == len(found.candidates) + sum(found.missing.values())
    assert all(n > 0 for n in found.missing.values())


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["end", "length", "other"]))
def test_a_readable_reply_is_one_that_brings_a_candidate(text: str, stop: Any) -> None:
    answer = reply(text, stop)
    assert readable(answer, SCHEMA) == (not collected([answer]).candidates.is_empty())
