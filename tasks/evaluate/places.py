"""Which data a person means: a run, all runs of a data set that have ended, or a file of records."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from datasynth.schemas.errors import InputError, StorageError
from datasynth.schemas.evaluation import EvaluationSettings
from datasynth.schemas.messages import Message, say
from datasynth.tasks.rounds.listing import RunPlace, find_run
from datasynth.tasks.rounds.runs import RUN_ID, default_store
from datasynth.tasks.sources.documents import is_absent, unreadable
from datasynth.tasks.sources.recipes import SCHEMA
from datasynth.tasks.storage.store import Store, safe_name

OF_A_RUN = ("run.json", "report.json", "report.md", "report.html", "manifest.json", "data")
"""What stands in a run's folder and people have at hand: it means the run."""


@dataclass(frozen=True)
class Found:
    """Data, before their records are looked at."""

    kind: Literal["run", "dataset", "file"]
    store: Store
    """The folder, or the file."""
    home: Store
    """The folder that evaluations of it go into."""
    name: str
    runs: tuple[RunPlace, ...] = ()
    """Oldest first; each has ended."""
    notes: tuple[Message, ...] = ()


def find_data(settings: EvaluationSettings) -> Found:
    """The data that `settings` name.

    Raises:
        InputError: there are none, or no run of them has ended.
    """
    data = settings.data
    if settings.dataset or settings.store:
        return _in_store(data, settings.store, settings.dataset)
    place = Store(data)
    if not _exists(place):
        if RUN_ID.fullmatch(data):
            return _in_store(data, None, None)
        raise InputError(
            "{address}: there is nothing. Give the folder of a run or of a data set, or a file of records; see "
            "datasynth runs.",
            address=data,
        )
    above, name = _above(place)
    if name in OF_A_RUN and above.exists("run.json"):
        return _run(RunPlace(above))
    return _file(place) if place.fs.isfile(place.root) else _folder(place, data)


def _exists(place: Store) -> bool:
    try:
        return place.exists()
    except StorageError as error:
        if place.local and is_absent(error.__cause__):
            return False
        raise unreadable(place.url(), error) from error


def _in_store(data: str, store: str | None, dataset: str | None) -> Found:
    """What is called `data` in a store: a run by its id, or a data set."""
    root = Store(store or default_store())
    if dataset is None and _has_runs(root.at(safe_name(data))):
        return _data_set(root.at(safe_name(data)))
    return _run(find_run(data, store=store, dataset=dataset))


def _folder(place: Store, data: str) -> Found:
    names = place.names()
    if "run.json" in names:
        return _run(find_run(data))
    if _has_runs(place):
        return _data_set(place)
    data_sets = [name for name in names if _has_runs(place.at(name))]
    if data_sets:
        raise InputError(
            "{address}: this is a store. Give one of its data sets: {known}.",
            address=data,
            known=", ".join(place.url(name) for name in data_sets[:5]),
        )
    if place.exists(SCHEMA):
        raise InputError(
            "{address}: this is an analysis, which says what records must look like. Give the records as DATA, and it "
            "with --analysis.",
            address=data,
        )
    raise InputError(
        "{address}: a folder without a run. Give the folder of a run or of a data set, or a file of records; see "
        "datasynth runs.",
        address=data,
    )


def _has_runs(folder: Store) -> bool:
    # A file in a folder's place has nothing below it either; on a disk, to list it would be an error.
    return folder.exists("runs") and bool(folder.names("runs"))


def _file(place: Store) -> Found:
    above, name = _above(place)
    return Found("file", place, above, name)


def _above(place: Store) -> tuple[Store, str]:
    """The folder that `place` is in, and its name there."""
    address, _, name = place.address().rstrip("/").rpartition("/")
    return Store(address or "/"), name


def _run(place: RunPlace) -> Found:
    try:
        state, facts = place.facts()
    except ValueError as error:
        raise InputError(
            "Run {run}: its report or its ledger cannot be read. Restore the file, or choose another run.",
            run=place.card.run_id,
        ) from error
    if state == "unfinished":
        raise InputError(
            "Run {run} has not ended ({records} of {wanted} records). Go on with it (datasynth generate --resume), "
            "then evaluate it.",
            run=place.card.run_id,
            records=f"{facts.total:,}",
            wanted=f"{place.card.target:,}",
        )
    return Found("run", place.folder, place.folder, place.card.dataset, (place,))


def _data_set(folder: Store) -> Found:
    ended, left_out = [], []
    for run_id in folder.names("runs"):
        try:
            place = RunPlace(folder.at(f"runs/{run_id}"))
            state, facts = place.facts()
        except FileNotFoundError:
            continue
        except ValueError:
            left_out.append(say("Run {run} was left out, for its card or report cannot be read.", run=run_id))
            continue
        if state == "unfinished":
            left_out.append(say("Run {run} was left out, for it has not ended.", run=run_id))
        elif facts.total:
            ended.append(place)
    if not ended:
        raise InputError(
            "{address}: no run of this data set has ended with a record. See datasynth runs.", address=folder.url()
        )
    name = folder.url().rstrip("/").rpartition("/")[2]
    return Found("dataset", folder, folder, name, _by_age(ended), tuple(left_out))


def _by_age(places: Sequence[RunPlace]) -> tuple[RunPlace, ...]:
    return tuple(sorted(places, key=lambda place: (place.card.started_at, place.card.run_id)))
