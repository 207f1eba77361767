"""What stands in a store: its runs with their state, counts and cost, and the run that a person names.

A run that has its manifest is finished. One with a report of its present rounds and count, and no manifest, fell short.
Any other is unfinished, whether somebody works on it at this moment or not: storage does not say.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from typing import Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say
from datasynth.schemas.record import Frozen
from datasynth.schemas.removal import Removals
from datasynth.schemas.report import Counts, RoundOutcome, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import PROVIDERS
from datasynth.tasks.rounds.removing import LIST, removals_of
from datasynth.tasks.rounds.runs import RUN_ID, RunCard, default_store, round_names, sums
from datasynth.tasks.rounds.spending import spend_by_journals
from datasynth.tasks.storage.store import Store, safe_name

RunState = Literal["finished", "fell_short", "unfinished", "unreadable"]

AT_ONCE = 16
"""Files read at the same time: an object store answers each after some 10 to 100 ms, whatever its size."""

A = TypeVar("A")
B = TypeVar("B")


class RunLine(Frozen):
    """A run in a few words."""

    dataset: str
    run_id: str
    url: str
    state: RunState
    """`unreadable`: its card, its report or an entry of its ledger is no such thing."""
    started_at: str = ""
    """ISO 8601, UTC."""
    records: int = 0
    wanted: int = 0
    cost_usd: float | None = None
    """None where the price, or the usage of a reply, is unknown."""
    model: str = ""
    """As it was asked for."""
    simulated: bool = False


class RunFacts(BaseModel):
    """What is read of a `report.json`, or summed over a ledger that has none yet."""

    target: int = 0
    counts: Counts = Counts()
    carried_over: int = 0
    spend: Spend = Spend()
    provider: str = ""
    model: str = ""
    simulated: bool = False
    seeds_used: int | None = None
    """None where there is no report yet."""
    removed: int = 0
    """Records taken out since, for being like those of an earlier run."""
    rounds: list[Any] = []
    settings: dict[str, Any] = {}

    @property
    def total(self) -> int:
        """Records in the data set."""
        return self.counts.accepted + self.carried_over - self.removed


class RunPlace:
    """A run's folder, wherever it stands: also one that was copied out of its store."""

    def __init__(self, folder: Store) -> None:
        """Reads the card.

        Raises:
            FileNotFoundError: there is no run.
            ValidationError: the card is none.
        """
        self.folder = folder
        self.card = RunCard.model_validate_json(folder.read("run.json"))
        self.names = frozenset(folder.names())
        self._removals: Removals | None = None

    def removals(self) -> Removals:
        """What was taken out of the run after it had ended."""
        if self._removals is None:
            self._removals = removals_of(self.folder) if LIST in self.names else Removals()
        return self._removals

    def facts(self) -> tuple[RunState, RunFacts]:
        """State and figures: of its report where that is up to date, else of its ledger."""
        state, facts = self._facts()
        return state, facts.model_copy(update={"removed": len(self.removals().records)})

    def _facts(self) -> tuple[RunState, RunFacts]:
        report = RunFacts.model_validate_json(self.folder.read("report.json")) if "report.json" in self.names else None
        if report and "manifest.json" in self.names:
            return "finished", report
        rounds = round_names(self.folder)
        if report and report.target == self.card.target and len(report.rounds) == len(rounds):
            return "fell_short", report
        state = "finished" if "manifest.json" in self.names else "unfinished"
        return state, self._ledger(rounds)

    def _ledger(self, names: list[str]) -> RunFacts:
        told = self.told()
        outcomes = [
            RoundOutcome.model_validate_json(data)
            for data in in_parallel(self.folder.read, [f"rounds/{name}" for name in names])
        ]
        total = sums(outcomes)
        provider = str(told.get("provider") or SynthesisSettings.model_fields["provider"].default)
        default = PROVIDERS[provider].default_model if provider in PROVIDERS else None
        return RunFacts(
            target=self.card.target,
            counts=total.counts,
            carried_over=self.card.carried_over,
            spend=self._spent() or total.spend,
            provider=provider,
            model=str(told.get("model") or default or ""),
            simulated=any(o.simulated for o in outcomes),
            settings=told,
        )

    def _spent(self) -> Spend | None:
        """What the run's journals say, which know of rounds that are not finished too; None of a folder that was copied
        out of its store.
        """
        root, inside, _ = self.folder.address().rstrip("/").rpartition(f"/{self.card.dataset}/runs/{self.card.run_id}")
        spend = spend_by_journals(Store(root), self.card.dataset, self.card.run_id) if inside else Spend()
        return spend if spend.calls or spend.possible_calls else None

    def told(self) -> dict[str, Any]:
        """The settings that the run was started with, but for defaults."""
        try:
            return orjson.loads(self.folder.read("settings.json"))
        except FileNotFoundError:
            return {}

    def line(self) -> RunLine:
        """The run in a few words."""
        state, facts = self.facts()
        return RunLine(
            dataset=self.card.dataset,
            run_id=self.card.run_id,
            url=self.folder.url(),
            state=state,
            started_at=self.card.started_at,
            records=facts.total,
            wanted=self.card.target,
            cost_usd=facts.spend.cost_usd,
            model=facts.model,
            simulated=facts.simulated,
        )


