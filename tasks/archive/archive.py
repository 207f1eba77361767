"""The archive: what a run has accepted, by niche, with the best of each and what the model keeps repeating there.

MAP-Elites (Mouret and Clune 2015, "Illuminating search spaces by mapping elites", arXiv:1504.04909) for a set that is
to be filled rather than for one best solution: a niche keeps a count beside its elites. It learns whole rounds, in
plan order, and is a function of them alone, so that a resumed run plans as an undisturbed one would have.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import fmean
from typing import Any

from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.archive.attributes import Attribute
from datasynth.tasks.archive.excerpts import cheap_quality, excerpt, opening, telling_views
from datasynth.tasks.archive.space import Cell, Space, space_of

BEST = 8
"""Elites kept of a niche."""
REPEATED = 32
"""Repeated things kept of a niche, and of a value; those repeated least go first."""
PRIOR = 4
"""Candidates that count as evidence to the contrary where a share is estimated from few of them."""
OPENINGS = 2_000
"""Openings counted; beyond twice as many the rarest are dropped."""
FADING = 0.5
"""What a round's yield counts for a round later: a niche dries up as it fills. A power of two, so that sums are
exact on any machine."""


@dataclass(frozen=True)
class Made:
    """A record that was accepted."""

    call: int
    record: dict[str, Any]
    aim: Mapping[str, Any]
    quality: float | None = None
    """By a judge, 0 to 1."""


@dataclass(frozen=True)
class Refused:
    """A candidate that was not."""

    call: int
    record: dict[str, Any] | None = None
    like: str | None = None
    """The record that it repeats, by the index's name for it; None where it was refused for another reason."""
    view: str = ""


@dataclass(frozen=True)
class Findings:
    """What a round brought: all that the archive learns from."""

    aims: Mapping[int, dict[str, Any]]
    """Of every call planned, by its index."""
    made: Sequence[Made]
    refused: Sequence[Refused]


