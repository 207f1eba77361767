"""`datasynth notify` and `datasynth deploy`, as far as they get without a server."""

import shutil
from pathlib import Path

import pytest

from datasynth.flows.deployment_file import deployment_file
from datasynth.tasks.sources.recipes import SAMPLES


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", [["notify", "ANALYSIS"], ["deploy"]])
def test_without_an_api_the_message_says_how_to_have_one(words: list[str], cli, analysis: Path) -> None:
    ended = cli(*[str(analysis) if word == "ANALYSIS" else word for word in words])
    assert ended.exit_code == 2
    assert "No Prefect API is configured" in ended.stderr
    assert "PREFECT_API_URL" in ended.stderr


def test_an_api_that_does_not_answer_is_named(cli, analysis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    ended = cli("notify", analysis)
    assert ended.exit_code == 1
    assert "http://127.0.0.1:9/api does not answer" in ended.stderr


def test_an_analysis_that_is_not_complete_is_not_announced(cli, analysis: Path, tmp_path: Path) -> None:
    half = shutil.copytree(analysis, tmp_path / "half")
    (half / SAMPLES).unlink()
    ended = cli("notify", half)
    assert ended.exit_code == 2
    assert f"not complete: it has no {SAMPLES}" in ended.stderr


def test_what_is_no_analysis_is_not_announced(cli, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    ended = cli("notify", tmp_path / "notes")
    assert ended.exit_code == 2
    assert "notes" in ended.stderr


def test_the_deployment_file_can_be_printed_to_be_edited(cli) -> None:
    assert cli("deploy", "--show").stdout == deployment_file()


def test_a_deployment_file_that_is_not_there_is_named_before_any_server_is_asked(cli) -> None:
    ended = cli("deploy", "mine.yaml")
    assert ended.exit_code == 2
    assert "mine.yaml: no such file" in ended.stderr
