"""Where the next calls should aim, and what their prompts name as written already.

A call is worth what it adds: a niche that holds little is worth more than a full one, and one where the model has run
dry is worth little whatever it holds. That is alpha-fair sharing (Mo and Walrand 2000, "Fair end-to-end window-based
congestion control"): each call goes where yield / (records + 1) ** alpha is greatest. A small alpha takes what
the model gives easily, a large one evens out; `--diversity` chooses it. Shares that the user gave come before all that.
"""

import heapq
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasynth.tasks.archive.archive import PRIOR, Archive, Niche
from datasynth.tasks.archive.attributes import Attribute
from datasynth.tasks.archive.space import Cell, draws, options

MOST_CELLS = 20_000
"""Cells of a grid up to which each one is weighed; a larger grid is hardly ever full, so its rotation goes on."""
DRY_SHARE = 0.2
"""Of the grid's yield, below which a niche is dry, once as many candidates as PRIOR were made there: it then gets one
call a round, for models and prompts change, and never more than PROBES of a round go into dry ones."""
PROBES = 0.1
ODD_OPENING = 0.1
"""Share of all records that begin alike from which the opening is named as one to leave."""
MOST_OPENINGS = 2
WORTH_NAMING = 0.01
"""Share of a niche's candidates from which it pays to name what they repeat: an excerpt costs some 20 input tokens, a
record for nothing 100 output tokens and more, at five times the price."""
EXCERPTS = 32
"""Excerpts that a prompt shows at diversity 1; some 15 to 25 tokens each."""
UNLIKELY_FROM = 0.7
"""Diversity from which prompts ask for the less likely answers."""


def evenness(diversity: float) -> int:
    """Alpha by the bands of the diversity factor; a whole number, so that powers are exact on any machine."""
    if diversity < 0.3:
        return 1
    return 2 if diversity < UNLIKELY_FROM else 4


@dataclass
class _Choice:
    """A cell that calls may aim at."""

    cell: Cell
    count: float
    gain: float
    """Expected share of a call's records that are accepted here."""
    dry: bool


@dataclass
class _Stratum:
    """Cells that agree in all values that the user gave shares of; without shares, all cells."""

    share: float
    count: float = 0.0
    queue: list[tuple[float, int, _Choice]] = field(default_factory=list)
    """By rank, the most rewarding first; ties in an order that is drawn anew for each round."""