@dataclass
class Repeats:
    """What the model keeps repeating where it is told one thing."""

    seen: int = 0
    """Candidates of the calls that were told it."""
    hits: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By the record that is repeated: how often, and an excerpt of it."""

    def rates(self) -> dict[str, float]:
        """By excerpt, the share of candidates that say it, less one standard error: chance repeats a lot once."""
        return {said: (times + 1 - math.sqrt(times + 1)) / (self.seen + PRIOR) for times, said in self.hits.values()}


@dataclass
class Niche:
    """A cell of a grid."""

    count: int = 0
    """Accepted records whose values lie here."""
    tried: float = 0.0
    """Candidates of calls that aimed here, recent ones first (see `FADING`)."""
    gained: float = 0.0
    """Those of them that were accepted and do lie here, each by its quality where a judge gave one."""
    best: list[tuple[float, int, str]] = field(default_factory=list)
    """Quality (negated), order of arrival and excerpt of the elites, the best first."""
    repeats: Repeats = field(default_factory=Repeats)


@dataclass
class Archive:
    """Niches of each grid, sparse."""

    space: Space
    recipe: Recipe
    detection: Detection
    niches: list[dict[Cell, Niche]] = field(init=False)
    values: dict[tuple[str, int], Repeats] = field(default_factory=dict)
    """What is repeated by all calls that name a value: a niche of many shares it with its neighbours, and hears too
    little of it alone. By attribute and the value's number."""
    openings: Counter[str] = field(default_factory=Counter)
    records: int = 0
    learnt: set[int] = field(default_factory=set)
    """Rounds."""

    def __post_init__(self) -> None:
        # A data set without attributes is one niche, of which is known what is repeated there.
        self.grids: list[tuple[Attribute, ...]] = list(self.space.grids) or [()]
        self.niches = [{} for _ in self.grids]
        self._views = telling_views(self.recipe.record_schema, self.detection)
        self._usual = fmean([len(self._views[""].text(seed)) for seed in self.recipe.seeds] or [0.0])

    def learn(self, number: int, findings: Findings) -> None:
        """Takes up the round `number`, once."""
        if number in self.learnt:
            return
        self.learnt.add(number)
        for niche in chain.from_iterable(grid.values() for grid in self.niches):
            niche.tried *= FADING
            niche.gained *= FADING
        for made in findings.made:
            self._take(made, findings.aims.get(made.call))
        for refused in findings.refused:
            self._note(refused, findings.aims.get(refused.call))
        if len(self.openings) > 2 * OPENINGS:
            kept = sorted(self.openings.items(), key=lambda item: (-item[1], item[0]))[:OPENINGS]
            self.openings = Counter(dict(kept))

    def niche(self, grid: int, cell: Cell) -> Niche:
        """The niche at `cell`; an empty one where nothing is known of it."""
        return self.niches[grid].get(cell) or Niche()

    def _at(self, grid: int, cell: Cell) -> Niche:
        return self.niches[grid].setdefault(cell, Niche())

    def _take(self, made: Made, aim: dict[str, Any] | None) -> None:
        self.records += 1
        said = excerpt(self._views[""].text(made.record))
        rank = made.quality
        if rank is None:
            rank = cheap_quality(made.record, self._views[""], self._usual)
        if first := opening(said):
            self.openings[first] += 1
        places = self.space.place(made.record, dict(made.aim))
        cells = [tuple(places[axis.name] for axis in grid) for grid in self.grids]
        for n, cell in enumerate(cells):
            niche = self._at(n, cell)
            niche.count += 1
            niche.best = sorted([*niche.best, (-rank, self.records, said)])[:BEST]
        if aim is None:
            return  # taken over from a file: no call was made for it
        n, target = self._target(aim, made.call)
        niche = self._tried(n, target)
        if target == cells[n]:
            niche.gained += 1.0 if made.quality is None else made.quality

    def _note(self, refused: Refused, aim: dict[str, Any] | None) -> None:
        if aim is None:
            return
        n, target = self._target(aim, refused.call)
        niche = self._tried(n, target)
        if refused.like is None or refused.record is None:
            return
        said = excerpt(self._views.get(refused.view, self._views[""]).text(refused.record))
        if said:
            for repeats in (niche.repeats, *self._told(n, target)):
                _hit(repeats, refused.like, said)

    def _target(self, aim: dict[str, Any], call: int) -> tuple[int, Cell]:
        """Grid and cell that a call aimed at; what it left open counts as any other value."""
        n = self.space.grid_of(aim, call)
        return n, self.space.aimed(aim, self.grids[n])

    def _tried(self, grid: int, target: Cell) -> Niche:
        """The niche that one more candidate was made for."""
        niche = self._at(grid, target)
        niche.tried += 1
        for repeats in (niche.repeats, *self._told(grid, target)):
            repeats.seen += 1
        return niche

    def _told(self, grid: int, target: Cell) -> list[Repeats]:
        axes = zip(self.grids[grid], target, strict=True)
        keys = [(axis.name, value) for axis, value in axes if value < len(axis.values)]
        return [self.values.setdefault(key, Repeats()) for key in keys]


def _hit(repeats: Repeats, like: str, said: str) -> None:
    times, first = repeats.hits.get(like, (0, said))
    repeats.hits[like] = (times + 1, first)
    if len(repeats.hits) > 2 * REPEATED:
        kept = sorted(repeats.hits.items(), key=lambda item: -item[1][0])[:REPEATED]
        repeats.hits = dict(kept)


def new_archive(recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> Archive:
    """An archive that knows nothing yet.

    Args:
        recipe: What the data set is made from.
        detection: The kind of data.
        settings: With the plan's own random seed.

    Raises:
        InputError: the user's attributes do not fit the schema.
    """
    return Archive(space_of(recipe, detection, settings), recipe, detection)
