"""How the values of each field spread over bins, for the seeds and for the output."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from datasynth.schemas.measures import Distribution
from datasynth.tasks.dedup.views import ROLE_LABELS

MOST_DISTRIBUTIONS = 12
MOST_BINS = 12
MOST_CATEGORIES = 200
"""Different texts of a field from which it is free text; it bounds memory."""
LONGEST_CATEGORY = 60
NARROW = 20
"""Whole numbers (or counts of items) no further apart than this have a bin each."""
LEAST_REPEATS = 3
"""Times that each text of a field occurs on average where it is a category without being known for one."""
TAIL = 0.98
"""Share of the values that the bins of equal width cover at least; the last bin takes all above."""


SMALLEST = 1e-300
"""Width of a bin below which its digits are lost."""


@dataclass
class ValueCounts:
    """The values of one field so far; of a size that does not grow with the records."""

    categories: Counter[str] | None = field(default_factory=Counter)
    numbers: Counter[float] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    items: Counter[int] = field(default_factory=Counter)

    def add(self, value: Any) -> None:
        """Counts one value of any JSON type; null and absent ones count as nothing."""
        match value:
            case None:
                return
            case bool():
                self._add_category("true" if value else "false")
            case str():
                self.lengths[len(value)] += 1
                self._add_category(value)
            case int() | float():
                # Four digits keep the number of different values bounded; whole numbers up to 9,999 stay exact.
                self.numbers[float(f"{value:.4g}")] += 1
            case list():
                self.items[len(value)] += 1
                self.lengths[characters(value)] += 1
            case _:
                self.lengths[characters(value)] += 1

    def _add_category(self, text: str) -> None:
        if self.categories is None:
            return
        if len(text) > LONGEST_CATEGORY or "\n" in text:
            self.categories = None
            return
        self.categories[text] += 1
        if len(self.categories) > MOST_CATEGORIES:
            self.categories = None


def characters(value: Any) -> int:
    """Characters of all texts in a JSON value, without the names of fields and of who speaks in a conversation."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(characters, value))
    if isinstance(value, dict):
        return sum(characters(part) for name, part in value.items() if len(value) == 1 or name not in ROLE_LABELS)
    return 0


def distributions(
    seeds: Mapping[str, ValueCounts], output: Mapping[str, ValueCounts], known: Mapping[str, Sequence[str]]
) -> tuple[Distribution, ...]:
    """The distributions of all fields, categories first; at most twelve.

    Args:
        seeds: By field name.
        output: The same fields.
        known: Values by name of the fields that are categories; they come first in the bins, in this order.
    """
    found = [
        made
        for name, values in output.items()
        for made in _of_field(name, seeds[name], values, tuple(known.get(name, ())))
    ]
    order = ("category", "number", "length", "items")
    return tuple(sorted(found, key=lambda made: order.index(made.what))[:MOST_DISTRIBUTIONS])


def _of_field(name: str, seeds: ValueCounts, output: ValueCounts, known: tuple[str, ...]) -> Iterable[Distribution]:
    if known or _are_categories(seeds, output):
        yield _categories(name, _as_categories(seeds), _as_categories(output), known)
        return
    if seeds.numbers or output.numbers:
        yield _numbers(name, "number", seeds.numbers, output.numbers)
    if output.lengths or seeds.lengths:
        yield _numbers(name, "length", seeds.lengths, output.lengths)
    if output.items or seeds.items:
        yield _numbers(name, "items", seeds.items, output.items)


def _are_categories(seeds: ValueCounts, output: ValueCounts) -> bool:
    if not output.categories or seeds.categories is None:
        return False
    return len(output.categories) <= MOST_BINS and output.categories.total() >= LEAST_REPEATS * len(output.categories)


def _as_categories(values: ValueCounts) -> Counter[str]:
    numbers = Counter(
        {f"{value:.0f}" if value == int(value) else f"{value:g}": n for value, n in values.numbers.items()}
    )
    return (values.categories or Counter()) + numbers


def _categories(name: str, seeds: Counter[str], output: Counter[str], known: tuple[str, ...]) -> Distribution:
    by_frequency = sorted((seeds + output).items(), key=lambda item: (-output[item[0]], -item[1], item[0]))
    found = [value for value, _ in by_frequency if value not in known]
    kept = known if len(known) <= MOST_BINS else tuple(sorted(known, key=lambda value: -output[value])[:MOST_BINS])
    labels = (*kept, *found[: max(0, MOST_BINS - len(kept))])
    counts = tuple(output[label] for label in labels)
    return Distribution(
        name=name,
        what="category",
        labels=labels,
        seeds=tuple(seeds[label] for label in labels),
        output=counts,
        others=output.total() - sum(counts),
    )


def _numbers(name: str, what: Any, seeds: Mapping[Any, int], output: Mapping[Any, int]) -> Distribution:
    values = sorted(seeds.keys() | output.keys())
    low, high = values[0], values[-1]
    if all(value == int(value) for value in values) and high - low <= NARROW:
        whole = range(int(low), int(high) + 1)
        return Distribution(
            name=name,
            what=what,
            labels=tuple(f"{value:,}" for value in whole),
            seeds=tuple(seeds.get(value, 0) for value in whole),
            output=tuple(output.get(value, 0) for value in whole),
        )
    edges = _edges(low, _quantile(Counter(seeds) + Counter(output), TAIL), high)
    return Distribution(
        name=name,
        what=what,
        labels=_range_labels(edges, high, whole=all(value == int(value) for value in values)),
        seeds=_binned(seeds, edges),
        output=_binned(output, edges),
    )


def _quantile(counts: Counter[Any], share: float) -> float:
    wanted = share * counts.total()
    for value, n in sorted(counts.items()):
        wanted -= n
        if wanted <= 0:
            return value
    return max(counts)


def _edges(low: float, tail: float, high: float) -> list[float]:
    """Lower edges of at most twelve bins whose width is 1, 2 or 5 times a power of ten."""
    tail = tail if tail > low else high
    rough = (tail - low) / (MOST_BINS - 2)
    if not SMALLEST < rough < math.inf:
        return [low]  # one value, or such as differ by less or more than a number can say
    power = 10.0 ** math.floor(math.log10(rough))
    width = next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))
    first = math.floor(low / width)
    # Multiplied, not summed up, and rounded: 0.30000000000000004 is no edge for people.
    return [float(f"{k * width:.6g}") for k in range(first, math.floor(tail / width) + 1)]


def _range_labels(edges: Sequence[float], high: float, *, whole: bool) -> tuple[str, ...]:
    if len(edges) == 1:
        return (f"{edges[0]:,.6g}" if edges[0] == high else f"{edges[0]:,.6g}-{high:,.6g}",)
    width = edges[1] - edges[0]
    labels = []
    for i, edge in enumerate(edges):
        if i == len(edges) - 1 and high >= edge + width:
            labels.append(f"{edge:,.6g}+")
        elif whole and width >= 2:
            labels.append(f"{edge:,.6g}-{edge + width - 1:,.6g}")
        else:
            labels.append(f"{edge:,.6g}" if whole else f"{edge:,.6g}-{edge + width:,.6g}")
    return tuple(labels)


def _binned(counts: Mapping[Any, int], edges: Sequence[float]) -> tuple[int, ...]:
    bins = [0] * len(edges)
    for value, n in counts.items():
        place = sum(1 for edge in edges if edge <= value * (1 + 1e-12)) - 1
        bins[max(place, 0)] += n
    return tuple(bins)
