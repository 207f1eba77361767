"""The space to fill: its axes, the grids of cells they span, and where in it a record lies."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.archive.attributes import LENGTH, Attribute, attributes, length_bin

AIMED_AT_ONCE = 3
"""Attributes that one aim names at most: with more, the values contradict each other and records grow alike."""

Cell = tuple[int, ...]
"""A place in a grid: for each axis the number of the value, or the number of values for any other one."""


@dataclass(frozen=True)
class Space:
    """Axes, and the grids that take turns where there are more than three."""

    axes: tuple[Attribute, ...]
    grids: tuple[tuple[Attribute, ...], ...]
    key: str
    """What every draw of the plan is seeded with."""

    def place(self, record: dict[str, Any], aim: dict[str, Any]) -> dict[str, int]:
        """The number of the record's value on each axis; the number of values where it has none of them.

        Args:
            record: Only its top-level fields are read.
            aim: What it was made for: all there is to tell a free attribute by.
        """
        return {axis.name: self._number(axis, record, aim) for axis in self.axes}

    def aimed(self, aim: dict[str, Any], grid: Sequence[Attribute]) -> Cell:
        """The cell of `grid` that `aim` means; attributes that it leaves open count as other values."""
        return tuple(self._known(axis, aim.get(axis.name)) for axis in grid)

    def grid_of(self, aim: dict[str, Any], index: int) -> int:
        """The grid that the call `index` of the run aimed in."""
        turn = index % max(1, len(self.grids))
        named = [n for n, grid in enumerate(self.grids) if any(axis.name in aim for axis in grid)]
        return named[0] if named and turn not in named else turn

    def _number(self, axis: Attribute, record: dict[str, Any], aim: dict[str, Any]) -> int:
        if axis.kind == "field":
            return self._known(axis, record.get(axis.name))
        if axis.kind == "length":
            found = length_bin(record.get(axis.name.removesuffix(LENGTH)), axis.values)
            return len(axis.values) if found is None else found
        if axis.name in aim or axis.topics is None:
            return self._known(axis, aim.get(axis.name))
        nearest = axis.topics.nearest(record)
        return len(axis.values) if nearest is None else nearest

    def _known(self, axis: Attribute, value: Any) -> int:
        # Type and text: 1 and true are equal in Python and not in JSON. Lists and objects are no value of an axis.
        return self._numbers[axis.name].get((type(value), str(value)), len(axis.values))

    @cached_property
    def _numbers(self) -> dict[str, dict[tuple[type, str], int]]:
        return {axis.name: {(type(v), str(v)): i for i, v in enumerate(axis.values)} for axis in self.axes}


def space_of(recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> Space:
    """The space that `settings` steer through; without axes where the diversity is 0.

    Raises:
        InputError: the user's values for a field do not fit the schema.
    """
    axes = attributes(recipe, detection, settings) if settings.diversity_factor > 0 else ()
    key = plan_key(recipe, settings)
    return Space(axes, tuple(_grids(draws(key, "grids").sample(axes, len(axes)))), key)


def _grids(axes: Sequence[Attribute]) -> list[tuple[Attribute, ...]]:
    """The axes in as few groups of at most three as they need, of sizes as equal as can be.

    One or two attributes of the user's own stand in every group: their shares are to hold for all records.
    """
    given = [axis for axis in axes if axis.given]
    if len(given) >= AIMED_AT_ONCE:
        given = []
    others = [axis for axis in axes if axis not in given]
    number = max(1 if given else 0, math.ceil(len(others) / (AIMED_AT_ONCE - len(given))))
    return [(*given, *others[i::number]) for i in range(number)]


def options(axis: Attribute) -> list[int]:
    """The numbers of the values that a call may aim at; of an open axis also "any other"."""
    wanted = [i for i in range(len(axis.values)) if not axis.weights or axis.weights[i] > 0]
    return [*wanted, len(axis.values)] if axis.open and not axis.weights else wanted


def plan_key(recipe: Recipe, settings: SynthesisSettings) -> str:
    """What the draws of a plan are seeded with."""
    return f"{settings.random_seed}|{recipe.fingerprint}"


def draws(key: str, *purpose: str | int) -> random.Random:
    """The generator for one purpose of a plan."""
    # Seeded with text, which Python hashes with SHA-512: the same on any machine and in any process.
    return random.Random("|".join(map(str, (key, *purpose))))  # noqa: S311 (no secret)
