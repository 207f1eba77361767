"""What is told of a run that ended."""

import orjson
import pytest

from datasynth.schemas.announcement import RUN_COMPLETED, RUN_FELL_SHORT
from datasynth.tasks.report.announcements import LONGEST_PROBLEM, run_ended, run_failed


@pytest.mark.parametrize(("target", "event"), [(100, RUN_COMPLETED), (101, RUN_FELL_SHORT)])
def test_a_run_that_met_its_count_completed_and_another_fell_short(target: int, event: str, make_report) -> None:
    assert run_ended(make_report(target=target)).event == event


def test_the_counts_told_add_up_and_the_data_can_be_found(make_report) -> None:
    told = run_ended(make_report()).payload
    assert told["asked"] + make_report().counts.unasked == told["accepted"] + told["rejected"] + told["missing"]
    assert told["data_url"] == "/store/support_zh/runs/20260101-abc/data"


def test_what_is_told_is_json(make_report) -> None:
    told = run_ended(make_report()).payload
    assert orjson.loads(orjson.dumps(told)) == told


def test_a_failure_tells_what_was_asked_for_without_seeds_and_not_endlessly() -> None:
    settings = {"analysis_dir": "s3://b/a", "seeds": [{"q": "secret"}], "target_count": 5}
    told = run_failed("id", settings, "x" * 9999).payload
    assert (told["analysis_dir"], told["target_count"], len(told["problem"])) == ("s3://b/a", 5, LONGEST_PROBLEM)
    assert "seeds" not in told
