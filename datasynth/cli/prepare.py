"""`datasynth prepare`."""

import shlex

import click

from datasynth.amounts import records
from datasynth.cli.commands import command, option
from datasynth.cli.options import count, data_type
from datasynth.cli.setting import Setting, given, settings_options
from datasynth.cli.speech import err, program, shown_path
from datasynth.schemas.messages import say

PREPARED_RECORDS = 10
"""What a chat answers in one go; the earlier tool's number."""


@command(
    "prepare",
    short="Write a prompt to paste into a chat; no key needed.",
    help="Writes a prompt for making records by hand in any chat. datasynth parse reads the reply.\n\nSOURCE is a "
    "DataRecipe analysis or a schema file (.json).",
)
@click.argument("source")
@settings_options(
    count(str(PREPARED_RECORDS)),
    data_type(),
    Setting("--seeds", field="seeds_file", metavar="FILE", help="Seeds, as JSON or JSON Lines; with a schema file."),
)
@option("-o", "--output", metavar="FILE", help="File for the prompt; by default it goes to standard output.")
@click.pass_context
def prepare(ctx: click.Context, source: str, output: str | None) -> None:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.cli.source import kind_of_source, settings_of  # noqa: PLC0415
    from datasynth.outputs import write_whole  # noqa: PLC0415
    from datasynth.source import read_source  # noqa: PLC0415
    from datasynth.tasks.prompt.render import interactive_prompt  # noqa: PLC0415

    settings = settings_of(ctx, kind_of_source(source))
    wanted = settings.target_count if "target_count" in given(ctx) else PREPARED_RECORDS
    found = read_source(settings)
    prompt = interactive_prompt(found.recipe, found.detection, settings, wanted)
    if output:
        write_whole(output, prompt.encode())
        err(say("Prompt: {path}", path=shown_path(output)))
    else:
        click.echo(prompt, nl=False)
    err(
        say(
            "Paste the prompt into a chat; it asks for {records}. Then: {command}",
            records=records(wanted),
            command=parse_command(ctx, source),
        )
    )


def parse_command(ctx: click.Context, source: str) -> str:
    """What to type once the chat has answered, with the options that `parse` needs to judge alike."""
    options = {field: pair for field, pair in given(ctx).items() if field in ("seeds_file", "data_type")}
    words = [word for name, value in options.values() for word in (name, value)]
    return shlex.join([program(), "parse", "REPLY.txt", source, *words, "-o", "out.json"])
