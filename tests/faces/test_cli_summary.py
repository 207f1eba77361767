"""What a run's last lines tell somebody to type: only what works, and nothing that stops at once again."""

import os
from pathlib import Path
from typing import Any

import pytest

from datasynth.cli import summary
from datasynth.cli.speech import program, speech
from datasynth.cli.summary import how_to_go_on, next_command, resume_command
from datasynth.schemas.messages import say
from datasynth.schemas.report import Counts, RunReport, Spend, StopReason
from datasynth.schemas.settings import SynthesisSettings

TYPED = ("generate", "a b", "--max-cost", "0.15", "-n", "50")


@pytest.fixture
def datacheck(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A `knowlyr-datacheck` that can be found."""
    path = tmp_path / "bin" / "knowlyr-datacheck"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def no_datacheck(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def report_with(output: str | None) -> RunReport:
    return RunReport(
        run_id="r",
        dataset="d",
        target=1,
        stopped_by="done",
        explanation=say("done"),
        simulated=True,
        kind="generic",
        language="en",
        provider="simulated",
        model="simulated",
        recipe_fingerprint="",
        source="",
        seeds_used=0,
        counts=Counts(asked=1, accepted=1),
        spend=Spend(),
        output=output,
        started_at="",
        duration_seconds=0.0,
        run_url="",
        data_url="",
    )


def next_of(made: str | None, **settings: Any) -> str | None:
    return next_command(report_with(made), SynthesisSettings(**settings))


@pytest.mark.usefixtures("datacheck")
@pytest.mark.parametrize(
    ("output", "settings", "command"),
    [
        ("an/11_合成数据/synthetic.json", {"analysis_dir": "an"}, "knowlyr-datacheck validate an"),
        ("o.json", {"analysis_dir": "an", "output": "o.json"}, "knowlyr-datacheck validate an -d o.json"),
        ("an/x.jsonl", {"analysis_dir": "an", "output_format": "jsonl"}, "datasynth validate an/x.jsonl an"),
        ("s3://b/x.json", {"analysis_dir": "an", "output": "s3://b/x.json"}, "datasynth validate s3://b/x.json an"),
        ("s3://b/a/x.json", {"analysis_dir": "s3://b/a"}, "datasynth validate s3://b/a/x.json s3://b/a"),
        ("o.json", {"schema_file": "my schema.json"}, "datasynth validate o.json 'my schema.json'"),
        ("o.json", {"record_schema": {"fields": []}}, None),
        (None, {"schema_file": "s.json"}, None),
    ],
)
def test_what_comes_next_is_a_command_that_reads_this_output(
    output: str | None, settings: dict[str, Any], command: str | None
):
    assert next_of(output, **settings) == command


@pytest.mark.usefixtures("no_datacheck")
def test_a_program_that_is_not_installed_is_not_suggested():
    assert next_of("an/synthetic.json", analysis_dir="an") == "datasynth validate an/synthetic.json an"


def went_on(monkeypatch: pytest.MonkeyPatch, stopped_by: StopReason, *typed: str, **limits: Any) -> str:
    monkeypatch.setattr(speech, "words", typed)
    return str(how_to_go_on(stopped_by, SynthesisSettings(analysis_dir="a", **limits)))


@pytest.mark.parametrize("typed", [TYPED, ("generate", "a b", "--max-cost=0.15", "-n", "50")])
def test_a_limit_that_was_met_is_shown_raised(typed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch):
    assert went_on(monkeypatch, "max_cost", *typed, max_cost=0.15) == (
        "Go on with a higher --max-cost, for example: datasynth generate 'a b' -n 50 --max-cost 0.3 --resume"
    )


def test_a_limit_from_the_settings_file_is_raised_on_the_command_line(monkeypatch: pytest.MonkeyPatch):
    said = went_on(monkeypatch, "max_tokens", "generate", "a", "--config", "c.yaml", max_tokens=3_000_000)
    assert said.endswith("datasynth generate a --config c.yaml --max-tokens 6000000 --resume")


def test_a_limit_of_nothing_is_raised_to_something(monkeypatch: pytest.MonkeyPatch):
    assert went_on(monkeypatch, "max_cost", "generate", "a", max_cost=0).endswith("--max-cost 1 --resume")


@pytest.mark.parametrize("stopped_by", ["max_minutes", "dry", "failed"])
def test_what_does_not_add_up_over_resumes_stays_as_typed(stopped_by: StopReason, monkeypatch: pytest.MonkeyPatch):
    said = went_on(monkeypatch, stopped_by, "generate", "a", "--max-minutes", "5", max_minutes=5)
    assert said == "Go on with: datasynth generate a --max-minutes 5 --resume"


def test_resume_is_said_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speech, "words", ("generate", "a", "--resume"))
    assert resume_command() == "datasynth generate a --resume"


@pytest.mark.parametrize(
    ("called", "typed"),
    [
        ("/usr/lib/pytest/__main__.py", "datasynth"),
        ("/no/where/knowlyr-datasynth", "/no/where/knowlyr-datasynth"),
        (".venv/bin/datasynth", ".venv/bin/datasynth"),
    ],
)
@pytest.mark.usefixtures("no_datacheck")
def test_a_program_off_the_path_is_named_by_its_path(called: str, typed: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", [called])
    assert program() == typed


def test_every_limit_that_adds_up_is_a_setting_and_its_option():
    assert {name: f"--{name.replace('_', '-')}" for name in summary.ADDING_UP} == summary.ADDING_UP
    assert set(summary.ADDING_UP) <= set(SynthesisSettings.model_fields)
