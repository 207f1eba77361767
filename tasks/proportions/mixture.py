"""A proportional run while it goes on: part by part, what was taken, what was left out and what is still to be made."""

import time
from dataclasses import dataclass, field
from decimal import Decimal

from datasynth.schemas.messages import Message, say
from datasynth.schemas.proportions import PartReport, ProportionalSettings
from datasynth.schemas.report import RunReport, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.index import NearDuplicateIndex
from datasynth.tasks.proportions.checking import ReadPart
from datasynth.tasks.proportions.comparing import Picked, index_of_parts, keep, pick, views_of_parts
from datasynth.tasks.proportions.money import limit_for, spent_by
from datasynth.tasks.proportions.opening import part_run_id
from datasynth.tasks.proportions.records import Sourced
from datasynth.tasks.rounds.listing import RunPlace
from datasynth.tasks.rounds.runs import Run, RunCard, dataset_of
from datasynth.tasks.rounds.stored import part_names, read_frames, recipe_of, stored_records

MORE = 3
"""Times that a run is asked for more in place of records that repeat an earlier part's."""


@dataclass
class Taken:
    """What became of one part."""

    picked: Picked = field(default_factory=Picked)
    held: int = 0
    extended: int = 0
    report: RunReport | None = None
    why: Message | None = None


