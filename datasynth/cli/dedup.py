"""`datasynth dedup`."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from datasynth.cli.commands import command, option
from datasynth.cli.speech import out
from datasynth.cli.which_run import on_one_line, terminal_json
from datasynth.schemas.messages import say

if TYPE_CHECKING:
    from datasynth.schemas.removal import DedupReport


@command(
    "dedup",
    short="Take near-duplicates between the runs of a data set out.",
    help="Takes out of the runs of a data set what repeats a record of an earlier run, as happens where runs were made "
    "at the same time and did not see each other. The run that started first keeps the record. What is taken out is "
    "kept in its run's folder, as removed/. Runs that have not ended are left alone.\n\nURL is the data set's folder "
    "or address in its store, such as s3://bucket/folder/name, or that of a store, for all data sets in it.",
)
@click.argument("url")
@option("--dry-run", is_flag=True, help="Say what would be taken out; change nothing.")
@option("--json", "as_json", is_flag=True, help="Print a JSON list with every record taken out, for programs.")
def dedup(url: str, dry_run: bool, as_json: bool) -> None:
    reports = _looked(url) if dry_run else _done(url)
    if as_json:
        facts = [report.model_dump(mode="json") for report in reports]
        click.echo(terminal_json(json.dumps(facts, indent=2, ensure_ascii=False)))
        return
    for report in reports:
        _show(report)


def _looked(url: str) -> "list[DedupReport]":
    # Imported when it runs: `--help` needs nothing but click, and to look needs no Prefect.
    from datasynth.tasks.rounds.deduplicating import data_sets_at, duplicates_between_runs  # noqa: PLC0415

    return [duplicates_between_runs(dataset) for dataset in data_sets_at(url)]


def _done(url: str) -> "list[DedupReport]":
    from datasynth.cli.flow_call import call_flow  # noqa: PLC0415
    from datasynth.tasks.rounds.deduplicating import data_sets_at  # noqa: PLC0415

    def flow() -> "Callable[[str], list[DedupReport]]":
        from datasynth.flows.deduplicate import deduplicate  # noqa: PLC0415

        return deduplicate

    data_sets_at(url)  # a wrong address is found before anything is started
    stopped = say("Stopped. Every run can still be read. To end what was begun, dedup again.")
    return call_flow(flow, url, stopped=[stopped])


def _show(report: "DedupReport") -> None:
    template = (
        say(
            "{dataset}: {removed} of {compared} records repeat one of an earlier run.",
            dataset=report.dataset,
            removed=f"{report.removed:,}",
            compared=f"{report.compared:,}",
        )
        if report.dry_run
        else say(
            "{dataset}: {removed} of {compared} records were taken out, for they repeat one of an earlier run.",
            dataset=report.dataset,
            removed=f"{report.removed:,}",
            compared=f"{report.compared:,}",
        )
    )
    out(template)
    for run in report.runs:
        if run.removed:
            out(
                say(
                    "  Run {run}: {removed} of {compared}",
                    run=run.run_id,
                    removed=f"{len(run.removed):,}",
                    compared=f"{run.compared:,}",
                )
            )
    for one in report.left_out:
        out(say("  Left out: run {run}, for {reason}.", run=on_one_line(one.run_id), reason=one.reason))
