"""A run on storage: its card, its ledger of rounds, and which run a request means.

    <store>/<dataset>/runs/<run>/run.json                what it is; written first
                                /rounds/00001.plan.json  a round's calls, before the first one leaves
                                /rounds/00001.json       its outcome, after its parts: the round is finished
                                /data/part-00001.parquet, /rejected/part-00001.parquet
                                /manifest.json           written last: the run is finished
    <store>/<dataset>/index/<run>-00001.npz              signatures, for the runs to come (.simulated.npz where no
                                                         language model wrote the records)
    <store>/journal/<dataset>/<run>/                     the reply journal

A finished round is never done again; an unfinished one is planned again from its plan file, whatever settings or
code have changed, so its calls keep their journal keys.
"""

import os
import re
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from mmap import mmap
from pathlib import Path
from typing import Any

import orjson

from datasynth.schemas.calls import PlannedCall
from datasynth.schemas.errors import InputError, RunError
from datasynth.schemas.recipe import Recipe
from datasynth.schemas.record import Frozen
from datasynth.schemas.report import Counts, Estimate, Judging, RoundOutcome, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.contamination import read_evaluation_set, require_unchanged
from datasynth.tasks.storage.store import Store, safe_name

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class RunCard(Frozen):
    """What a run is. Everything that must stay the same when it is resumed."""

    run_id: str
    dataset: str
    recipe_fingerprint: str
    settings_fingerprint: str
    target: int
    """Records asked for when it was started or last extended."""
    started_at: str
    nonce: str = ""
    """Tells this run from another one of the same name whose store was deleted: results cached for that are not its."""
    earlier: tuple[str, ...] = ()
    """Index files of earlier runs that this one is deduplicated against, pinned at its start."""
    carried_over: int = 0
    """Records taken over from an output file; they are part 0."""
    evaluation: tuple[str, ...] = ()
    """Digests of the evaluation sets that its records are checked against, in the settings' order."""


class Run:
    """One run's folder and what is in it."""

    def __init__(self, root: Store, card: RunCard) -> None:
        self.root = root
        self.card = card
        self.folder = root.at(f"{card.dataset}/runs/{card.run_id}")
        self.index = root.at(f"{card.dataset}/index")

    @property
    def journal_url(self) -> str:
        return self.root.address(f"journal/{self.card.dataset}/{self.card.run_id}")

    def save_card(self) -> None:
        self.folder.write("run.json", self.card.model_dump_json(indent=1).encode())

    def extend(self, target: int) -> None:
        """Sets the count that is wanted now; the manifest goes, for the run is open again."""
        self.card = self.card.model_copy(update={"target": target})
        self.folder.remove("manifest.json")
        self.save_card()

    @property
    def finished(self) -> bool:
        return self.folder.exists("manifest.json")

    def outcomes(self) -> tuple[RoundOutcome, ...]:
        """Outcomes of the finished rounds, in order."""
        names = round_names(self.folder)
        return tuple(RoundOutcome.model_validate_json(self.folder.read(f"rounds/{n}")) for n in names)

    def outcome(self, round: int) -> RoundOutcome | None:
        """The outcome of `round`, if it is finished."""
        try:
            return RoundOutcome.model_validate_json(self.folder.read(f"rounds/{round:05d}.json"))
        except FileNotFoundError:
            return None

    def planned(self, round: int) -> tuple[PlannedCall, ...] | None:
        """The calls planned for `round`, if it was planned."""
        try:
            calls = orjson.loads(self.folder.read(f"rounds/{round:05d}.plan.json"))
        except FileNotFoundError:
            return None
        return tuple(
            PlannedCall(**(c | {"seeds": tuple(c["seeds"]), "avoid": tuple(c.get("avoid", ()))})) for c in calls
        )

    def save_plan(self, round: int, calls: tuple[PlannedCall, ...]) -> None:
        self.folder.write(f"rounds/{round:05d}.plan.json", orjson.dumps(calls))

    def finish_round(self, outcome: RoundOutcome) -> None:
        """Commits a round: from here on it is never done again."""
        self.folder.write(f"rounds/{outcome.round:05d}.json", outcome.model_dump_json().encode())

    def earlier_index(self, name: str) -> bytes | mmap:
        """The index file `name` of an earlier run, one of those that the card pins.

        Raises:
            RunError: it is gone, and nothing else tells what this run must not repeat.
        """
        try:
            return self.index.view(name)
        except FileNotFoundError as error:
            raise RunError(
                "Run {run_id} makes nothing that the records of {path} say already, and that file is gone. Put it "
                "back, or start a new run, which compares with what is there.",
                run_id=self.card.run_id,
                path=self.index.url(name),
            ) from error

    def part_names(self, kind: str) -> list[str]:
        """Names of the parts `data` or `rejected`, in order."""
        return self.folder.names(kind, ".parquet")

    def parts(self, kind: str) -> Iterator[bytes]:
        """Contents of the parts `data` or `rejected`, in order, one at a time."""
        for name in self.part_names(kind):
            yield self.folder.read(f"{kind}/{name}")

    def manifest(self, *, records: int, simulated: bool) -> dict[str, object]:
        """What `manifest.json` says of the finished run: which files hold its `records`."""
        return {
            "run_id": self.card.run_id,
            "dataset": self.card.dataset,
            "records": records,
            "data": [f"data/{name}" for name in self.part_names("data")],
            "rejected": [f"rejected/{name}" for name in self.part_names("rejected")],
            "recipe_fingerprint": self.card.recipe_fingerprint,
            "simulated": simulated,
        }

    def save_estimate(self, estimate: Estimate) -> None:
        self.folder.write("estimate.json", estimate.model_dump_json().encode())

    def estimate(self) -> Estimate | None:
        """The estimate made before the first round, or after the pilot."""
        try:
            return Estimate.model_validate_json(self.folder.read("estimate.json"))
        except FileNotFoundError:
            return None


