from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Start, starting

from datasynth.schemas.report import RunReport
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.simulated.process import SimulatedServer

KEY = "sk-test-0123456789"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def settings_for(tmp_path: Path, endpoint: SimulatedServer, examples: Path) -> Callable[..., SynthesisSettings]:
    """Settings of a run against `endpoint` over OpenAI's protocol, with a store of the test's own."""

    def make(example: str = "support_zh", **changes: Any) -> SynthesisSettings:
        values: dict[str, Any] = {
            "analysis_dir": str(examples / example),
            "target_count": 60,
            "provider": "openai",
            "model": "simulated-model",
            "base_url": f"{endpoint.url}/v1",
            "store": str(tmp_path / "store"),
            "output": str(tmp_path / "synthetic.json"),
            "retry_delay": 0.01,
        }
        return SynthesisSettings(**values | changes)

    return make


@pytest.fixture
def run(prefect: None, settings_for: Callable[..., SynthesisSettings]) -> Callable[..., RunReport]:
    """Runs the flow with changed settings."""

    def start(example: str = "support_zh", **changes: Any) -> RunReport:
        from datasynth.flows.synthesize import synthesize

        return synthesize(settings_for(example, **changes))

    return start


@pytest.fixture
def start(prefect_api: str, endpoint: SimulatedServer, examples: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts `datasynth generate` with a store as a process of its own."""
    with starting(prefect_api, endpoint, examples / "support_zh", tmp_path / "out.json") as begin:
        yield begin