@dataclass
class Steering:
    """Chooses the aims of one round, call by call."""

    archive: Archive
    diversity: float
    round: int
    calls: int
    _grids: dict[int, "_Grid"] = field(default_factory=dict)
    _told: dict[tuple[int, Cell], tuple[list[str], list[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        least = max(3.0, ODD_OPENING * self.archive.records)
        often = sorted((-times, said) for said, times in self.archive.openings.items() if times >= least)
        self._openings = [said for _, said in often[:MOST_OPENINGS]]

    def wants(self, grid: int) -> bool:
        """Whether the grid's cells are weighed; else its rotation goes on."""
        axes = self.archive.grids[grid]
        known = self.archive.records > 0 or any(axis.weights for axis in axes)
        return bool(axes) and known and math.prod(len(options(axis)) for axis in axes) <= MOST_CELLS

    def aim(self, grid: int, asked: int) -> dict[str, Any]:
        """The aim of a call in `grid` that asks for so many records."""
        if grid not in self._grids:
            self._grids[grid] = _Grid(self.archive, grid, self.diversity, self.round, self.calls)
        cell = self._grids[grid].next(asked)
        axes = self.archive.grids[grid]
        return {axis.name: axis.values[i] for axis, i in zip(axes, cell, strict=True) if i < len(axis.values)}

    def avoid(self, grid: int, aim: dict[str, Any], turn: int) -> tuple[str, ...]:
        """Excerpts of what the aim's niche, or else its neighbours, hold already; what is repeated most comes first.

        Args:
            grid: The grid aimed in.
            aim: Of the call.
            turn: Shifts what follows the most repeated half, so that calls with one aim do not all name the same.
        """
        number = round(EXCERPTS * self.diversity)
        if not number or not self.archive.records:
            return ()
        repeated, held = self._known(grid, self.archive.space.aimed(aim, self.archive.grids[grid]))
        fixed, rest = repeated[: number // 2], repeated[number // 2 :]
        shift = turn * number % len(rest) if rest else 0
        named = dict.fromkeys([*fixed, *rest[shift:], *rest[:shift], *held])
        return (*self._openings, *itertools.islice(named, max(0, number - len(self._openings))))

    def _known(self, grid: int, cell: Cell) -> tuple[list[str], list[str]]:
        """What calls for the niche, or for one of its values, repeat, the likeliest first; and what is there already,
        in it and beside it.
        """
        if (grid, cell) not in self._told:
            archive, axes = self.archive, self.archive.grids[grid]
            here = archive.niche(grid, cell)
            near = [archive.niche(grid, other) for other in _neighbours(cell, axes)]
            values = [archive.values.get((axis.name, i)) for axis, i in zip(axes, cell, strict=True)]
            rates: dict[str, float] = {}
            for repeats in (here.repeats, *filter(None, values)):
                for said, rate in repeats.rates().items():
                    rates[said] = max(rate, rates.get(said, 0.0))
            repeated = sorted((said for said in rates if rates[said] >= WORTH_NAMING), key=lambda said: -rates[said])
            held = [said for niche in ([here] if here.best else near) for _, _, said in niche.best]
            self._told[grid, cell] = repeated, held
        return self._told[grid, cell]


def _neighbours(cell: Cell, axes: Sequence[Attribute]) -> Iterator[Cell]:
    """Cells that differ from `cell` on one axis, nearest values first."""
    for place, axis in enumerate(axes):
        for value in sorted(range(len(axis.values)), key=lambda v: (abs(v - cell[place]), v))[:4]:
            if value != cell[place]:
                yield (*cell[:place], value, *cell[place + 1 :])


class _Grid:
    """The cells of one grid as queues, one for each stratum."""

    def __init__(self, archive: Archive, grid: int, diversity: float, round: int, calls: int) -> None:
        axes, known = archive.grids[grid], archive.niches[grid]
        cells = list(itertools.product(*map(options, axes)))
        self._alpha = evenness(diversity)
        self._probes = math.ceil(PROBES * calls)
        self._strata: dict[Cell, _Stratum] = {}
        usual = _usual_yield(known.values())
        for n, cell in enumerate(draws(archive.space.key, "steer", grid, round).sample(cells, len(cells))):
            choice = _choice(cell, known.get(cell), usual)
            stratum = self._strata.setdefault(*_stratum(cell, axes))
            stratum.queue.append((self._rank(choice), n, choice))
        for cell, niche in known.items():
            name, _ = _stratum(cell, axes)
            if name in self._strata:
                self._strata[name].count += niche.count
        for stratum in self._strata.values():
            heapq.heapify(stratum.queue)

    def next(self, asked: int) -> Cell:
        """The cell that a call for `asked` records adds the most to."""
        while True:
            open_ones = [stratum for stratum in self._strata.values() if stratum.queue]
            # The one furthest behind its share, as seats are given out (Sainte-Lague).
            stratum = min(open_ones, key=lambda s: (s.count + asked / 2) / s.share)
            _, n, choice = heapq.heappop(stratum.queue)
            if not choice.dry or (len(open_ones) == 1 and not stratum.queue):
                choice.count += asked * choice.gain
                stratum.count += asked * choice.gain
                heapq.heappush(stratum.queue, (self._rank(choice), n, choice))
                return choice.cell
            # A dry niche leaves the queue: with its one probe, or without where enough others were made.
            if self._probes > 0:
                self._probes -= 1
                return choice.cell

    def _rank(self, choice: _Choice) -> float:
        # Multiplied out: powers of floats differ in their last bit from one C library to the next.
        return math.prod([choice.count + 1] * self._alpha) / choice.gain


def _stratum(cell: Cell, axes: Sequence[Attribute]) -> tuple[Cell, _Stratum]:
    """The values with shares of a cell, and an empty stratum for them."""
    with_shares = [(axis, i) for axis, i in zip(axes, cell, strict=True) if axis.weights]
    share = math.prod(axis.weights[i] if i < len(axis.weights) else 0.0 for axis, i in with_shares)
    return tuple(i for _, i in with_shares), _Stratum(share)


def _choice(cell: Cell, niche: Niche | None, usual: float) -> _Choice:
    if niche is None:
        return _Choice(cell, 0.0, usual, dry=False)
    gain = (niche.gained + PRIOR * usual) / (niche.tried + PRIOR)
    return _Choice(cell, float(niche.count), gain, dry=niche.tried >= PRIOR and gain < DRY_SHARE * usual)


def _usual_yield(niches: Any) -> float:
    """The grid's own yield; never nothing, for then no niche could be told from another."""
    tried = gained = 0.0
    for niche in niches:
        tried, gained = tried + niche.tried, gained + niche.gained
    return max(0.05, (gained + 1) / (tried + 1))
