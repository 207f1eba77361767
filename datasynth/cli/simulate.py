"""`datasynth simulate`."""

import click

from datasynth.cli.commands import command


@command(
    "simulate",
    short="Run the simulated model server alone.",
    help="Runs the simulated model server alone, until interrupted; no language model is behind it.",
    passes_on=True,
    # The server lists its own knobs.
    add_help_option=False,
)
@click.pass_context
def simulate(ctx: click.Context) -> int:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.tasks.llm.simulated.__main__ import main as serve  # noqa: PLC0415

    return serve(ctx.args) or 0
