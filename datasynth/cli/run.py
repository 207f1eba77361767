"""One run with everything a user of `generate` and `create` sees of it."""

import os
import sys

from rich.console import Console

from datasynth.amounts import records, records_of
from datasynth.caller import CallerProcess
from datasynth.cli.plan import KINDS, meaning_lines, model_in_words, options_without_effect, seed_lines
from datasynth.cli.speech import err, speech
from datasynth.cli.summary import resume_command, show_summary
from datasynth.launch import Stopped, Watching, launch, leave_now, with_run_id
from datasynth.outputs import check_writable
from datasynth.prefect_setup import LocalServer
from datasynth.progress import PlainLines, TerminalDisplay
from datasynth.schemas.errors import RunError
from datasynth.schemas.messages import say
from datasynth.schemas.settings import SynthesisSettings
from datasynth.source import Source, read_source
from datasynth.tasks.judge.choice import judge_endpoint
from datasynth.tasks.llm.endpoints import Endpoint, resolve_endpoint
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.report.summary import dollars
from datasynth.tasks.rounds.progress import board_of


def run(settings: SynthesisSettings, server: LocalServer | None, caller: CallerProcess | None) -> int:
    """Makes the records; returns the exit code.

    Args:
        settings: What to make.
        server: From `prefect_setup.begin`.
        caller: From `caller.begin`; it has ended when this returns.

    Raises:
        DataSynthError: before the run for bad input; after it has begun, the message also says how to go on.
    """
    try:
        prepared = prepare(settings)
    except BaseException:
        if caller is not None:
            caller.stop()
        raise
    try:
        report = launch(prepared, server, caller, _display())
    except Stopped:
        _say_stopped(prepared)
        return 1
    except RunError:
        if board_of(prepared.run_id or "").now().calls_done:
            err(say("What was paid for is kept. Go on with: {command}", command=resume_command()))
        raise
    show_summary(report, prepared)
    return 1 if report.fell_short else 0


def prepare(settings: SynthesisSettings) -> SynthesisSettings:
    """Finds everything wrong that can be found cheaply, says what the run works from, and names the run.

    Returns:
        The settings with a run id: a fresh one, or with `--resume` that of the run to go on with.
    """
    source = read_source(settings)
    endpoint = resolve_endpoint(settings)
    if settings.judging:
        judge_endpoint(settings)
    if endpoint.simulated:
        Knobs.of(settings.simulation)
    if settings.output:
        check_writable(settings.output)
    _say_opening(settings, source, endpoint)
    named, resumed = with_run_id(settings, source.recipe)
    if resumed:
        err(say("Going on with run {run}.", run=named.run_id))
    elif settings.resume and not settings.run_id:
        err(say("There is no earlier run of this recipe and these settings: starting a new one."))
    return named


def _say_opening(settings: SynthesisSettings, source: Source, endpoint: Endpoint) -> None:
    err(
        say(
            "{name}: {records} ({kind}), from {model}",
            name=source.recipe.name,
            records=records(settings.target_count),
            kind=KINDS[source.detection.kind],
            model=model_in_words(endpoint),
        )
    )
    for line in (
        *seed_lines(source),
        *options_without_effect(settings, endpoint),
        *meaning_lines(settings, source),
    ):
        err(line)


def _display() -> Watching:
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not speech.verbose:
        return TerminalDisplay(Console(stderr=True), speech.language)
    return PlainLines(err, speech.language)


def _say_stopped(settings: SynthesisSettings) -> None:
    now = board_of(settings.run_id or "").now()
    if not now.target:
        err(say("Stopped before any model was asked."))
        return
    err(
        say(
            "Stopped. Made and kept: {records}. Replies already paid for are in the journal and are not paid again.",
            records=records_of(now.accepted, settings.target_count),
        )
    )
    if now.tokens:
        spent = say("price unknown") if now.cost_usd is None else dollars(now.cost_usd)
        err(say("Spent so far: {cost} ({tokens} tokens)", cost=spent, tokens=f"{now.tokens:,}"))
    err(say("Go on with: {command}", command=resume_command()))
    sys.stderr.flush()
    # Threads may still wait for answers that nobody wants now.
    leave_now(1)
