"""What the tests of the faces share: a clean environment, small inputs, and the program run in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest
from click.testing import CliRunner, Result
from s3_server import S3
from small_inputs import ANALYSES, FIELDS, SEEDS, written

from datasynth.cli import main
from datasynth.tasks.llm.endpoints import PROVIDERS

Cli = Callable[..., Result]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """English, without a key, with a store of the test's own."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG", *(p.key_env for p in PROVIDERS.values() if p.key_env)):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DATASYNTH_STORE", str(tmp_path / "store"))


@pytest.fixture
def cli() -> Cli:
    """Runs the program in this process; its output and exit code are in the result."""

    def run(*words: str | Path, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words], input=stdin, prog_name="datasynth")

    return run


@pytest.fixture
def analysis() -> Path:
    """A real DataRecipe analysis in Chinese, with five seeds."""
    return ANALYSES / "support_zh"


@pytest.fixture
def schema_file(tmp_path: Path) -> Path:
    return written(tmp_path / "schema.json", {"fields": FIELDS})


@pytest.fixture
def seeds_file(tmp_path: Path) -> Path:
    return written(tmp_path / "seeds.json", SEEDS)


@pytest.fixture
def bucket(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the S3 server's bucket, which this process may use."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    yield "s3://bucket"
    fsspec.get_filesystem_class("s3").clear_instance_cache()
