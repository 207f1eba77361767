"""What the tests of the faces share: a clean environment, small inputs, and the program run in this process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from datasynth.cli import main
from datasynth.tasks.llm.endpoints import PROVIDERS

ANALYSES = Path(__file__).parents[2] / "examples/datarecipe"
Cli = Callable[..., Result]

FIELDS = [
    {"name": "instruction", "type": "text", "description": "A cook's question"},
    {"name": "response", "type": "text", "description": "The answer"},
]
SEEDS = [
    {
        "instruction": "Why do my scrambled eggs turn out rubbery?",
        "response": "The heat is too high. Cook them slowly and take the pan off while they still look wet.",
    },
    {
        "instruction": "How do I keep a vinaigrette from separating?",
        "response": "Whisk mustard into the vinegar first, then add the oil in a thin stream.",
    },
]


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


def written(path: Path, content: Any) -> Path:
    """`path`, holding `content`: text as it is, anything else as JSON."""
    path.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path
