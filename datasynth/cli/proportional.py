"""`datasynth proportional`."""

import contextlib
import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from datasynth.cli.commands import command, option
from datasynth.cli.speech import err, out, program, speech
from datasynth.schemas.errors import InputError, RunError
from datasynth.schemas.messages import say

if TYPE_CHECKING:
    from datasynth.schemas.proportions import ProportionalReport, ProportionalSettings
    from datasynth.tasks.proportions.checking import ReadPart


@command(
    "proportional",
    short="Put one data set together from parts in given proportions.",
    help="Puts one data set together from several parts, each with its share: existing records (a run, a data set, a "
    "file), drawn without repetition, or a synthesis run of its own. What repeats a record of an earlier part is left "
    "out, and another record taken in its place.\n\nPLAN is a YAML, TOML or JSON file: name, target_count and a list "
    "of parts, each with a name, a share (or a count), and data or synthesize. Relative paths in it are relative to "
    "its folder. See docs/proportional.md.",
)
@click.argument("plan")
@option("-n", "--count", metavar="N", help="Records wanted, of all parts together; by default the plan's target_count.")
@option("--store", metavar="URL", help="Where data sets live: a folder or an address such as s3://bucket/folder.")
@option(
    "--shortfall", metavar="keep|scale", help="When a part cannot deliver: keep all, or cut until the proportions hold."
)
@option("--max-cost", metavar="USD", help="Budget of all parts together.")
@option("--run-id", metavar="ID", help="Id of the run; the same id goes on with it.")
@option("--resume", is_flag=True, help="Go on with the latest run of this plan; what was paid for is not paid again.")
@option("--dry-run", is_flag=True, help="Say what each part would get and cost; ask no model.")
@option("--json", "as_json", is_flag=True, help="Print the report as JSON, for programs.")
def proportional(
    plan: str,
    count: str | None,
    store: str | None,
    shortfall: str | None,
    max_cost: str | None,
    run_id: str | None,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.cli.proportional_plan import part_notes, read_plan, show_plan  # noqa: PLC0415
    from datasynth.tasks.proportions.checking import read_parts, require_startable  # noqa: PLC0415
    from datasynth.tasks.proportions.opening import require_openable  # noqa: PLC0415

    options = {
        "target_count": _number("--count", count, int),
        "store": store,
        "shortfall": shortfall,
        "max_cost": _number("--max-cost", max_cost, float),
        "run_id": run_id,
        "resume": resume or None,
        "language": speech.language if speech.chosen or speech.language != "en" else None,
    }
    settings = _with_blocks(read_plan(plan, options))
    parts = read_parts(settings)
    if dry_run:
        show_plan(settings, parts)
        return 0
    require_startable(parts, settings.max_cost)
    settings = _named(settings)
    require_openable(settings, parts)
    _say_opening(settings, parts)
    for note in part_notes(parts):
        err(note)
    report = _launched(settings, _runs_of(settings, parts))
    return show_end(report, as_json=as_json)


def _number(name: str, text: str | None, kind: type[int] | type[float]) -> float | None:
    """The value of an option as a number; what range it may be in, the settings say."""
    try:
        return None if text is None else kind(text)
    except ValueError:
        raise InputError(
            "{option}: {value} is no number. Give one, such as {example}.", option=name, value=text, example=kind(100)
        ) from None


def _with_blocks(settings: "ProportionalSettings") -> "ProportionalSettings":
    """Makes sure that a Prefect server answers where the plan names what is kept there; the flow reads it."""
    from datasynth.prefect_api import with_blocks  # noqa: PLC0415

    for part in settings.parts:
        if part.synthesize is not None:
            with_blocks(part.of_run(store=settings.store), verbose=speech.verbose)
    return settings


def _named(settings: "ProportionalSettings") -> "ProportionalSettings":
    """`settings` with a run id, so that the run can be watched."""
    from datasynth.tasks.proportions.opening import run_to_go_on_with  # noqa: PLC0415
    from datasynth.tasks.rounds.runs import new_run_id  # noqa: PLC0415

    if settings.run_id:
        return settings
    known = run_to_go_on_with(settings) if settings.resume else None
    if known:
        err(say("Going on with run {run}.", run=known))
    elif settings.resume:
        err(say("There is no earlier run of this plan: starting a new one."))
    return settings.model_copy(update={"run_id": known or new_run_id()})


def _say_opening(settings: "ProportionalSettings", parts: "Sequence[ReadPart]") -> None:
    from datasynth.cli.proportional_plan import opening_line, origin  # noqa: PLC0415

    err(opening_line(settings))
    for one in parts:
        wanted, held = f"{one.wanted:,}", f"{len(one.records):,}"
        if one.existing:
            err(
                say(
                    "  {part}: {wanted} wanted, {held} existing records to draw from",
                    part=one.part.name,
                    wanted=wanted,
                    held=held,
                )
            )
        else:
            err(say("  {part}: {wanted} wanted, from {origin}", part=one.part.name, wanted=wanted, origin=origin(one)))


def _runs_of(settings: "ProportionalSettings", parts: "Sequence[ReadPart]") -> dict[str, str]:
    """The runs of the synthesis parts, by part."""
    from datasynth.tasks.proportions.opening import part_run_id  # noqa: PLC0415

    return {one.part.name: part_run_id(settings.run_id or "", one.part.name) for one in parts if one.settings}


def _launched(settings: "ProportionalSettings", runs: dict[str, str]) -> "ProportionalReport":
    from datasynth.cli.flow_call import call_flow  # noqa: PLC0415
    from datasynth.cli.summary import resume_command  # noqa: PLC0415

    def flow() -> "Callable[[ProportionalSettings], ProportionalReport]":
        from datasynth.flows.proportional import proportional  # noqa: PLC0415

        return proportional

    stopped = (
        say("Stopped. What was made and paid for is kept, and is not paid again."),
        say("Go on with: {command}", command=resume_command()),
    )
    try:
        return call_flow(flow, settings, stopped=stopped, beside=_watched(runs))
    except RunError:
        err(say("What was paid for is kept. Go on with: {command}", command=resume_command()))
        raise


@contextlib.contextmanager
def _watched(runs: dict[str, str]) -> Iterator[None]:
    """A line now and then for the part that is being made; what does not move says nothing."""
    from datasynth.progress import PlainLines  # noqa: PLC0415

    with contextlib.ExitStack() as stack:
        for part, run_id in runs.items():
            stack.enter_context(PlainLines(partial(_say_of, part), speech.language).running(run_id))
        yield


def _say_of(part: str, line: str) -> None:
    err(f"{part}: {line}")


def show_end(report: "ProportionalReport", *, as_json: bool) -> int:
    """Says how a run ended; returns the exit code."""
    from datasynth.cli.which_run import terminal_json  # noqa: PLC0415

    if as_json:
        facts: dict[str, Any] = report.model_dump(mode="json")
        click.echo(terminal_json(json.dumps(facts, indent=2, ensure_ascii=False)))
    else:
        _show_summary(report)
    return 1 if report.fell_short else 0


def _show_summary(report: "ProportionalReport") -> None:
    from datasynth.cli.proportional_plan import show_table  # noqa: PLC0415
    from datasynth.cli.summary import cost, resume_command  # noqa: PLC0415
    from datasynth.tasks.proportions.telling import (  # noqa: PLC0415
        duplicate_sentences,
        part_rows,
        shortfall_sentences,
    )
    from datasynth.tasks.report.summary import duration, possible_sentences, simulated_warning  # noqa: PLC0415
    from datasynth.tasks.storage.store import Store  # noqa: PLC0415

    if report.simulated:
        out(simulated_warning())
    titles, rows = part_rows(report.parts, speech.language)
    show_table([titles, *rows], right=(2, 3, 4, 5, 6))
    for sentence in (*duplicate_sentences(report.parts), *shortfall_sentences(report.parts)):
        out(sentence)
    out(report.explanation)
    spent = duration(report.duration_seconds)
    out(say("{cost} · {duration}", cost=cost(report.spend), duration=spent))
    for line in possible_sentences(report.spend):
        out(line)
    out(say("Data set: {path}", path=report.data_url))
    out(say("Report: {path}", path=Store(report.run_url).url("report.md")))
    budget = report.settings.get("max_cost")
    if budget and any(part.stopped_by == "max_cost" for part in report.parts):
        option, raised = "--max-cost", f"{2 * budget:.12g}"
        command = resume_command(option, raised)
        out(say("Go on with a higher {option}, for example: {command}", option=option, command=command))
    elif any(part.fell_short and part.kind == "synthesis" for part in report.parts):
        out(say("Go on with: {command}", command=resume_command()))
    elif not report.fell_short:
        out(say("Next: {command}", command=shlex.join([program(), "preview", report.run_url])))