def round_names(folder: Store) -> list[str]:
    """Files of a run's finished rounds, in order."""
    return [name for name in folder.names("rounds", ".json") if not name.endswith(".plan.json")]


def part_path(kind: str, round: int) -> str:
    """Where a round's part `data` or `rejected` stands in its run's folder; part 0 is what was taken over."""
    return f"{kind}/part-{round:05d}.parquet"


def record_id(n: int) -> str:
    """The id of a data set's record, counted from 0."""
    return f"SYNTH_{n + 1:04d}"


class Progressed(Frozen):
    """Sums over a run's finished rounds."""

    rounds: int = 0
    calls: int = 0
    counts: Counts = Counts()
    spend: Spend = Spend()
    judging: Judging = Judging()
    embedding: Spend = Spend()


def sums(outcomes: Sequence[RoundOutcome]) -> Progressed:
    """Totals of finished rounds."""
    return Progressed(
        rounds=len(outcomes),
        calls=sum(o.calls for o in outcomes),
        counts=sum((o.counts for o in outcomes), Counts()),
        spend=sum((o.spend for o in outcomes), Spend()),
        judging=sum((o.judging for o in outcomes), Judging()),
        embedding=sum((o.embedding for o in outcomes), Spend()),
    )


def default_store() -> str:
    """Where data sets live unless a run says otherwise: $DATASYNTH_STORE, else a folder in the home directory.

    Not the working directory: `--resume` must find the run from wherever it is called.
    """
    return os.environ.get("DATASYNTH_STORE") or str(Path.home() / ".datasynth" / "store")


SIMULATED = ".simulated.npz"


def index_name(run_id: str, round: int, *, simulated: bool) -> str:
    """The index file of a round. Its name says when no language model wrote the records."""
    return f"{run_id}-{round:05d}{SIMULATED if simulated else '.npz'}"


def earlier_indexes(root: Store, dataset: str, *, simulated: bool) -> tuple[str, ...]:
    """Index files that a new run is deduplicated against: a real one must not miss what a simulated one made up."""
    names = root.names(f"{dataset}/index", ".npz")
    return tuple(name for name in names if simulated or not name.endswith(SIMULATED))


