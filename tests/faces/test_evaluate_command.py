"""`datasynth evaluate` as it is typed: what is wrong is said at once, and nothing is started for it."""

from pathlib import Path
from typing import Any

import pytest
from small_inputs import ANALYSES
from test_lightness import SLOW, modules_of

from datasynth.cli.evaluate_options import evaluation_options
from datasynth.schemas.evaluation import EvaluationSettings

ANALYSIS = str(ANALYSES / "support_zh")
FILE = f"{ANALYSIS}/09_样例数据/samples.json"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope.json", "--analysis", ANALYSIS], "nope.json: there is nothing."),
        ([FILE], "Give the analysis that they were made from (--analysis DIR) or a schema (--schema FILE)"),
        ([FILE, "--analysis", "nope"], "no such folder"),
        ([FILE, "--analysis", ANALYSIS, "--schema", "s.json"], "An analysis and a schema are given."),
        ([FILE, "--analysis", ANALYSIS, "--judges", "12"], "--judges: 12 is not allowed. Give a whole number from 1"),
        ([FILE, "--analysis", ANALYSIS, "--min-valid", "95"], "--min-valid: 95 is not allowed. Give a number from 0"),
        ([FILE, "--analysis", ANALYSIS, "--judge-model", "m"], "ANTHROPIC_API_KEY is not set"),
        ([FILE, "--analysis", ANALYSIS, "--skip-check", "all"], "--skip-check: "),
        ([ANALYSIS], "this is an analysis"),
        ([], "needs DATA"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_named_and_ends_with_2(words: list[str], said: str, cli: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    result = cli("evaluate", *words)
    assert result.exit_code == 2, result.output
    assert said in result.output


def test_bad_input_is_found_before_prefect_and_an_sdk_are_imported(tmp_path: Path):
    assert not modules_of(["evaluate", FILE], tmp_path, code=2) & SLOW
    assert not modules_of(["evaluate", FILE, "--analysis", ANALYSIS, "--judges", "12"], tmp_path, code=2) & SLOW


def test_every_option_stands_for_a_setting_and_every_setting_of_a_person_has_one():
    fields = [option.field for option in evaluation_options()]
    assert len(set(fields)) == len(fields)
    # How calls are made, which few need, stands in the form and in prefect.yaml alone; data is the argument.
    left = set(EvaluationSettings.model_fields) - set(fields)
    assert left == {
        "data", "language", "max_retries", "retry_delay", "request_timeout", "requests_per_minute",
        "tokens_per_minute", "concurrency_limit",
    }  # fmt: skip
