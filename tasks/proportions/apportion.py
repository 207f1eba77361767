"""Shares as whole numbers of records that add up."""

from collections.abc import Sequence
from fractions import Fraction

from datasynth.schemas.proportions import Part, ProportionalSettings


def largest_remainder(total: int, weights: Sequence[Fraction]) -> list[int]:
    """`total` divided in proportion to `weights`: whole numbers that add up to it, each less than one off its quota.

    Of equal remainders the earlier one is rounded up.

    Source: Hare quota and largest remainders, as Balinski and Young 1982, "Fair Representation", describe Hamilton's
    method.
    """
    whole = sum(weights, Fraction(0))
    quotas = [total * weight / whole for weight in weights]
    numbers = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda i: (numbers[i] - quotas[i], i))
    for i in by_remainder[: total - sum(numbers)]:
        numbers[i] += 1
    return numbers


def whole_numbers(settings: ProportionalSettings) -> list[int]:
    """Records wanted of each part: counts as they are, the rest divided by the shares."""
    rest = settings.total - sum(part.count or 0 for part in settings.parts)
    weights = [_weight(part) for part in settings.parts if part.count is None]
    shared = iter(largest_remainder(rest, weights) if weights else [])
    return [part.count if part.count is not None else next(shared) for part in settings.parts]


def scaled(settings: ProportionalSettings, made: Sequence[int]) -> list[int]:
    """The largest whole numbers in the proportions of `settings` that no part's `made` falls short of.

    Where a part has a count, the whole numbers wanted are the proportions.
    """
    wanted = whole_numbers(settings)
    counted = any(part.count is not None for part in settings.parts)
    weights = [Fraction(n) for n in wanted] if counted else [_weight(part) for part in settings.parts]
    whole = sum(weights, Fraction(0))
    # No total beyond this fits: each number is less than one below its quota.
    most = min(int((n + 1) * whole / weight) for n, weight in zip(made, weights, strict=True) if weight)
    # Downwards one by one: a larger total may give a part fewer (the Alabama paradox), so nothing can be halved.
    for total in range(min(settings.total, most), 0, -1):
        numbers = largest_remainder(total, weights)
        if all(number <= n for number, n in zip(numbers, made, strict=True)):
            return numbers
    return [0] * len(wanted)


def _weight(part: Part) -> Fraction:
    # By its shortest decimal form: 0.1 is a tenth, as it was typed.
    return Fraction(str(part.share or 0))
