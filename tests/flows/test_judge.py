"""A judge in the main job: what it refuses, what it costs, and that no judgement is paid for twice."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outcomes import adds_up, data_set
from processes import CONCURRENCY, RUN, Start, await_replies, finished, parts

from datasynth.schemas.report import RunReport
from datasynth.tasks.llm.simulated.process import SimulatedServer

Run = Callable[..., RunReport]
ROUND_ONE = 40
"""Calls that write the first round of a process's run: 120 records, three a call."""


def test_records_that_two_of_three_judges_find_poor_are_left_out_and_everything_is_accounted_for(
    run: Run, endpoint: SimulatedServer
) -> None:
    endpoint.set(rate_poor=0.3, judge_noise=1.0, rate_duplicate=0.1, rate_malformed=0.05)
    prices = {"input_price": 1.0, "output_price": 5.0, "judge_input_price": 2.0, "judge_output_price": 9.0}
    report = run(target_count=40, judges=3, min_quality=0.5, judge_model="judge", **prices)
    qualities = data_set(report)["_lineage"].struct.field("quality")
    billed = endpoint.stats()
    assert (report.total, adds_up(report)) == (40, True)
    assert qualities.null_count() == 0
    assert qualities.min() >= 0.5  # type: ignore[operator]
    assert report.counts.rejected["judge.below_quality"] > 0
    assert report.spend.calls == billed["replies"]
    assert report.spend.usage.total == sum(billed["tokens"].values())
    assert 0 < report.judging.spend.calls < report.spend.calls
    assert report.judging.mean_spread is not None
    assert report.estimate is not None
    assert report.estimate.judging_calls == 24
    assert "Judged: " in Path(report.run_url, "report.md").read_text()
    assert json.loads(Path(report.run_url, "report.json").read_bytes())["judging"]["scored"] == report.judging.scored


@pytest.mark.parametrize("limit", [{"max_calls": 14}, {"max_tokens": 110_000}, {"max_cost": 0.25}])
def test_a_limit_holds_for_writing_and_judging_together_and_what_was_written_is_judged(
    limit: dict[str, Any], run: Run, endpoint: SimulatedServer
) -> None:
    report = run(
        target_count=2000, input_price=1.0, output_price=2.0, max_tokens_per_sample=400, concurrency=2, min_quality=0.2,
        **limit,
    )  # fmt: skip
    billed = endpoint.stats()
    tokens = billed["tokens"]
    cost = ((tokens["input"] + tokens["cache_read"]) * 1.0 + tokens["output"] * 2.0) / 1e6
    assert report.stopped_by == next(iter(limit))
    assert billed["replies"] <= limit.get("max_calls", 10**9)
    assert sum(tokens.values()) <= limit.get("max_tokens", 10**9)
    assert cost <= limit.get("max_cost", 10**9)
    assert report.counts.accepted >= 10
    assert report.counts.rejected.get("judge.unjudged", 0) <= 5


def test_a_run_killed_while_it_judges_pays_no_judgement_twice_and_ends_with_the_same_bytes(
    start: Start, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    endpoint.set(rate_poor=0.2, latency=0.02)
    options = ("--min-quality", "0.5", "--run-id", RUN)
    finished(start(str(tmp_path / "whole"), *options))
    whole = endpoint.stats()["replies"]
    endpoint.reset()
    for replies in (ROUND_ONE + 3, ROUND_ONE + 12):
        killed = start(str(tmp_path / "killed"), *options)
        await_replies(endpoint, killed, replies)
        killed.kill()
        killed.wait()
    finished(start(str(tmp_path / "killed"), "--min-quality", "0.5", "--resume"))
    assert endpoint.stats()["repeats"] <= 2 * CONCURRENCY
    assert endpoint.stats()["distinct"] == whole
    assert parts(tmp_path / "killed") == parts(tmp_path / "whole")
