"""No near-duplicates stand between the runs of a data set, also of those that were made at the same time."""

from typing import Annotated

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from datasynth.schemas.form import parameter
from datasynth.schemas.removal import DedupReport
from datasynth.tasks.rounds.deduplicating import data_sets_at
from datasynth.tasks.steps import compare_runs, take_out_duplicates

Url = Annotated[str, parameter("Data set", "Its folder or s3:// address in the store; or a store, for all in it.")]
DryRun = Annotated[bool, parameter("Only look", "Say what would be taken out, and change nothing.")]


def _run_name() -> str:
    return f"dedup {flow_run.parameters['url']}"


@flow(name="dedup", flow_run_name=_run_name)
def deduplicate(url: Url, dry_run: DryRun = False) -> list[DedupReport]:
    """Takes out of each run what repeats a record of an earlier one; runs that have not ended are left alone.

    Stopped at any moment it leaves every run readable; done again it ends what it began.
    """
    log = get_run_logger()
    reports = []
    for dataset in data_sets_at(url):
        report = compare_runs(dataset)
        if not dry_run:
            report = take_out_duplicates(dataset, report)
        log.info("%s: %s of %s records repeat an earlier run's", report.dataset, report.removed, report.compared)
        for one in report.left_out:
            log.warning("%s: run %s was left out: %s", report.dataset, one.run_id, one.reason)
        reports.append(report)
    return reports
