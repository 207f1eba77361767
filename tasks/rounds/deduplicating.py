"""Near-duplicates between the runs of a data set that did not see each other, for they were made at the same time.

Of two records that are alike the one of the earlier run stays: earlier by the start in its card, then by its id. So
what stays is the same whoever looks, and whenever. Runs compare their own records themselves. A run that somebody may
be working on is neither compared nor changed: its turn comes when it has ended and this is done again.
"""

from dataclasses import dataclass, field

import numpy as np
from pydantic import ValidationError

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import say
from datasynth.schemas.removal import DedupReport, LeftOut, Removed, RunRemovals
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.across import EarlierRuns, rules_of, views_of
from datasynth.tasks.dedup.match import Match
from datasynth.tasks.dedup.snapshot import conditions_of, unpacked
from datasynth.tasks.rounds.listing import RunPlace
from datasynth.tasks.rounds.removing import take_out
from datasynth.tasks.rounds.runs import index_name, round_names
from datasynth.tasks.rounds.stored import recipe_of
from datasynth.tasks.storage.store import Store

DEFAULT_THRESHOLD: float = SynthesisSettings.model_fields["dedup_threshold"].default
CARRIED = "carried"
"""In place of a call's number, in the names of records that were taken over from a file."""


def data_sets_at(url: str) -> list[Store]:
    """The folders of the data set at `url`, or of all data sets in the store there.

    Raises:
        InputError: there is none.
    """
    root = Store(url)
    found = [root] if root.names("runs") else [root.at(name) for name in root.names() if root.names(f"{name}/runs")]
    if not found:
        raise InputError(
            "{url}: there is no data set. Give the address of one in a store, or of a store; see datasynth runs.",
            url=url,
        )
    return found


def duplicates_between_runs(dataset: Store) -> DedupReport:
    """What of the runs of the data set in the folder `dataset` repeats a record of an earlier run; changes nothing."""
    places, left_out = _by_age(dataset)
    search = _Search(dataset, min(map(_threshold, places), default=DEFAULT_THRESHOLD))
    runs: list[RunRemovals] = []
    for place in places:
        try:
            _require_fit(place)
            runs.append(search.found_in(place))
        except InputError as reason:
            left_out.append(LeftOut(run_id=place.card.run_id, reason=reason.message))
    name = dataset.url().rstrip("/").rpartition("/")[2]
    return DedupReport(dataset=name, url=dataset.url(), dry_run=True, runs=tuple(runs), left_out=tuple(left_out))


def remove_duplicates(dataset: Store, found: RunRemovals) -> None:
    """Takes out of a run what was found in it, and ends what an interrupted pass has begun there."""
    take_out(dataset.at(f"runs/{found.run_id}"), found.removed)


def _by_age(dataset: Store) -> tuple[list[RunPlace], list[LeftOut]]:
    places, left_out = [], []
    for run_id in dataset.names("runs"):
        try:
            places.append(RunPlace(dataset.at(f"runs/{run_id}")))
        except FileNotFoundError:
            continue
        except ValidationError:
            left_out.append(LeftOut(run_id=run_id, reason=say("its card cannot be read")))
    return sorted(places, key=lambda place: (place.card.started_at, place.card.run_id)), left_out


def _threshold(place: RunPlace) -> float:
    """From which similarity on a run takes two records for the same."""
    return float(place.told().get("dedup_threshold", DEFAULT_THRESHOLD))


def _require_fit(place: RunPlace) -> None:
    """Makes sure that a run may be changed, and that its records can be compared.

    Raises:
        InputError: why it is left alone.
    """
    try:
        state, _ = place.facts()
    except ValidationError as error:
        raise InputError("its report or its ledger cannot be read") from error
    if state == "unfinished":
        raise InputError("it has not ended, so somebody may be working on it")
    if place.told().get("validate_records") is False:
        raise InputError("its records were not validated")


@dataclass
class _Search:
    """Goes through the runs of a data set, oldest first."""

    dataset: Store
    lowest: float
    """The lowest threshold of any run: the tables propose every pair that one of them would call alike."""
    _earlier: dict[bool, EarlierRuns] = field(default_factory=dict)
    """Of runs that a language model wrote, and of simulated ones: those are never compared with these."""

    def found_in(self, place: RunPlace) -> RunRemovals:
        """Compares the records of a run with those that stay of the earlier ones, then adds those of it that stay.

        Raises:
            InputError: a round has no saved index, or one that was made otherwise than those of the earlier runs.
        """
        gone = {(one.round, one.call, one.position) for one in place.removals().records}
        found: list[Removed] = []
        compared = 0
        for number, simulated, path in self._saved(place):
            data = self.dataset.read(path)
            earlier = self._earlier_than(place, data, simulated=simulated)
            records = unpacked(data, earlier.rules, earlier.views)
            places = [_place_of(number, name) for name in records.ids]
            there = np.array([one not in gone for one in places], bool)
            matches = earlier.matches(records, place.card.run_id, least=_threshold(place))
            alike = [
                (where, match) for where, match in zip(places, matches, strict=True) if match and where not in gone
            ]
            found += [_removed(where, match) for where, match in alike]
            earlier.keep(records, there & np.array([match is None for match in matches], bool))
            compared += int(there.sum())
        return RunRemovals(run_id=place.card.run_id, compared=compared, removed=tuple(found))

    def _saved(self, place: RunPlace) -> list[tuple[int, bool, str]]:
        """Number, whether it is simulated, and path of the saved index of every round that ended."""
        there = set(self.dataset.names("index"))
        rounds = [int(name.removesuffix(".json")) for name in round_names(place.folder)]
        found = []
        for number in (*([0] if place.card.carried_over else []), *rounds):
            names = {index_name(place.card.run_id, number, simulated=kind): kind for kind in (False, True)}
            name = next((name for name in names if name in there), None)
            if name is None:
                raise InputError("round {round} has no saved index", round=number)
            found.append((number, names[name], f"index/{name}"))
        return found

    def _earlier_than(self, place: RunPlace, data: bytes, *, simulated: bool) -> EarlierRuns:
        """The earlier runs that those records are compared with; as the first of their kind was made, all must be."""
        if simulated not in self._earlier:
            conditions = conditions_of(data)
            views = views_of(conditions, recipe_of(place, most=1).record_schema)
            self._earlier[simulated] = EarlierRuns(rules_of(conditions, self.lowest), views)
        return self._earlier[simulated]


def _place_of(number: int, name: str) -> tuple[int, int, int]:
    """Round, call and position of the record that stands in an index as `<run>/<call>.<position>`."""
    call, _, position = name.rpartition("/")[2].rpartition(".")
    return number, 0 if call == CARRIED else int(call), int(position)


def _removed(where: tuple[int, int, int], match: Match) -> Removed:
    number, call, position = where
    return Removed(
        round=number,
        call=call,
        position=position,
        reason=match.reason,
        similarity=round(match.similarity, 6),
        view=match.view,
        like=match.id,
    )
