"""`datasynth convert`."""

import json
from typing import Any

import click

from datasynth.amounts import records as so_many
from datasynth.cli.commands import command, option
from datasynth.cli.speech import out, shown_path
from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import say


@command(
    "convert",
    short="Turn JSON into JSON Lines, or back.",
    help="Turns records in JSON into JSON Lines, or back; the ending of the output file says which.\n\n"
    "INPUT_FILE holds a list, a document with a list of records, or JSON Lines; wrapped records are unwrapped.",
)
@click.argument("input_file")
@option("-o", "--output", metavar="FILE", required=True, help="Output file: .json, or .jsonl for JSON Lines.")
def convert(input_file: str, output: str) -> None:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.outputs import check_writable, write_whole  # noqa: PLC0415
    from datasynth.tasks.sources.documents import names_json_lines  # noqa: PLC0415
    from datasynth.tasks.sources.records import read_records  # noqa: PLC0415

    check_writable(output)
    records = read_records(input_file)
    if not records:
        raise InputError("{path}: no record in it. Give a file with records.", path=input_file)
    write_whole(output, records_as_bytes(records, lines=names_json_lines(output)))
    out(say("{records}: {path}", records=so_many(len(records)), path=shown_path(output)))


def records_as_bytes(records: list[dict[str, Any]], *, lines: bool) -> bytes:
    """`records` as JSON Lines, or as an indented JSON list."""
    if lines:
        return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)
    return json.dumps(records, indent=2, ensure_ascii=False).encode() + b"\n"
