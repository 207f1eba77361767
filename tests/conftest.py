"""What tests of the whole share: a Prefect server, simulated endpoints and an S3 server, each real and on loopback."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import s3fs
from s3_server import S3, serve_s3

from datasynth.prefect_setup import LocalServer
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.storage import store

EXAMPLES = Path(__file__).parents[1] / "examples" / "datarecipe"


@pytest.fixture(scope="session")
def examples() -> Path:
    """The shipped analyses."""
    return EXAMPLES


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prefect API with an empty home of its own."""
    home = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(home))
        patch.delenv("PREFECT_API_URL", raising=False)
        server = LocalServer(verbose=False)
    server.wait()
    yield server.api_url
    server.stop()


@pytest.fixture(scope="session")
def prefect(prefect_api: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """This process's flows run against `prefect_api`."""
    from prefect.settings import (
        PREFECT_API_URL,
        PREFECT_HOME,
        PREFECT_LOCAL_STORAGE_PATH,
        PREFECT_LOGGING_LEVEL,
        PREFECT_LOGGING_TO_API_ENABLED,
        temporary_settings,
    )

    home = tmp_path_factory.mktemp("prefect-client")
    with temporary_settings(
        {
            PREFECT_API_URL: prefect_api,
            PREFECT_HOME: home,
            PREFECT_LOCAL_STORAGE_PATH: home / "storage",
            PREFECT_LOGGING_TO_API_ENABLED: False,
            PREFECT_LOGGING_LEVEL: "ERROR",
        }
    ):
        yield


@pytest.fixture(scope="session")
def _endpoint_process() -> Iterator[SimulatedServer]:
    with SimulatedServer.start() as server:
        yield server


@pytest.fixture
def endpoint(_endpoint_process: SimulatedServer) -> SimulatedServer:
    """A simulated endpoint that remembers nothing and has every knob at its default."""
    _endpoint_process.set(**asdict(Knobs()))
    _endpoint_process.reset()
    return _endpoint_process


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """The key in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    return "sk-test-0123456789"


@pytest.fixture
def settings_for(
    tmp_path: Path, endpoint: SimulatedServer, examples: Path, key: str
) -> Callable[..., SynthesisSettings]:
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


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A real S3 server with one empty bucket, `s3://bucket`."""
    with serve_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def at_s3(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Sets where this process looks for S3, and with what keys: those of `s3` but for `changes`."""

    def configure(**changes: str) -> None:
        for name, value in (s3.environment | changes).items():
            monkeypatch.setenv(name, value)
        # Both would remember the former place, under the same name.
        s3fs.S3FileSystem.clear_instance_cache()
        monkeypatch.setattr(store, "_answered", set[str]())

    yield configure
    s3fs.S3FileSystem.clear_instance_cache()
