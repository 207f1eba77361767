"""The last lines of a run: what was made, what it cost, what was lost and why, where it is, what to do next."""

import shlex

from datasynth.cli.speech import out, shown_path, speech
from datasynth.progress import reasons_text
from datasynth.schemas.messages import Message, say
from datasynth.schemas.report import RunReport, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.report.summary import dollars, duration
from datasynth.tasks.storage.store import Store

ALL_REASONS = 20


def show_summary(report: RunReport, settings: SynthesisSettings) -> None:
    """Says how a run ended; a simulated one says so first."""
    if report.simulated:
        out(
            say(
                "Simulated: no language model wrote these records. The simulated model server made them, to try the "
                "machinery with; do not train on them."
            )
        )
    out(
        say(
            "{accepted} of {target} records accepted · {cost} · {duration}",
            accepted=f"{report.total:,}",
            target=f"{report.target:,}",
            cost=cost(report.spend),
            duration=duration(report.duration_seconds),
        )
    )
    _show_losses(report)
    _show_places(report, settings)
    if report.fell_short:
        out(report.explanation)
        out(say("Go on with: {command}", command=resume_command()))
    else:
        out(say("Next: {command}", command=next_command(report, settings)))


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
    if report.spend.possible_usd > 0:
        out(
            say(
                "Up to {cost} more is possible: calls that ended without an answer may have been billed.",
                cost=dollars(report.spend.possible_usd),
            )
        )


def cost(spend: Spend) -> Message:
    """What was paid, to the digit, or that nobody can say."""
    if spend.cost_usd is None:
        return say("price unknown ({tokens} tokens)", tokens=f"{spend.usage.total:,}")
    return say("{cost} (exact)", cost=dollars(spend.cost_usd))


def _show_places(report: RunReport, settings: SynthesisSettings) -> None:
    if report.output:
        out(say("Records: {path}", path=shown_path(report.output)))
        if settings.stats:
            stem = report.output.rsplit(".", 1)[0]
            out(say("Statistics: {path}", path=shown_path(f"{stem}.stats.json")))
    out(say("Data set: {path}", path=report.data_url))
    out(say("Report: {path}", path=Store(report.run_url).url("report.md")))


def next_command(report: RunReport, settings: SynthesisSettings) -> str:
    """What somebody does with a finished data set."""
    if settings.analysis_dir and "://" not in settings.analysis_dir and not settings.output:
        return shlex.join(["knowlyr-datacheck", "validate", settings.analysis_dir])
    if settings.schema_file and report.output:
        return shlex.join(["datasynth", "validate", shown_path(report.output), settings.schema_file])
    return shlex.join(["datasynth", "generate", "--help"]) if not report.output else shlex.join(["head", report.output])


def resume_command() -> str:
    """The command that was typed, made to go on where it stopped."""
    words = list(speech.words)
    return shlex.join(["datasynth", *words, *([] if "--resume" in words else ["--resume"])])
