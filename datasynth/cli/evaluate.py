"""`datasynth evaluate`."""

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from datasynth.amounts import records
from datasynth.cli.commands import command, option
from datasynth.cli.evaluate_options import evaluation_options
from datasynth.cli.setting import given, settings_options
from datasynth.cli.speech import err, in_words, out, shown_path, speech
from datasynth.cli.which_run import on_one_line, terminal_json
from datasynth.schemas.messages import Message, say

if TYPE_CHECKING:
    from datasynth.schemas.evaluation import Evaluation, EvaluationSettings, Reason
    from datasynth.tasks.evaluate.subject import Subject

MOST_REASONS = 10


@command(
    "evaluate",
    short="Measure a data set that exists, and say whether it passes.",
    help="Holds the records of a run, of all runs of a data set that have ended, or of a file against their schema and "
    "the content checks, looks for near-duplicates, measures how varied they are and, with a judge, how good. It "
    "changes none of them. The findings go into evaluations/ beside the data: evaluation.json, evaluation.md, and "
    "records.parquet with a row for each record.\n\nDATA is a run's folder or address, its id (see datasynth runs), a "
    "data set's folder in its store, or a file of records: JSON, JSON Lines or Parquet. A file needs --analysis or "
    "--schema.\n\nExit code: 0 passed or measured, 1 a gate is not met, 2 bad input.",
)
@click.argument("data")
@settings_options(*evaluation_options())
@option("--json", "as_json", is_flag=True, help="Print the whole evaluation as JSON, for programs.")
@click.pass_context
def evaluate(ctx: click.Context, data: str, as_json: bool) -> int:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.tasks.evaluate.opening import require_evaluable  # noqa: PLC0415

    settings = _settings(ctx, data)
    # Whatever is wrong is found before a server is started, and money spent.
    subject = require_evaluable(settings)
    _say_opening(subject)
    evaluation = _done(settings)
    if as_json:
        facts = evaluation.model_dump(mode="json")
        click.echo(terminal_json(json.dumps(facts, indent=2, ensure_ascii=False)))
    else:
        _show(evaluation, told=subject.notes)
    return 1 if evaluation.verdict == "failed" else 0


def _settings(ctx: click.Context, data: str) -> "EvaluationSettings":
    from datasynth.prefect_api import require_api  # noqa: PLC0415
    from datasynth.schemas.evaluation import EvaluationSettings  # noqa: PLC0415
    from datasynth.settings_input import checked  # noqa: PLC0415
    from datasynth.tasks.rounds.runs import new_run_id  # noqa: PLC0415
    from datasynth.tasks.storage.named import is_named  # noqa: PLC0415

    options = given(ctx)
    values = {field: value for field, (_, value) in options.items()} | {"data": data, "language": speech.language}
    values.setdefault("id", new_run_id())
    settings = checked(
        EvaluationSettings, values, named=lambda field: options[field][0] if field in options else field.upper()
    )
    if any(map(is_named, (data, settings.store or os.environ.get("DATASYNTH_STORE") or ""))):
        require_api(verbose=speech.verbose)
    return settings


def _say_opening(subject: "Subject") -> None:
    from datasynth.cli.plan import model_in_words  # noqa: PLC0415
    from datasynth.tasks.judge.choice import judge_endpoint  # noqa: PLC0415

    source = subject.recipe.source or subject.recipe.name
    err(
        say(
            "{data}, held against {source}",
            data=on_one_line(shown_path(subject.url)),
            source=on_one_line(shown_path(source)),
        )
    )
    if subject.settings.judging:
        wanted = subject.settings.sample
        err(
            say(
                "Judge: {model}, shown {records}",
                model=model_in_words(judge_endpoint(subject.rules)[0]),
                records=say("up to {records}", records=records(wanted)) if wanted else say("all valid records"),
            )
        )
    for note in subject.notes:
        err(note)


def _done(settings: "EvaluationSettings") -> "Evaluation":
    from datasynth.cli.flow_call import call_flow  # noqa: PLC0415

    def flow() -> "Callable[[EvaluationSettings], Evaluation]":
        from datasynth.flows.evaluate import evaluate  # noqa: PLC0415

        return evaluate

    stopped = say("Stopped. No half evaluation is left, and what the judge was paid for is kept: evaluate again.")
    return call_flow(flow, settings, stopped=[stopped])


def _show(evaluation: "Evaluation", *, told: tuple[Message, ...]) -> None:
    """Says what was found, but for the notes that were `told` before it began."""
    from datasynth.tasks.evaluate.words import (  # noqa: PLC0415
        gate_sentence,
        judged_sentences,
        paid_sentence,
        repeats_sentences,
        validity_sentences,
        verdict_sentence,
        warnings_of,
    )
    from datasynth.tasks.report import facts  # noqa: PLC0415

    for warning in warnings_of(evaluation):
        out(warning)
    out(verdict_sentence(evaluation))
    for gate in evaluation.gates:
        out(f"  {in_words(gate_sentence(gate))}")
    for sentence in validity_sentences(evaluation.validity):
        out(sentence)
    _show_reasons(evaluation.validity.reasons)
    lines: list[Message | None] = [*repeats_sentences(evaluation.repeats)]
    if evaluation.judged:
        lines += [*judged_sentences(evaluation.judged), paid_sentence(evaluation)]
    if evaluation.diversity:
        lines += facts.effective_sentences(evaluation.diversity.model_copy(update={"mean_quality": None}))
    for line in (*lines, *(note for note in evaluation.notes if note not in told)):
        if line is not None:
            out(on_one_line(line.text(speech.language)))
    out(say("Report: {path}", path=shown_path(f"{evaluation.url}/evaluation.md")))
    out(say("Records: {path}", path=shown_path(f"{evaluation.url}/records.parquet")))


def _show_reasons(reasons: "tuple[Reason, ...]") -> None:
    from datasynth.tasks.report.reasons import check_in_words  # noqa: PLC0415

    for reason in reasons[:MOST_REASONS]:
        words = check_in_words(reason.check)
        shown = "; ".join(f"{one.record}: {one.detail}" for one in reason.examples[:1])
        out(
            say(
                "  {count} × {check} ({words}), such as {example}",
                count=f"{reason.records:,}",
                check=reason.check,
                words=words or reason.check,
                example=on_one_line(shown),
            )
        )
    if (more := len(reasons) - MOST_REASONS) > 0:
        out(say("... and {count} more.", count=more))
