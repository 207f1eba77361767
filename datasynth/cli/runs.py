"""`datasynth runs`."""

import json
from typing import TYPE_CHECKING

import click

from datasynth.cli.commands import command, option
from datasynth.cli.speech import in_words, out
from datasynth.cli.which_run import STATES, on_one_line, terminal_json
from datasynth.schemas.messages import Message, say

if TYPE_CHECKING:
    from datasynth.tasks.rounds.listing import RunLine

FLUSH_RIGHT = ("records", "cost")


@command(
    "runs",
    short="List the runs in a store: state, records, cost.",
    help="Lists the runs that stand in a store, oldest first: state, records made of records wanted, cost, model. An "
    "unfinished run may be one that somebody works on at this moment.\n\nURL is a store's folder or address, such as "
    "s3://bucket/folder, or that of one data set in it; by default $DATASYNTH_STORE, else ~/.datasynth/store.",
)
@click.argument("url", required=False)
@option("--json", "as_json", is_flag=True, help="Print a JSON list, for programs.")
def runs(url: str | None, as_json: bool) -> None:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.tasks.rounds.listing import list_runs  # noqa: PLC0415
    from datasynth.tasks.rounds.runs import default_store  # noqa: PLC0415

    found = list_runs(url)
    if as_json:
        facts = [line.model_dump(mode="json") for line in found]
        click.echo(terminal_json(json.dumps(facts, indent=2, ensure_ascii=False)))
    elif not found:
        out(say("There is no run in {store}.", store=url or default_store()))
    else:
        _show(found)


def _show(found: "list[RunLine]") -> None:
    from rich.cells import cell_len  # noqa: PLC0415 - `--help` needs nothing but click

    header = {
        "dataset": say("data set"),
        "run": say("run"),
        "started": say("started (UTC)"),
        "state": say("state"),
        "records": say("records"),
        "cost": say("cost"),
        "model": say("model"),
    }
    rows = [[in_words(cell) for cell in header.values()], *(_row(line) for line in found)]
    # Chinese characters are two cells wide.
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = []
        for name, cell, width in zip(header, row, widths, strict=True):
            space = " " * (width - cell_len(cell))
            cells.append(space + cell if name in FLUSH_RIGHT else cell + space)
        out("  ".join(cells).rstrip())


def _row(line: "RunLine") -> list[str]:
    if line.state == "unreadable":
        return [line.dataset, line.run_id, "", in_words(STATES[line.state]), "", "", ""]
    from datasynth.tasks.report.summary import dollars  # noqa: PLC0415

    model: Message | str = line.model
    if line.simulated and "simulated" not in line.model:
        model = say("{model} (simulated)", model=line.model)
    cells: list[Message | str] = [
        line.dataset,
        line.run_id,
        line.started_at[:16].replace("T", " "),
        STATES[line.state],
        say("{part} of {whole}", part=f"{line.records:,}", whole=f"{line.wanted:,}"),
        say("unknown") if line.cost_usd is None else dollars(line.cost_usd),
        model,
    ]
    return [on_one_line(in_words(cell)) for cell in cells]