def store_of(settings: SynthesisSettings) -> Store:
    """The store that `settings` name."""
    return Store(settings.store or default_store())


def new_run_id() -> str:
    """A fresh id that sorts by time: `20261121-072203-9f3a`."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def dataset_of(settings: SynthesisSettings, recipe: Recipe) -> str:
    """The data set's name in the store."""
    return safe_name(settings.dataset or recipe.name)


def runs_of(root: Store, dataset: str) -> list[Run]:
    """All runs of a data set, oldest first."""
    runs = []
    for run_id in root.names(f"{dataset}/runs"):
        try:
            card = RunCard.model_validate_json(root.read(f"{dataset}/runs/{run_id}/run.json"))
        except FileNotFoundError:
            continue
        runs.append(Run(root, card))
    return sorted(runs, key=lambda run: (run.card.started_at, run.card.run_id))


def run_to_resume(settings: SynthesisSettings, recipe: Recipe) -> RunCard | None:
    """The run that `--resume` means: the latest one of this recipe and these settings, unfinished ones first."""
    fitting = [
        run
        for run in runs_of(store_of(settings), dataset_of(settings, recipe))
        if run.card.recipe_fingerprint == recipe.fingerprint and run.card.settings_fingerprint == settings.fingerprint
    ]
    unfinished = [run for run in fitting if not run.finished]
    latest = (unfinished or fitting)[-1:]
    return latest[0].card if latest else None


def open_run(settings: SynthesisSettings, recipe: Recipe) -> Run:
    """The run that `settings.run_id` names: as it stands in the store, or new with its card written.

    Raises:
        InputError: the id is no id, or belongs to a run of another recipe or other settings; an evaluation set cannot
            be read, or has changed since the run began.
    """
    run_id = settings.run_id or new_run_id()
    if not RUN_ID.fullmatch(run_id):
        raise InputError(
            "{run_id} cannot be a run's id. Use up to 64 letters, digits, '-' and '_', such as {example}.",
            run_id=run_id,
            example=new_run_id(),
        )
    root, dataset = store_of(settings), dataset_of(settings, recipe)
    try:
        card = RunCard.model_validate_json(root.read(f"{dataset}/runs/{run_id}/run.json"))
    except FileNotFoundError:
        return _new_run(root, dataset, run_id, settings, recipe)
    if card.recipe_fingerprint != recipe.fingerprint or card.settings_fingerprint != settings.fingerprint:
        raise InputError(
            "Run {run_id} of {dataset} was made from {other}. Resume it with what it was started with, or start a "
            "new run without --run-id.",
            run_id=run_id,
            dataset=dataset,
            other=_difference(card, recipe),
        )
    require_unchanged([read_evaluation_set(path) for path in settings.decontaminate], card.evaluation)
    run = Run(root, card)
    if settings.target_count != card.target:
        run.extend(settings.target_count)
    return run


def _difference(card: RunCard, recipe: Recipe) -> str:
    return "another recipe" if card.recipe_fingerprint != recipe.fingerprint else "other settings"


def _new_run(root: Store, dataset: str, run_id: str, settings: SynthesisSettings, recipe: Recipe) -> Run:
    card = RunCard(
        run_id=run_id,
        dataset=dataset,
        recipe_fingerprint=recipe.fingerprint,
        settings_fingerprint=settings.fingerprint,
        target=settings.target_count,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        nonce=secrets.token_hex(8),
        earlier=earlier_indexes(root, dataset, simulated=settings.provider == "simulated"),
        evaluation=tuple(read_evaluation_set(path).digest for path in settings.decontaminate),
    )
    run = Run(root, card)
    run.folder.write("settings.json", orjson.dumps(_as_told(settings), option=orjson.OPT_INDENT_2))
    # For whoever reads the run later: without its seeds and guidelines, which may be long and are the analysis' own.
    run.folder.write(
        "recipe.json", recipe.model_dump_json(exclude={"seeds", "seeds_with_tested", "guidelines"}).encode()
    )
    run.save_card()
    return run


def _as_told(settings: SynthesisSettings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude_defaults=True)
