"""The start of a proportional run: which run it is, and that its data parts are what they were when it began."""

import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

from datasynth.schemas.errors import InputError
from datasynth.schemas.proportions import ProportionalReport, ProportionalSettings
from datasynth.schemas.record import content_digest
from datasynth.tasks.proportions.checking import ReadPart, root_of
from datasynth.tasks.proportions.drawing import records_digest
from datasynth.tasks.rounds.runs import RUN_ID, Run, RunCard, new_run_id, runs_of

DRAWN = "drawn.json"
"""In the run's folder: for each data part the digest of what it may draw."""


def run_to_go_on_with(settings: ProportionalSettings) -> str | None:
    """The run that `resume` means: the latest one of these parts and seeds, unfinished ones first; None without any."""
    fitting = [run for run in runs_of(root_of(settings), settings.name) if _fits(run.card, settings)]
    unfinished = [run for run in fitting if not run.finished]
    latest = (unfinished or fitting)[-1:]
    return latest[0].card.run_id if latest else None


def _fits(card: RunCard, settings: ProportionalSettings) -> bool:
    return (card.recipe_fingerprint, card.settings_fingerprint) == (settings.plan_fingerprint, settings.fingerprint)


def require_openable(settings: ProportionalSettings, parts: Sequence[ReadPart]) -> RunCard | None:
    """Makes sure that the run that `settings.run_id` names can be begun or gone on with; returns its card, if any.

    Raises:
        InputError: the id is no id, or belongs to a run of other parts; the records of a data part have changed since
            the run began.
    """
    run_id = settings.run_id or ""
    if not RUN_ID.fullmatch(run_id):
        raise InputError(
            "{run_id} cannot be a run's id. Use up to 64 letters, digits, '-' and '_', such as {example}.",
            run_id=run_id,
            example=new_run_id(),
        )
    root = root_of(settings)
    try:
        card = RunCard.model_validate_json(root.read(f"{settings.name}/runs/{run_id}/run.json"))
    except FileNotFoundError:
        return None
    if not _fits(card, settings):
        raise InputError(
            "Run {run_id} of {dataset} was put together from other parts, or with another seed or threshold. Go on "
            "with it as it was started, or start a new run without --run-id.",
            run_id=run_id,
            dataset=settings.name,
        )
    _require_unchanged(Run(root, card), parts)
    return card


def open_proportional_run(settings: ProportionalSettings, parts: Sequence[ReadPart], flow_run_id: str | None) -> Run:
    """The run that `settings` mean, as it stands in the store, or new with its card written.

    Its id is the one given; else, to resume, that of the latest fitting run; else the flow run's own, so that a retry
    by Prefect is the same run.

    Raises:
        InputError: as `require_openable`.
    """
    resumed = run_to_go_on_with(settings) if settings.resume and not settings.run_id else None
    run_id = settings.run_id or resumed or flow_run_id or new_run_id()
    card = require_openable(settings.model_copy(update={"run_id": run_id}), parts)
    if card is None:
        return _new_run(settings, parts, run_id)
    run = Run(root_of(settings), card)
    if card.target != settings.total:
        run.extend(settings.total)
    return run


def _new_run(settings: ProportionalSettings, parts: Sequence[ReadPart], run_id: str) -> Run:
    card = RunCard(
        run_id=run_id,
        dataset=settings.name,
        recipe_fingerprint=settings.plan_fingerprint,
        settings_fingerprint=settings.fingerprint,
        target=settings.total,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        nonce=secrets.token_hex(8),
    )
    run = Run(root_of(settings), card)
    run.folder.write("settings.json", orjson.dumps(told(settings), option=orjson.OPT_INDENT_2))
    run.folder.write(DRAWN, orjson.dumps(_digests(parts), option=orjson.OPT_INDENT_2))
    run.save_card()
    return run


def told(settings: ProportionalSettings) -> dict[str, object]:
    """The settings as they were told, for people and for readers of runs, who look for a provider and a threshold."""
    given = settings.model_dump(mode="json", exclude_defaults=True)
    return {"provider": "-", "dedup_threshold": settings.dedup_threshold, "proportional": given}


def _digests(parts: Sequence[ReadPart]) -> dict[str, str]:
    return {one.part.name: records_digest(one.records) for one in parts if one.existing}


def _require_unchanged(run: Run, parts: Sequence[ReadPart]) -> None:
    known = orjson.loads(run.folder.read(DRAWN))
    for name, digest in _digests(parts).items():
        if known.get(name) != digest:
            raise InputError(
                "Part {name}: its records have changed since run {run_id} began, so the same ones would not be drawn. "
                "Restore them, or start a new run.",
                name=name,
                run_id=run.card.run_id,
            )


def part_run_id(run_id: str, part: str) -> str:
    """The id of the run that makes a synthesis part: follows from that of the whole and the part's name."""
    name = re.sub("[^A-Za-z0-9]+", "-", part).strip("-")[:16]
    return "-".join(filter(None, (run_id[:36], name, content_digest([run_id, part])[:8])))


def finished_report(run: Run) -> ProportionalReport | None:
    """The report of a run that is finished; None where there is still something to do."""
    if not run.finished:
        return None
    return ProportionalReport.model_validate_json(run.folder.read("report.json"))
