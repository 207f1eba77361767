"""The report as files, ready to be written beside the data."""

from datasynth.schemas.messages import Language
from datasynth.schemas.report import RunReport
from datasynth.tasks.report.markdown import render_markdown
from datasynth.tasks.report.page import render_html
from datasynth.tasks.report.summary import check_counts
from datasynth.tasks.storage.json_file import json_file


def report_files(report: RunReport, language: Language = "en") -> dict[str, bytes]:
    """Content by name: `report.json`, which `RunReport.model_validate_json` reads back, `report.md` and `report.html`.

    Raises:
        RunError: the counts, of the run or of a round, do not add up.
    """
    check_counts(report.counts)
    for outcome in report.rounds:
        check_counts(outcome.counts, outcome.round)
    return {
        "report.json": json_file(report.model_dump(mode="json")),
        "report.md": render_markdown(report, language).encode(),
        "report.html": render_html(report, language).encode(),
    }
