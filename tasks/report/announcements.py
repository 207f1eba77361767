"""How a run ended, as an event that a trigger can act on: the next link of the chain finds the data by it."""

import posixpath
from typing import Any

from datasynth.schemas.announcement import RUN_COMPLETED, RUN_FAILED, RUN_FELL_SHORT, Announcement, resource
from datasynth.schemas.proportions import ProportionalReport
from datasynth.schemas.report import RunReport

LONGEST_PROBLEM = 2000
"""Characters of a problem that are told; the flow run's own log has all of it."""


def run_ended(report: RunReport) -> Announcement:
    """The announcement of a run that wrote its report: complete, or short of its count."""
    own = {
        "source": report.source,
        "recipe_fingerprint": report.recipe_fingerprint,
        "missing": sum(report.counts.missing.values()),
        "stopped_by": report.stopped_by,
        "output": report.output,
    }
    return report_written(report, own)


def report_written(report: RunReport | ProportionalReport, own: dict[str, Any]) -> Announcement:
    """What the announcements of all runs that wrote a report say, and `own`, which only those of its kind do."""
    facts = {
        "dataset": report.dataset,
        "run_id": report.run_id,
        "model": report.model,
        "simulated": report.simulated,
        "target": report.target,
        "records": report.total,
        "asked": report.counts.asked,
        "accepted": report.counts.accepted,
        "rejected": sum(report.counts.rejected.values()),
        "cost_usd": report.spend.cost_usd,
        "explanation": str(report.explanation),
        "run_url": report.run_url,
        "data_url": report.data_url,
        "report_url": posixpath.join(report.run_url, "report.json"),
    }
    return Announcement(
        RUN_FELL_SHORT if report.fell_short else RUN_COMPLETED,
        resource("datasynth.run", f"{report.dataset}.{report.run_id}", f"{report.dataset} {report.run_id}"),
        facts | own,
    )


def run_failed(flow_run_id: str, settings: dict[str, Any], problem: str) -> Announcement:
    """The announcement of a run that ended without a report; what it was asked is all that is known of it.

    Args:
        flow_run_id: Prefect's.
        settings: As they were given, unjudged: they may be what was wrong.
        problem: In words.
    """
    told = {key: settings.get(key) for key in ("analysis_dir", "schema_file", "dataset", "run_id", "target_count")}
    name = str(told["dataset"] or told["analysis_dir"] or told["schema_file"] or "run")
    return Announcement(
        RUN_FAILED,
        resource("datasynth.flow-run", flow_run_id, name),
        {**told, "flow_run_id": flow_run_id, "problem": problem[:LONGEST_PROBLEM]},
    )
