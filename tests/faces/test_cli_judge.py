"""What the faces say of a judge."""

from pathlib import Path

import pytest
from small_inputs import ANALYSES

from datasynth.cli import main
from datasynth.schemas.calls import Usage
from datasynth.schemas.report import Judging, Spend
from datasynth.tasks.report.summary import judging_sentence

ANALYSIS = str(ANALYSES / "support_zh")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit):
        main(["--lang", "en", "generate", ANALYSIS, "--dry-run", "-n", "50", *words], prog_name="datasynth")
    both = capsys.readouterr()
    return both.out + both.err


def test_a_dry_run_names_the_judge_its_missing_key_and_its_share(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    text = said(capsys, "-p", "simulated", "--judge-provider", "anthropic", "--judges", "3", "--min-quality", "0.6")
    assert "Judge: claude-sonnet-5-5 at anthropic, judgements of a record: 3, least quality: 0.6" in text
    assert "ANTHROPIC_API_KEY is not set" in text
    assert "of these the judge: 30 calls, " in text


def test_a_dry_run_without_a_judge_speaks_of_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert "udge" not in said(capsys, "-p", "simulated")


def test_a_quality_beyond_one_is_refused_by_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--min-quality: 7 is not allowed. Give a number from 0 to 1." in said(capsys, "--min-quality", "7")


def test_how_far_judges_are_apart_is_said_where_there_were_several() -> None:
    spend = Spend(calls=4, usage=Usage(1000, 200), cost_usd=0.5)
    one = Judging(spend=spend, scored=10, quality_sum=7.0)
    several = one.model_copy(update={"compared": 10, "spread_sum": 1.0})
    assert "mean quality 0.70; this took $0.50" in judging_sentence(one).text("en")
    assert "judges 0.10 apart on average" in judging_sentence(several).text("en")


def test_an_estimate_without_a_recipe_includes_judging(cli) -> None:
    prices = ["--input-price", "1", "--output-price", "2", "--judge-input-price", "3", "--judge-output-price", "4"]
    words = ["estimate", "-n", "100", "-p", "openai", "-m", "gpt-5.4-mini", *prices]
    plain = cli(*words).stdout
    judged = cli(*words, "--judges", "2", "--judge-model", "the-judge").stdout
    # 20 calls of 2,000 + 2,500 tokens; 40 judgements of 4,000 + 300.
    assert "Calls: about 20" in plain
    assert "$0.14" in plain
    assert "the judge" not in plain
    assert "Calls: about 60" in judged
    assert "Tokens: about 200,000 in, 62,000 out" in judged
    assert "$0.6680" in judged
    assert "of these the judge: 40 calls, 172,000 tokens, $0.5280" in judged
    assert "the-judge" in judged


def test_an_estimate_of_a_judge_that_nobody_knows_has_its_tokens_and_no_price(cli) -> None:
    judged = cli("estimate", "-n", "10", "-p", "ollama", "--min-quality", "0.5").stdout
    assert "of these the judge: 2 calls" in judged
