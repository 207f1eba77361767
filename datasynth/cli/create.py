"""`datasynth create`."""

import click

from datasynth import early
from datasynth.cli.commands import command, option
from datasynth.cli.options import run_options
from datasynth.schemas.errors import InputError


@command(
    "create",
    short="Make records from a schema and seeds.",
    help="Makes records from a schema and seeds.\n\nSCHEMA_FILE is a list of fields or a JSON Schema; SEEDS_FILE holds "
    "records as JSON or JSON Lines.",
)
@click.argument("schema_file")
@click.argument("seeds_file")
@run_options(output_help="Output file; needed unless it stands in the settings file.")
@option("--config", metavar="FILE", help="Settings file: YAML, TOML or JSON; explicit options beat it.")
@option("--dry-run", is_flag=True, help="Say what would be done and what it would cost; ask no model.")
@click.pass_context
def create(ctx: click.Context, schema_file: str, seeds_file: str, config: str | None, dry_run: bool) -> int:
    if not dry_run:
        early.begin()
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.cli.making import make  # noqa: PLC0415
    from datasynth.cli.source import settings_of  # noqa: PLC0415

    settings = settings_of(ctx, {"schema_file": schema_file, "seeds_file": seeds_file}, config)
    if not dry_run and settings.output is None:
        raise InputError("datasynth create needs an output file. Give one with -o.")
    return make(settings, dry_run=dry_run)
