"""`datasynth export`."""

from typing import TYPE_CHECKING

from datasynth.amounts import records, records_of
from datasynth.cli.commands import command, option
from datasynth.cli.speech import err, out, shown_path
from datasynth.cli.which_run import on_one_line, run_argument
from datasynth.schemas.messages import say

if TYPE_CHECKING:
    from datasynth.tasks.rounds.exporting import ExportedRun


@command(
    "export",
    short="Write a run's records as one file.",
    help="Writes the records of a run in a store as one file, whole or not at all.\n\nRUN is a run's folder or "
    "address, or its id (see datasynth runs).\n\nFormats: json (DataRecipe's synthetic.json), jsonl (the bare "
    "records), csv (safe to open in a spreadsheet), parquet; and where the data are of that kind alpaca (instruction, "
    "input, output), sharegpt (conversations), dpo or preference (prompt, chosen, rejected). These last four are JSON "
    "Lines if FILE ends in .jsonl, else a JSON list.",
)
@run_argument
@option(
    "--to",
    "form",
    metavar="FORMAT",
    required=True,
    help="json, jsonl, csv, parquet, alpaca, sharegpt, dpo or preference.",
)
@option("-o", "--output", metavar="FILE", required=True, help="The file to write: a path, or an address such as s3://.")
@option("--with-lineage", is_flag=True, help="Give each record a field _lineage: run, call, seeds, model, quality.")
@option("--unfinished", is_flag=True, help="Also write a run that has not ended, as far as it is.")
def export(
    run: str, store: str | None, dataset: str | None, form: str, output: str, with_lineage: bool, unfinished: bool
) -> None:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.outputs import check_writable  # noqa: PLC0415
    from datasynth.tasks.report.formats import format_called  # noqa: PLC0415
    from datasynth.tasks.rounds.exporting import export_run  # noqa: PLC0415
    from datasynth.tasks.rounds.listing import find_run  # noqa: PLC0415

    chosen = format_called(form)
    place = find_run(run, store=store, dataset=dataset)
    check_writable(output)
    result = export_run(place, output, chosen, with_lineage=with_lineage, unfinished=unfinished)
    _say_what_is_to_be_known(result, form, place.card.target)
    out(say("{records}: {path}", records=records(result.exported.written), path=shown_path(output)))


def _say_what_is_to_be_known(result: "ExportedRun", form: str, wanted: int) -> None:
    """Says how the file differs from what somebody may take it for."""
    from datasynth.tasks.report.summary import simulated_warning  # noqa: PLC0415 - `--help` needs nothing but click

    if result.facts.simulated:
        err(simulated_warning())
    if result.state != "finished":
        err(say("The run made {records}.", records=records_of(result.exported.written, wanted)))
    if left_out := sorted(result.exported.left_out):
        err(
            say(
                "Left out, for {format} has no place for them: {fields}",
                format=form,
                fields=on_one_line(", ".join(left_out)),
            )
        )
    if cells := result.exported.escaped:
        err(
            say(
                "An apostrophe was put before the text of {cells} cells, which a spreadsheet could take for a formula.",
                cells=f"{cells:,}",
            )
        )