class Mixture:
    """The parts of a run, filled one after the other. No dataclass, so that Prefect does not walk through its records.

    What it holds follows from the records of the parts alone, so a resumed run comes to the same.
    """

    def __init__(self, settings: ProportionalSettings, run: Run, parts: list[ReadPart]) -> None:
        self.settings = settings
        self.run = run
        self.parts = parts
        self.started = time.monotonic()
        self.views = views_of_parts([(one.schema, one.records or _seeds(one)) for one in parts])
        self.index: NearDuplicateIndex = index_of_parts(self.views, settings.dedup_threshold)
        self.taken: list[Taken] = []

    @property
    def current(self) -> ReadPart:
        """The part whose turn it is."""
        return self.parts[len(self.taken)]

    def draw(self) -> None:
        """Takes the present part from its existing records."""
        one = self.current
        picked = pick(one.records, one.wanted, self.index)
        why = None
        if len(picked.kept) < one.wanted and not picked.refused:
            why = say("There are only {held} records to draw from.", held=f"{len(one.records):,}")
        elif len(picked.kept) < one.wanted:
            why = say(
                "There are {held} records to draw from; among them, repeats of records of earlier parts: {duplicates}.",
                held=f"{len(one.records):,}",
                duplicates=f"{len(picked.refused):,}",
            )
        self._take(Taken(picked, held=len(one.records), why=why))

    def settings_of_run(self, target: int | None = None) -> SynthesisSettings:
        """The settings of the run that makes the present part.

        Args:
            target: Records that the run is asked for; at first, as many as are wanted, or as it was asked for before.
        """
        one = self.current
        assert one.settings is not None  # noqa: S101 - of a synthesis part
        assert one.recipe is not None  # noqa: S101
        dataset, run_id = dataset_of(one.settings, one.recipe), part_run_id(self.run.card.run_id, one.part.name)
        folder = f"{dataset}/runs/{run_id}"
        if target is None:
            target = max(one.wanted, self._asked_before(folder))
        limit = limit_for(self.settings.max_cost, one.settings.max_cost, self._spent_by_others(one))
        changes = {
            "run_id": run_id,
            "target_count": target,
            "max_cost": limit,
            # Without one, the records of an analysis would go into its folder.
            "output": self.run.root.address(f"{folder}/synthetic.json"),
        }
        return one.settings.model_copy(update=changes)

    def _asked_before(self, folder: str) -> int:
        try:
            return RunCard.model_validate_json(self.run.root.read(f"{folder}/run.json")).target
        except FileNotFoundError:
            return 0

    def _spent_by_others(self, present: ReadPart) -> Decimal:
        """Also by those that come later: an earlier process may have begun them."""
        spent = Decimal(0)
        if self.settings.max_cost is None:
            return spent
        for one in self.parts:
            if one.settings is not None and one.recipe is not None and one is not present:
                run_id = part_run_id(self.run.card.run_id, one.part.name)
                spent += spent_by(self.run.root, dataset_of(one.settings, one.recipe), run_id)
        return spent

    def take_run(self, asked: SynthesisSettings, report: RunReport) -> int | None:
        """Takes the present part from its run.

        Args:
            asked: The settings that the run was made with.
            report: Its report.

        Returns:
            How many records the run should be asked for now, in place of duplicates; None where the part is done.
        """
        one = self.current
        place = RunPlace(self.run.root.at(f"{report.dataset}/runs/{report.run_id}"))
        candidates = records_of_run(place)
        target, extended = one.wanted, 0
        while True:
            picked = pick(candidates[:target], one.wanted, self.index)
            missing = one.wanted - len(picked.kept)
            if not missing or len(candidates) < min(target, asked.target_count) or extended == MORE:
                break
            target, extended = target + missing, extended + 1
            if len(candidates) < target and asked.target_count < target:
                return target
        why = _why_missing(report, candidates, target, picked) if missing else None
        self._take(Taken(picked, held=len(candidates), extended=extended, report=report, why=why))
        return None

    def leave_out(self) -> None:
        """Takes nothing: none are wanted of the present part."""
        self._take(Taken())

    def _take(self, taken: Taken) -> None:
        keep(self.current.part.name, taken.picked, self.index)
        self.taken.append(taken)

    def reports(self) -> list[PartReport]:
        """What became of the parts so far; of the others, what is wanted."""
        filled = [*self.taken, *([None] * (len(self.parts) - len(self.taken)))]
        return [self._report(one, taken) for one, taken in zip(self.parts, filled, strict=True)]

    def _report(self, one: ReadPart, taken: Taken | None) -> PartReport:
        run = taken.report if taken else None
        drawn = bool(taken and taken.picked.kept and one.existing and one.existing.simulated)
        return PartReport(
            name=one.part.name,
            kind=one.part.kind,
            source=one.existing.url if one.existing else (run.run_url if run else ""),
            asked=one.wanted,
            made=len(taken.picked.kept) if taken else 0,
            held=taken.held if taken else len(one.records),
            duplicates=len(taken.picked.refused) if taken else 0,
            extended=taken.extended if taken else 0,
            spend=run.spend if run else Spend(),
            model=run.model if run else "",
            simulated=run.simulated if run else drawn,
            stopped_by=run.stopped_by if run and run.fell_short else None,
            why=taken.why if taken else None,
        )


def records_of_run(place: RunPlace) -> list[Sourced]:
    """The records of a part's run, in order."""
    schema, source = recipe_of(place).record_schema, place.folder.url()
    stored = stored_records(read_frames(place, part_names(place, "data")), schema)
    return [Sourced(one.record, source, str(one.lineage["id"]), one.lineage) for one in stored]


def _why_missing(report: RunReport, candidates: list[Sourced], target: int, picked: Picked) -> Message:
    if len(candidates) < target and report.fell_short:
        return report.explanation
    if len(candidates) < target:
        return say("Its run holds {held} records, for others were taken out of it since.", held=f"{len(candidates):,}")
    return say(
        "Its run made {held} records; among them, repeats of records of earlier parts: {duplicates}. It was asked for "
        "more {times} times.",
        held=f"{len(candidates):,}",
        duplicates=f"{len(picked.refused):,}",
        times=MORE,
    )


def _seeds(one: ReadPart) -> list[Sourced]:
    """What the records of a synthesis part will be like."""
    seeds = one.recipe.seeds if one.recipe else ()
    return [Sourced(seed, "", "", None) for seed in seeds]
