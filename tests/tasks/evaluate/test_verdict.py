"""Gates and the verdict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.evaluation import EvaluationSettings, Gate
from datasynth.tasks.evaluate.verdict import gates_of, verdict_of

SHARES = st.floats(0, 1)
MAYBE = st.none() | SHARES


def gates(found: tuple[float | None, ...], **wanted: float | None) -> tuple[Gate, ...]:
    settings = EvaluationSettings.model_validate({"data": "x"} | wanted)
    return gates_of(settings, valid=found[0], quality=found[1], repeating=found[2])


@given(st.tuples(MAYBE, MAYBE, MAYBE))
def test_without_a_gate_it_is_measured_whatever_was_found(
    found: tuple[float | None, ...],
) -> None:
    assert verdict_of(gates(found)) == "measured"


@given(st.tuples(MAYBE, MAYBE, MAYBE), st.tuples(MAYBE, MAYBE, MAYBE))
def test_it_passes_exactly_where_every_gate_that_was_asked_for_is_met(
    found: tuple[float | None, ...], wanted: tuple[float | None, ...]
) -> None:
    names = ("min_valid", "min_quality", "max_near_duplicates")
    asked = [(name, f, w) for name, f, w in zip(names, found, wanted, strict=True) if w is not None]
    met = [f is not None and (f >= w if name.startswith("min") else f <= w) for name, f, w in asked]
    made = gates(found, **dict(zip(names, wanted, strict=True)))
    assert [gate.met for gate in made] == met
    assert verdict_of(made) == ("measured" if not asked else "passed" if all(met) else "failed")


@given(SHARES)
def test_what_was_found_exactly_as_wanted_is_enough(share: float) -> None:
    made = gates((share, share, share), min_valid=share, min_quality=share, max_near_duplicates=share)
    assert verdict_of(made) == "passed"


@pytest.mark.parametrize("name", ["min_valid", "min_quality", "max_near_duplicates"])
def test_what_could_not_be_measured_meets_no_gate(name: str) -> None:
    wanted = 0.0 if name.startswith("min") else 1.0
    assert verdict_of(gates((None, None, None), **{name: wanted})) == "failed"
