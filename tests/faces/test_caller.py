"""A run's calls in a process of their own: ahead of the flow, as it asks for them, and when either ends."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from datasynth import caller, early, prefect_setup
from datasynth.caller import CallerProcess, begin
from datasynth.cli import main
from datasynth.schemas.calls import Shard
from datasynth.schemas.errors import AuthenticationError, RunError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.rounds.job import Job
from datasynth.tasks.rounds.opening import open_job
from datasynth.tasks.rounds.planning import next_round
from datasynth.tasks.rounds.prompts import shard_of
from datasynth.tasks.rounds.runs import sums
from datasynth.tasks.sources.recipes import read_recipe
from datasynth.tasks.storage.store import Store

RUN = "the-run"
Settings = Callable[..., SynthesisSettings]


@pytest.fixture
def settings(settings_for: Settings) -> Settings:
    """Of a run whose first calls are a call a record."""

    def make(**changes: Any) -> SynthesisSettings:
        return settings_for(**{"target_count": 40, "batch_size": 1, "concurrency": 4, "run_id": RUN} | changes)

    return make


@contextmanager
def going(settings: SynthesisSettings) -> Iterator[CallerProcess]:
    """A process that is on its way with the run."""
    process = begin(settings)
    assert process is not None
    try:
        process.go(settings)
        process.wait_until_open()
        yield process
    finally:
        process.stop()


def job_of(settings: SynthesisSettings) -> Job:
    """The run as the flow opens it."""
    recipe = read_recipe(settings)
    return open_job(settings, recipe, detect_kind(recipe.record_schema, recipe.seeds, settings.data_type), None)


def shards_of(job: Job, rounds: int) -> list[Shard]:
    """What the flow asks for in the round after so many."""
    return [shard_of(plan, job) for plan in next_round(job, job.run.outcomes()[:rounds])]


def replies_in(store: Path) -> int:
    return len(Journal(Store(str(store / "journal" / "support_zh" / RUN))))


def test_rounds_are_made_and_settled_before_any_flow_asks(
    settings: Settings, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    with going(settings(target_count=60)) as process:
        job = job_of(settings(target_count=60))
        while sums(job.run.outcomes()).counts.accepted < 60:
            assert not process.ended
        assert process.finished_before == 0
        assert len(job.run.outcomes()) > 1
        made = endpoint.stats()["replies"]
        assert replies_in(tmp_path / "store") == made
        for rounds in range(len(job.run.outcomes())):
            for shard in shards_of(job, rounds):
                assert all(result.reply for result in process.run(shard).results)
    assert endpoint.stats()["replies"] == made


def test_once_the_flow_asks_it_settles_the_rounds_itself(settings: Settings, endpoint: SimulatedServer) -> None:
    endpoint.set(latency=0.1)
    with going(settings(target_count=100)) as process:
        job = job_of(settings(target_count=100))
        while not endpoint.stats()["in_flight"]:
            pass
        assert job.run.outcomes() == ()
        for shard in shards_of(job, 0):
            process.run(shard)
        process.leave(1)
        assert len(job.run.outcomes()) == 1
        for shard in shards_of(job, 1):
            process.run(shard)
            process.run(shard)
        process.leave(2)
        assert len(job.run.outcomes()) == 1
    assert endpoint.stats()["repeats"] == 0
    assert endpoint.stats()["replies"] == sum(len(job.run.planned(number) or ()) for number in (1, 2))


def test_a_flow_whose_receipts_are_cached_settles_no_round_that_the_process_is_at(
    settings: Settings, endpoint: SimulatedServer
) -> None:
    endpoint.set(latency=0.1)
    with going(settings(target_count=100)) as process:
        job = job_of(settings(target_count=100))
        process.leave(1)
        # Nothing was asked of it yet, so either it had not begun with the round, or it has settled it.
        assert len(job.run.outcomes()) <= 1
        left = job.run.outcomes()
        for rounds in range(2):
            for shard in shards_of(job, rounds):
                process.run(shard)
        process.leave(2)
        assert job.run.outcomes() == left


def test_a_process_that_stops_waits_for_the_calls_in_flight_and_starts_no_others(
    settings: Settings, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    endpoint.set(latency=0.5)
    with going(settings(target_count=400)) as process:
        while not endpoint.stats()["in_flight"]:
            pass
        process.stop()
        assert process.ended
        assert not process.lost
        with pytest.raises(RunError, match="stopped"):
            process.run(shards_of(job_of(settings(target_count=400)), 0)[0])
    stats = endpoint.stats()
    assert 0 < stats["replies"] < 400
    assert stats["by_status"].get("disconnected", 0) == 0
    assert replies_in(tmp_path / "store") == stats["replies"]


def test_what_is_asked_of_a_process_that_dies_ends_with_it(settings: Settings, endpoint: SimulatedServer) -> None:
    endpoint.set(latency=0.5)
    with going(settings(target_count=400)) as process:
        while not endpoint.stats()["in_flight"]:
            pass
        shard = shards_of(job_of(settings(target_count=400)), 0)[0]
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ConnectionError):
            process.run(shard)
        assert process.lost


def test_a_refused_key_is_told_whoever_asks(settings: Settings, endpoint: SimulatedServer, key: str) -> None:
    endpoint.set(api_key="another")
    with going(settings()) as process:
        (shard, *_) = shards_of(job_of(settings()), 0)
        with pytest.raises(AuthenticationError) as caught:
            process.run(shard)
    assert endpoint.stats()["requests"] <= 4
    assert key not in str(caught.value)


def test_what_cannot_be_opened_is_left_for_the_flow_to_find(settings: Settings, tmp_path: Path) -> None:
    with going(settings(analysis_dir=str(tmp_path / "nowhere"))) as process:
        assert process.lost


def test_a_complete_run_needs_no_process(settings: Settings) -> None:
    with going(settings()) as process:
        job = job_of(settings())
        while sums(job.run.outcomes()).counts.accepted < 40:
            assert not process.ended
    with going(settings()) as process:
        assert process.lost


@pytest.mark.parametrize(
    "changes",
    [
        {"provider": "simulated", "base_url": None},
        {"batch_api": True},
        {"requests_per_minute": 60},
        {"tokens_per_minute": 10_000},
        {"max_minutes": 1.0},
        {"concurrency_limit": "shared"},
        {"judge_model": "m"},
        {"provider": "none such"},
    ],
)
def test_calls_that_the_flow_must_make_itself_have_no_process(settings: Settings, changes: dict[str, Any]) -> None:
    early.begin()
    assert begin(settings(**changes)) is None
    assert early._started == []


def test_one_that_was_never_told_to_go_ends_at_once(settings: Settings, endpoint: SimulatedServer) -> None:
    process = begin(settings())
    assert process is not None
    process.stop()
    assert process.ended
    assert endpoint.stats()["requests"] == 0


def test_bad_input_leaves_no_process_behind(key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    begun: list[CallerProcess | None] = []
    monkeypatch.setattr(caller, "begin", lambda settings: begun.append(begin(settings)) or begun[-1])
    monkeypatch.setattr(prefect_setup, "begin", lambda verbose: None)
    with pytest.raises(SystemExit) as caught:
        main(["generate", str(tmp_path / "nowhere"), "--provider", "openai", "-m", "m"])
    assert caught.value.code == 2
    assert begun[0] is not None
    assert begun[0].ended
