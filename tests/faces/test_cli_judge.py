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
    assert "mean quality 0.70; this took $0.5000" in judging_sentence(one).text("en")
    assert "judges 0.10 apart on average" in judging_sentence(several).text("en")
