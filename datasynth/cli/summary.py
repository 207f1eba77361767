"""The last lines of a run: what was made, what it cost, what was lost and why, where it is, what to do next."""

import shlex
import shutil

from datasynth.amounts import records_of
from datasynth.cli.speech import out, program, shown_path, speech
from datasynth.progress import reasons_text
from datasynth.schemas.messages import Message, say
from datasynth.schemas.report import RunReport, Spend, StopReason
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.report.summary import dollars, duration, judging_sentence, possible_sentences, simulated_warning
from datasynth.tasks.storage.store import Store

ALL_REASONS = 20
DATACHECK = "knowlyr-datacheck"
ADDING_UP = {"max_cost": "--max-cost", "max_tokens": "--max-tokens", "max_calls": "--max-calls"}
"""Limits that count a run's earlier processes too, so that it stops at once if it goes on with the same."""


def show_summary(report: RunReport, settings: SynthesisSettings) -> None:
    """Says how a run ended; a simulated one says so first."""
    if report.simulated:
        out(simulated_warning())
    out(
        say(
            "{records} accepted · {cost} · {duration}",
            records=records_of(report.total, report.target),
            cost=cost(report.spend),
            duration=duration(report.duration_seconds),
        )
    )
    if report.judging.scored:
        out(judging_sentence(report.judging))
    _show_losses(report)
    _show_places(report, settings)
    if report.fell_short:
        out(report.explanation)
        out(how_to_go_on(report.stopped_by, settings))
    elif command := next_command(report, settings):
        out(say("Next: {command}", command=command))


def _show_losses(report: RunReport) -> None:
    counts = report.counts
    if report.carried_over:
        out(say("  taken over from an earlier output: {count}", count=f"{report.carried_over:,}"))
    if lost := sum(counts.rejected.values()):
        reasons = reasons_text(counts.rejected, speech.language, ALL_REASONS)
        out(say("  rejected {count}: {reasons}", count=f"{lost:,}", reasons=reasons))
    if lost := sum(counts.missing.values()):
        reasons = reasons_text(counts.missing, speech.language, ALL_REASONS)
        out(say("  missing {count}: {reasons}", count=f"{lost:,}", reasons=reasons))
    for line in possible_sentences(report.spend):
        out(line)


def cost(spend: Spend) -> Message:
    """What was paid, to the digit where all of it is known, or that nobody can say."""
    if spend.cost_usd is None:
        return say("price unknown ({tokens} tokens)", tokens=f"{spend.usage.total:,}")
    if spend.possible_usd > 0:
        return say("at least {cost}", cost=dollars(spend.cost_usd))
    return say("{cost} (exact)", cost=dollars(spend.cost_usd))


def _show_places(report: RunReport, settings: SynthesisSettings) -> None:
    if report.output:
        out(say("Records: {path}", path=shown_path(report.output)))
        if settings.stats:
            # Brings Polars, which the run has imported by now.
            from datasynth.tasks.report.export import statistics_path  # noqa: PLC0415

            out(say("Statistics: {path}", path=shown_path(statistics_path(report.output))))
    out(say("Data set: {path}", path=report.data_url))
    out(say("Report: {path}", path=Store(report.run_url).url("report.html")))


def next_command(report: RunReport, settings: SynthesisSettings) -> str | None:
    """What somebody does with a finished data set; None where no command can do it."""
    source = settings.analysis_dir or settings.schema_file
    if not report.output or not source:
        return None
    output = shown_path(report.output)
    # datacheck reads synthetic.json, of local folders; with any other file it fails, or silently judges the seeds.
    local = "://" not in source and "://" not in report.output
    if settings.analysis_dir and local and settings.output_format == "json" and shutil.which(DATACHECK):
        named = ["-d", output] if settings.output else []
        return shlex.join([DATACHECK, "validate", source, *named])
    return shlex.join([program(), "validate", output, source])


def how_to_go_on(stopped_by: StopReason, settings: SynthesisSettings) -> Message:
    """What to type to make the records that are missing; a limit that was met is shown raised."""
    option = ADDING_UP.get(stopped_by)
    if option is None:
        return say("Go on with: {command}", command=resume_command())
    # Left out, it would be no limit at all for whoever copies the command.
    raised = 2 * getattr(settings, stopped_by) or 1
    command = resume_command(option, str(raised) if isinstance(raised, int) else f"{raised:.12g}")
    return say("Go on with a higher {option}, for example: {command}", option=option, command=command)


def resume_command(option: str | None = None, value: str = "") -> str:
    """The command that was typed, made to go on where it stopped, with `value` in place of that of `option`."""
    words, rest = [], iter(speech.words)
    for word in rest:
        if option and word == option:
            next(rest, None)
        elif not option or not word.startswith(f"{option}="):
            words.append(word)
    words += [option, value] if option else []
    return shlex.join([program(), *words, *([] if "--resume" in words else ["--resume"])])
