"""`datasynth estimate`."""

import click

from datasynth.cli.commands import command
from datasynth.cli.judge_options import judge_options
from datasynth.cli.options import Setting, batch_size, count, model, provider, settings_options


@command(
    "estimate",
    short="Say what a number of records usually costs.",
    help="Says what a number of records usually costs, before there is a recipe. With one, generate --dry-run counts "
    "the real prompts.",
)
@settings_options(
    count("100"),
    model(),
    provider(),
    batch_size(),
    Setting("--base-url", field="base_url", metavar="URL", help="Address of an OpenAI-compatible endpoint."),
    Setting("--input-price", field="input_price", metavar="USD", help="Price of a million input tokens."),
    Setting("--output-price", field="output_price", metavar="USD", help="Price of a million output tokens."),
    *judge_options(),
)
@click.pass_context
def estimate(ctx: click.Context) -> None:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.cli.plan import show_rule_of_thumb  # noqa: PLC0415
    from datasynth.cli.source import settings_of  # noqa: PLC0415

    # The settings want a source; an estimate has none, and reads none.
    show_rule_of_thumb(settings_of(ctx, {"analysis_dir": "."}))
