"""What each call of a round shows, aims at and avoids.

A round of which nothing is known yet rotates evenly over seeds and niches; later ones are steered by the archive.
"""

import itertools
import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from datasynth.schemas.calls import PlannedCall
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.archive.archive import Archive, new_archive
from datasynth.tasks.archive.attributes import Attribute
from datasynth.tasks.archive.space import Space, draws, plan_key
from datasynth.tasks.archive.steering import UNLIKELY_FROM, Steering


def plan_calls(
    recipe: Recipe,
    detection: Detection,
    settings: SynthesisSettings,
    *,
    round: int,
    first_index: int,
    asked: Sequence[int],
    archive: Archive | None = None,
) -> tuple[PlannedCall, ...]:
    """One call for each entry of `asked`, in plan order.

    Given the same recipe, random seed, round, first index and finished rounds the plan is the same; while nothing is
    known the plan of fewer calls is its beginning.

    While nothing is known aims are a balanced rotation over the grid of attributes that goes on from round to round:
    within a grid's cycle every combination comes once and every value of an attribute about equally often. More than
    three attributes make several grids that take turns. With a diversity factor of 0 nothing is aimed at.

    Args:
        recipe: What the data set is made from.
        detection: The kind of data.
        settings: With the plan's own random seed.
        round: number of the round; rounds shuffle the seeds differently.
        first_index: index of the first call in the whole run.
        asked: records asked for, call by call.
        archive: what the finished rounds brought; None for a first round.

    Raises:
        InputError: the user's attributes do not fit the schema.
    """
    archive = archive or new_archive(recipe, detection, settings)
    space = archive.space
    rotation = itertools.islice(_seed_rotation(recipe, settings, round), len(asked))
    steering = Steering(archive, settings.diversity_factor, round, len(asked))
    close = _Closeness(recipe, space, seeds=settings.seed_sample_count) if archive.records else None
    calls = []
    for index, (count, shown) in enumerate(zip(asked, rotation, strict=True), first_index):
        turn, grid = divmod(index, len(archive.grids))
        if steering.wants(grid):
            aim = steering.aim(grid, count)
        else:
            aim = _niche(space.grids[grid], turn, f"{space.key}|{grid}") if space.grids else {}
        calls.append(
            PlannedCall(
                index=index,
                asked=count,
                seeds=close.hand(shown, aim) if close else shown,
                aim=aim,
                avoid=steering.avoid(grid, aim, turn),
                unlikely=archive.records > 0 and settings.diversity_factor >= UNLIKELY_FROM,
            )
        )
    return tuple(calls)


class _Closeness:
    """Puts seeds of the aimed niche, or the nearest ones, in place of half of those whose turn it is."""

    def __init__(self, recipe: Recipe, space: Space, *, seeds: int) -> None:
        self._room = min(seeds, len(recipe.seeds)) // 2
        self._space = space
        self._places = [space.place(seed, {}) for seed in recipe.seeds] if self._room else []
        self._nearest: dict[tuple[tuple[str, int], ...], deque[int]] = {}

    def hand(self, turn: tuple[int, ...], aim: dict[str, Any]) -> tuple[int, ...]:
        """The seeds to show: the first of `turn`, then some of those closest to `aim`, which take turns."""
        if not self._room or not aim:
            return turn
        kept = turn[: len(turn) - self._room]
        nearest = self._nearest_to(aim)
        chosen = [seed for seed in nearest if seed not in kept][: self._room]
        nearest.rotate(-self._room)
        rest = [seed for seed in turn if seed not in kept and seed not in chosen]
        return (*kept, *chosen, *rest[: self._room - len(chosen)])

    def _nearest_to(self, aim: dict[str, Any]) -> deque[int]:
        wanted = {axis.name: self._space.aimed(aim, (axis,))[0] for axis in self._space.axes if axis.name in aim}
        key = tuple(wanted.items())
        if key not in self._nearest:
            met = [sum(place[name] == value for name, value in wanted.items()) for place in self._places]
            most = max(met)
            self._nearest[key] = deque(i for i, n in enumerate(met) if n == most and most)
        return self._nearest[key]


def _niche(grid: Sequence[Attribute], turn: int, key: str) -> dict[str, Any]:
    """The cell of a grid at its `turn`: all cells once in a cycle, each cycle with its values in another order.

    Only the first axis keeps its order, so that it takes another value at every turn: neighbours always differ.
    """
    open_to = [[(value,) for value in axis.values] + ([()] if axis.open else []) for axis in grid]
    cycle, step = divmod(turn, math.prod(map(len, open_to)))
    first, others = draws(key, "niches"), draws(key, "niches", cycle)
    niche: dict[str, Any] = {}
    before = 1
    for axis, choices in zip(grid, open_to, strict=True):
        shuffled = (first if axis is grid[0] else others).sample(choices, len(choices))
        # Stepping through both together meets lcm(before, size) pairs; then one side is shifted by one, until
        # all before * size pairs have come. Every run of `size` steps without a shift holds each value once.
        size = len(choices)
        shift = step % (before * size) // math.lcm(before, size)
        for value in shuffled[(step + shift) % size]:
            niche[axis.name] = value
        before *= size
    return niche


def _seed_rotation(recipe: Recipe, settings: SynthesisSettings, round: int) -> Iterator[tuple[int, ...]]:
    """Positions of the seeds that the round's calls show, call by call, without end.

    Dealt from one shuffled deck after another, so that at any moment no seed was shown two times more than
    another; a call that falls between two decks takes from the new one what it does not hold yet. No call shows
    the same set of seeds as the one before it, unless it has to show them all.
    """
    shown = min(settings.seed_sample_count, len(recipe.seeds))
    shuffle = draws(plan_key(recipe, settings), "seeds", round)
    deck: list[int] = []
    before: set[int] = set()
    while True:
        hand = [deck.pop() for _ in range(min(shown, len(deck)))]
        if len(hand) < shown:
            fresh = shuffle.sample(range(len(recipe.seeds)), len(recipe.seeds))
            # Popped from the end: what the hand holds already goes to the front.
            deck = [seed for seed in fresh if seed in hand] + [seed for seed in fresh if seed not in hand]
            hand += [deck.pop() for _ in range(shown - len(hand))]
            if set(hand) == before and shown < len(recipe.seeds):
                # The whole hand came from the new deck, whose next card is none of it.
                hand[-1], deck[-1] = deck[-1], hand[-1]
        before = set(hand)
        yield tuple(hand)
