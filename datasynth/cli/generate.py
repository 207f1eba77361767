"""`datasynth generate`."""

import click

from datasynth import early
from datasynth.cli.commands import command, option
from datasynth.cli.options import run_options


@command(
    "generate",
    short="Make records from a DataRecipe analysis.",
    help="Makes records from a DataRecipe analysis.\n\n"
    "ANALYSIS_DIR is the folder that knowlyr-datarecipe wrote, or its address, such as s3://bucket/folder.",
)
@click.argument("analysis_dir")
@run_options(output_help="Output file; by default ANALYSIS_DIR/11_合成数据/synthetic.json.")
@option("--config", metavar="FILE", help="Settings file: YAML, TOML or JSON; explicit options beat it.")
@option("--dry-run", is_flag=True, help="Say what would be done and what it would cost; ask no model.")
@click.pass_context
def generate(ctx: click.Context, analysis_dir: str, config: str | None, dry_run: bool) -> int:
    if not dry_run:
        early.begin()
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.cli.making import make  # noqa: PLC0415
    from datasynth.cli.source import settings_of  # noqa: PLC0415

    return make(settings_of(ctx, {"analysis_dir": analysis_dir}, config), dry_run=dry_run)