def in_parallel(function: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """`function` of each item, in their order; several at the same time."""
    items = list(items)
    if len(items) <= 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(AT_ONCE, len(items))) as pool:
        return list(pool.map(function, items))


def list_runs(url: str | None) -> list[RunLine]:
    """All runs in a store, oldest first.

    Args:
        url: Of the store, of a data set in it or of one run; None for the default store, which need not exist.

    Raises:
        InputError: nothing is at `url`.
        StorageError: the storage cannot be read.
    """
    root = Store(url or default_store())
    folders = _run_folders(root)
    if url and not folders and not root.exists():
        raise InputError(
            "{url}: there is nothing. Give the address of a store, such as ./store or s3://bucket/folder.", url=url
        )
    lines = [line for line in in_parallel(_line, folders) if line]
    return sorted(lines, key=lambda line: (line.started_at, line.dataset, line.run_id))


def _run_folders(root: Store) -> list[Store]:
    """Folders that may be runs, below a store or a data set; or `root`, if it is one."""
    names = root.names()
    if "run.json" in names:
        return [root]
    above = [root.at("runs"), *(root.at(f"{name}/runs") for name in names)]
    return [folder.at(name) for folder, found in zip(above, in_parallel(_below, above), strict=True) for name in found]


def _below(folder: Store) -> list[str]:
    # A stray file in a folder's place has nothing below it either; on a disk, to list it would be an error.
    return folder.names() if folder.exists() else []


def _line(folder: Store) -> RunLine | None:
    """The run in `folder` in a few words; None where there is none."""
    try:
        return RunPlace(folder).line()
    except FileNotFoundError:
        return None
    except (ValidationError, orjson.JSONDecodeError):
        dataset, _, run_id = folder.url().rstrip("/").split("/")[-3:]
        return RunLine(dataset=dataset, run_id=run_id, url=folder.url(), state="unreadable")


def find_run(run: str, *, store: str | None = None, dataset: str | None = None) -> RunPlace:
    """The run that a person means.

    Args:
        run: The address of its folder or of something in it, as `generate` prints them; or its id.
        store: Where the id is looked for; None for the default store.
        dataset: The data set it is of; None for any.

    Raises:
        InputError: there is no such run, with names that are near; several data sets have one of this name; its card
            is unreadable.
    """
    # With a store or a data set it can only be an id, whatever stands in the working directory.
    named = bool(RUN_ID.fullmatch(run)) and (store or dataset or not os.path.isdir(run))
    folder = _by_id(run, Store(store or default_store()), dataset) if named else _by_address(run)
    try:
        return RunPlace(folder)
    except ValidationError as error:
        raise InputError(
            "{path}: this is no card of a run ({error}). Restore the file, or choose another run.",
            path=folder.url("run.json"),
            error=str(error).split("\n", 1)[0],
        ) from error


def _by_address(address: str) -> Store:
    folder = Store(address)
    above = Store(folder.url().rstrip("/").rpartition("/")[0] or "/")
    for place in (folder, above):
        # Also the address of its records or of its report, for that is what people have at hand.
        if place.exists("run.json"):
            return place
    raise InputError(
        "{address}: no run is there. {hint}Give a run's folder, or its id with --store. See datasynth runs.",
        address=address,
        hint=_near(folder.url().rstrip("/").rpartition("/")[2], _below(above)),
    )


def _by_id(run: str, root: Store, dataset: str | None) -> Store:
    datasets = root.names()
    if dataset is not None:
        if safe_name(dataset) not in datasets:
            raise InputError(
                "There is no data set {dataset} in {store}. {hint}See datasynth runs.",
                dataset=dataset,
                store=root.url(),
                hint=_near(dataset, datasets),
            )
        datasets = [safe_name(dataset)]
    places = [root.at(f"{name}/runs/{run}") for name in datasets]
    found = [place for place, there in zip(places, in_parallel(_is_run, places), strict=True) if there]
    if len(found) > 1:
        raise InputError(
            "Run {run} is there more than once: {urls}. Say which with --dataset, or give its address.",
            run=run,
            urls=", ".join(place.url() for place in found),
        )
    if not found:
        ids = in_parallel(_below, [root.at(f"{name}/runs") for name in datasets])
        raise InputError(
            "There is no run {run} in {store}. {hint}See datasynth runs, or give another --store.",
            run=run,
            store=root.url(),
            hint=_near(run, [name for some in ids for name in some]),
        )
    return found[0]


def _is_run(place: Store) -> bool:
    return place.exists("run.json")


def _near(name: str, known: Iterable[str]) -> Message | str:
    near = get_close_matches(name, sorted(set(known)), 3)
    return say("Did you mean {nearest}? ", nearest=", ".join(near)) if near else ""
