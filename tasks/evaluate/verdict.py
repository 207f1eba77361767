"""What must hold of data, and whether it does."""

from collections.abc import Sequence

from datasynth.schemas.evaluation import EvaluationSettings, Gate, Verdict

LEAST = ("min_valid", "min_quality")


def gates_of(
    settings: EvaluationSettings, *, valid: float | None, quality: float | None, repeating: float | None
) -> tuple[Gate, ...]:
    """The gates that `settings` ask for, held against what was found.

    Args:
        settings: Of the evaluation.
        valid: Share of the valid records.
        quality: Mean score by the judge.
        repeating: Share of the records that repeat an earlier one.
    """
    found = {"min_valid": valid, "min_quality": quality, "max_near_duplicates": repeating}
    return tuple(
        Gate.model_validate(
            {"name": name, "wanted": wanted, "found": share, "met": _met(wanted, share, least=name in LEAST)}
        )
        for name, share in found.items()
        if (wanted := getattr(settings, name)) is not None
    )


def _met(wanted: float, found: float | None, *, least: bool) -> bool:
    """Nobody may take for good what could not be measured."""
    if found is None:
        return False
    return found >= wanted if least else found <= wanted


def verdict_of(gates: Sequence[Gate]) -> Verdict:
    """The verdict: without a gate there is none."""
    if not gates:
        return "measured"
    return "passed" if all(gate.met for gate in gates) else "failed"
