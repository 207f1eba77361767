from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import Start, starting

from datasynth.schemas.report import RunReport
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.simulated.process import SimulatedServer


@pytest.fixture(autouse=True)
def _key(key: str) -> None:
    """In the environment of every flow."""


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
