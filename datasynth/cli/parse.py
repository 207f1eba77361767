"""`datasynth parse`."""

import sys

import click

from datasynth.amounts import records, records_of
from datasynth.cli.commands import command, option
from datasynth.cli.options import content_options, data_type, dedup_threshold, no_validate
from datasynth.cli.setting import Setting, settings_options
from datasynth.cli.speech import out, shown_path
from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import say


@command(
    "parse",
    short="Read a pasted reply: validate, deduplicate, save.",
    help="Reads the reply to a prompt of datasynth prepare, validates its records, leaves out near-duplicates of the "
    "seeds, and saves the rest.\n\nREPLY is a text file, or - for standard input. SOURCE is a DataRecipe analysis or a "
    "schema file (.json).",
)
@click.argument("reply")
@click.argument("source")
@option("-o", "--output", metavar="FILE", required=True, help="Output file; .jsonl for JSON Lines.")
@settings_options(
    Setting("--seeds", field="seeds_file", metavar="FILE", help="Seeds, as JSON or JSON Lines; with a schema file."),
    data_type(),
    dedup_threshold(),
    no_validate(),
    *content_options(),
)
@click.pass_context
def parse(ctx: click.Context, reply: str, source: str, output: str) -> int:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.cli.source import kind_of_source, settings_of  # noqa: PLC0415
    from datasynth.interactive import read_pasted, require_something, save_pasted  # noqa: PLC0415
    from datasynth.outputs import check_writable  # noqa: PLC0415
    from datasynth.source import read_source  # noqa: PLC0415
    from datasynth.tasks.sources.documents import read_text  # noqa: PLC0415

    settings = settings_of(ctx, kind_of_source(source))
    check_writable(output)
    found = read_source(settings)
    text = _standard_input() if reply == "-" else read_text(reply)
    pasted = read_pasted(text, found.recipe, found.detection, settings)
    require_something(pasted)
    out(say("{records} kept", records=records_of(len(pasted.kept), pasted.total)))
    for line in (*pasted.invalid, *pasted.duplicates):
        out(line)
    if pasted.lost:
        out(say("{records} could not be read: {trouble}", records=records(pasted.lost), trouble=pasted.trouble))
    if not pasted.kept:
        out(say("Nothing was kept, so nothing was written."))
        return 1
    save_pasted(pasted, found.recipe, output)
    out(say("Records: {path}", path=shown_path(output)))
    return 0


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("Standard input is not UTF-8 text. Save the reply as UTF-8 and give the file.") from error
