"""What must not be imported: each command in a process of its own, which looks at its modules afterwards."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_inputs import ANALYSES

SLOW = {"prefect", "anthropic", "openai", "aiohttp", "s3fs"}
SLOWER_THAN_HELP_MAY_BE = SLOW | {"pydantic", "polars", "numpy", "pandera", "datasketch", "rich", "yaml"}
ANALYSIS = str(ANALYSES / "support_zh")


def modules_after(code: str, cwd: Path) -> set[str]:
    """Top-level modules that a fresh interpreter has after `code`."""
    code += "\nimport sys; print('MODULES', *{name.partition('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=True)
    return set(run.stdout.splitlines()[-1].split()[1:])


def modules_of(words: list[str], cwd: Path, *, code: int = 0) -> set[str]:
    """The same after a command, which must end with `code`."""
    return modules_after(
        "from datasynth.cli import main\n"
        f"try: main({words!r}, prog_name='datasynth')\n"
        f"except SystemExit as end: assert (end.code or 0) == {code}, end.code",
        cwd,
    )


def test_importing_the_package_imports_nothing_else(tmp_path: Path):
    assert not modules_after("import datasynth; datasynth.__version__", tmp_path) & SLOWER_THAN_HELP_MAY_BE


def test_help_needs_nothing_but_click(tmp_path: Path):
    assert not modules_of(["generate", "--help"], tmp_path) & SLOWER_THAN_HELP_MAY_BE


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["generate", ANALYSIS, "--dry-run"], 0),
        (["prepare", ANALYSIS], 0),
        (["validate", f"{ANALYSIS}/09_样例数据/samples.json", ANALYSIS], 0),
        (["estimate", "-n", "1000"], 0),
        (["init"], 0),
        (["runs"], 0),
        (["preview", "no-such-run"], 2),
        (["export", "no-such-run", "--to", "csv", "-o", "out.csv"], 2),
        (["parse", f"{ANALYSIS}/09_样例数据/samples.json", ANALYSIS, "-o", "out.json"], 1),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_command_that_asks_no_model_imports_no_prefect_and_no_sdk(words: list[str], code: int, tmp_path: Path):
    assert not modules_of(words, tmp_path, code=code) & SLOW
