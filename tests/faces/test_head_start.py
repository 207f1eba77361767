"""The first calls of a run in a process of their own, and how they are handed over."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from datasynth import head_start, prefect_setup
from datasynth.cli import main
from datasynth.head_start import HeadStart, begin
from datasynth.schemas.errors import AuthenticationError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.rounds.progress import board_of
from datasynth.tasks.storage.store import Store

KEY = "sk-test-0123456789"
RUN = "the-run"
Settings = Callable[..., SynthesisSettings]


@pytest.fixture
def settings(endpoint: SimulatedServer, examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    def make(**changes: Any) -> SynthesisSettings:
        values: dict[str, Any] = {
            "analysis_dir": str(examples / "support_zh"),
            "target_count": 40,
            "batch_size": 1,
            "concurrency": 4,
            "provider": "openai",
            "model": "m",
            "base_url": f"{endpoint.url}/v1",
            "store": str(tmp_path / "store"),
            "output": str(tmp_path / "out.json"),
            "run_id": RUN,
        }
        return SynthesisSettings(**values | changes)

    return make


@contextmanager
def going(settings: SynthesisSettings) -> Iterator[HeadStart]:
    """A head start under way."""
    ahead = begin(settings)
    assert ahead is not None
    try:
        ahead.go(settings)
        yield ahead
    finally:
        ahead.stop()


def replies_in(store: Path) -> int:
    return len(Journal(Store(str(store / "journal" / "support_zh" / RUN))))


def test_the_first_calls_are_made_and_in_the_journal_without_a_flow(
    settings: Settings, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    with going(settings()) as ahead:
        ahead.wait_until_open()
        assert (tmp_path / "store/support_zh/runs" / RUN / "rounds/00001.plan.json").exists()
        while board_of(RUN).now().calls_done < 10:
            pass
        ahead.finish()
    made = endpoint.stats()["replies"]
    assert made >= 10
    assert replies_in(tmp_path / "store") == made


def test_a_hand_over_waits_for_the_calls_in_flight_and_starts_no_others(
    settings: Settings, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    endpoint.set(latency=0.5)
    with going(settings(target_count=400)) as ahead:
        ahead.wait_until_open()
        while not endpoint.stats()["in_flight"]:
            pass
        ahead.finish()
        ahead.finish()
    stats = endpoint.stats()
    assert 0 < stats["replies"] < 400
    assert stats["by_status"].get("disconnected", 0) == 0
    assert replies_in(tmp_path / "store") == stats["replies"]


def test_a_refused_key_is_told_once_and_not_met_again(settings: Settings, endpoint: SimulatedServer) -> None:
    endpoint.set(api_key="another")
    with going(settings()) as ahead:
        ahead.wait_until_open()
        while not endpoint.stats()["by_status"].get("401"):
            pass
        with pytest.raises(AuthenticationError) as caught:
            ahead.finish()
    assert endpoint.stats()["requests"] <= 4
    assert KEY not in str(caught.value)


def test_what_cannot_be_opened_is_left_for_the_flow_to_find(settings: Settings, tmp_path: Path) -> None:
    with going(settings(analysis_dir=str(tmp_path / "nowhere"))) as ahead:
        ahead.wait_until_open()
        ahead.finish()


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
def test_calls_that_must_wait_for_the_flow_have_no_head_start(settings: Settings, changes: dict[str, Any]) -> None:
    assert begin(settings(**changes)) is None


def test_one_that_was_never_told_to_go_ends_at_once(settings: Settings, endpoint: SimulatedServer) -> None:
    ahead = begin(settings())
    assert ahead is not None
    ahead.stop()
    assert ahead.ended
    assert endpoint.stats()["requests"] == 0


def test_bad_input_leaves_no_process_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    begun: list[HeadStart | None] = []
    monkeypatch.setattr(head_start, "begin", lambda settings: begun.append(begin(settings)) or begun[-1])
    monkeypatch.setattr(prefect_setup, "begin", lambda verbose: None)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(SystemExit) as caught:
        main(["generate", str(tmp_path / "nowhere"), "--provider", "openai", "-m", "m"])
    assert caught.value.code == 2
    assert begun[0] is not None
    assert begun[0].ended
