"""`datasynth validate`."""

import os

import click

from datasynth.amounts import records_of
from datasynth.cli.commands import command, option
from datasynth.cli.speech import out
from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say


@command(
    "validate",
    short="Check records against a schema, row by row.",
    help="Checks every record of a file against a schema and says what is wrong with each. Fields id and optional "
    "metadata are nobody's to judge.\n\nDATA_FILE holds JSON or JSON Lines; SCHEMA is a schema file or a DataRecipe "
    "analysis.",
)
@click.argument("data_file")
@click.argument("schema")
@option("--limit", metavar="N", help="Show at most so many bad rows; all are counted.")
def validate(data_file: str, schema: str, limit: str | None) -> int:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.cli.source import kind_of_source  # noqa: PLC0415
    from datasynth.tasks.sources.dialects import parse_record_schema  # noqa: PLC0415
    from datasynth.tasks.sources.documents import read_json  # noqa: PLC0415
    from datasynth.tasks.sources.recipes import SCHEMA  # noqa: PLC0415
    from datasynth.tasks.sources.records import named_records  # noqa: PLC0415
    from datasynth.tasks.storage.store import Store  # noqa: PLC0415
    from datasynth.tasks.validate.validator import RecordValidator, describe  # noqa: PLC0415

    most = _limit(limit)
    folder = os.path.isdir(schema) or ("://" in schema and "analysis_dir" in kind_of_source(schema))
    where = Store(schema).url(SCHEMA) if folder else schema
    whole = parse_record_schema(read_json(where), where)
    rows = [record for _, record in named_records(data_file, [field.name for field in whole.fields])]
    if not rows:
        raise InputError("{path}: no record in it. Give a file with records.", path=data_file)
    verdicts = RecordValidator(whole.only(whole.asked), repair=False).check(rows)
    bad = len(verdicts.rows_with_problems)
    for number, line in enumerate(describe(verdicts)):
        if most is not None and number >= most:
            out(say("... and {count} more.", count=bad - most))
            break
        out(line)
    out(_verdict(len(rows), bad, schema))
    return 1 if bad else 0


def _verdict(total: int, bad: int, schema: str) -> Message:
    if bad:
        shown = records_of(bad, total)
        if bad == 1:
            return say("{records} does not fit {schema}.", records=shown, schema=schema)
        return say("{records} do not fit {schema}.", records=shown, schema=schema)
    if total == 1:
        return say("The record fits {schema}.", schema=schema)
    return say("All {total} records fit {schema}.", total=f"{total:,}", schema=schema)


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal():
        raise InputError("--limit: {value} is not allowed. Give a whole number of at least 0.", value=text)
    return int(text)
