"""`datasynth validate`."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from datasynth.amounts import records, records_of
from datasynth.cli.commands import command, option
from datasynth.cli.options import content_options, data_type, decontaminate
from datasynth.cli.setting import given, settings_options
from datasynth.cli.speech import out
from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say

if TYPE_CHECKING:
    from datasynth.schemas.settings import SynthesisSettings
    from datasynth.tasks.validate.validator import Rules


@command(
    "validate",
    short="Check records against a schema, row by row.",
    help="Checks every record of a file against a schema and says what is wrong with each. Fields id and optional "
    "metadata are nobody's to judge. With an analysis, or with any option of the checks, it also says which records "
    "generate would reject though they fit; that is no failure.\n\nDATA_FILE holds JSON or JSON Lines; SCHEMA is a "
    "schema file or a DataRecipe analysis.",
)
@click.argument("data_file")
@click.argument("schema")
@option("--limit", metavar="N", help="Show at most so many bad rows; all are counted.")
@settings_options(data_type(), *content_options(), decontaminate())
@click.pass_context
def validate(ctx: click.Context, data_file: str, schema: str, limit: str | None) -> int:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.cli.source import kind_of_source, settings_of  # noqa: PLC0415
    from datasynth.tasks.sources.dialects import parse_record_schema  # noqa: PLC0415
    from datasynth.tasks.sources.documents import read_json  # noqa: PLC0415
    from datasynth.tasks.sources.recipes import SCHEMA  # noqa: PLC0415
    from datasynth.tasks.sources.records import named_records  # noqa: PLC0415
    from datasynth.tasks.storage.store import Store  # noqa: PLC0415
    from datasynth.tasks.validate.validator import (  # noqa: PLC0415
        RecordValidator,
        Verdicts,
        describe,
        with_content,
    )

    most = _limit(limit)
    settings = settings_of(ctx, kind_of_source(schema))
    folder = os.path.isdir(schema) or ("://" in schema and "analysis_dir" in kind_of_source(schema))
    where = Store(schema).url(SCHEMA) if folder else schema
    whole = parse_record_schema(read_json(where), where)
    rows = [record for _, record in named_records(data_file, [field.name for field in whole.fields])]
    if not rows:
        raise InputError("{path}: no record in it. Give a file with records.", path=data_file)
    verdicts = RecordValidator(whole.only(whole.asked), repair=False).check(rows)
    bad = len(verdicts.rows_with_problems)
    _show(describe(verdicts), bad, most)
    out(_verdict(len(rows), bad, schema))
    if (folder or given(ctx)) and (rules := _content_checks(settings)):
        poor = Verdicts(verdicts.records, verdicts.repairs, ())
        for some in rules:
            poor = with_content(poor, some)
        if count := len(set(poor.rows_with_problems) - set(verdicts.rows_with_problems)):
            out(say("Fit, but bad training data: {records}. datasynth generate would reject:", records=records(count)))
            _show(describe(poor), count, most)
    return 1 if bad else 0


def _show(lines: Iterable[Message], count: int, most: int | None) -> None:
    for number, line in enumerate(lines):
        if most is not None and number >= most:
            out(say("... and {count} more.", count=count - most))
            break
        out(line)


def _content_checks(settings: "SynthesisSettings") -> "list[Rules] | None":
    """The checks that `generate` would make with these settings; none where the analysis cannot be read."""
    from datasynth.source import read_source  # noqa: PLC0415
    from datasynth.tasks.dedup.contamination import read_evaluation_set  # noqa: PLC0415
    from datasynth.tasks.quality.evaluation import content_rules  # noqa: PLC0415
    from datasynth.tasks.quality.screening import require_checks  # noqa: PLC0415

    require_checks(settings)
    for path in settings.decontaminate:
        read_evaluation_set(path)
    try:
        source = read_source(settings)
    except InputError as error:
        # The schema could be read, and that is what was asked about.
        out(say("Content checks were left out: {error}", error=error.message))
        return None
    return content_rules(source.recipe, source.detection, settings)


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
