"""Schemas, records and a report that the report tests share."""

from typing import Any

import pytest

from datasynth.schemas.calls import Usage
from datasynth.schemas.messages import say
from datasynth.schemas.recipe import SeedProblem
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.report import Counts, Estimate, RoundOutcome, RunReport, Spend


def lineage_of(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"SYNTH_{number:04d}",
        "run": "run-1",
        "round": 1,
        "call": (number - 1) // 5,
        "position": (number - 1) % 5,
        "reply": f"key{number}",
        "provider": "simulated",
        "model": "simulated-1",
        "seeds": [0, 1],
        "aim": '{"unit":"km"}',
        "simulated": True,
        "quality": None if number == 1 else number / 16,
    } | changes


@pytest.fixture
def lineage():
    return lambda count: [lineage_of(n) for n in range(1, count + 1)]


@pytest.fixture
def unit_schema() -> RecordSchema:
    """The shape of shared/datarecipe/unit_conversion_spec."""
    return RecordSchema(
        name="Unit conversion",
        fields=(
            Field(name="question"),
            Field(name="id"),
            Field(name="steps", type="array", items=Field(name="step")),
            Field(name="answer", type="number"),
            Field(name="unit", enum=("m", "km")),
            Field(name="grade", type="integer", required=False),
            Field(
                name="source",
                type="object",
                required=False,
                fields=(Field(name="topic"), Field(name="verified", type="boolean", required=False)),
            ),
            Field(name="metadata", type="object", required=False),
        ),
    )


@pytest.fixture
def unit_records() -> list[dict[str, Any]]:
    return [
        {
            "question": f"How many metres are {n} kilometres, written out?",
            "steps": [f"{n} times 1000", "so it is done"],
            "answer": n * 1000,
            "unit": "m",
            "grade": 3 + n % 4,
            "source": {"topic": "长度 <b>"},
        }
        for n in range(1, 13)
    ]


def report_with(**changes: Any) -> RunReport:
    counts = Counts(
        asked=120,
        unasked=3,
        accepted=100,
        rejected={"validate.enum": 4, "dedup.near_duplicate": 6, "surplus.beyond_target": 2},
        missing={"truncated": 7, "timeout": 4},
        repairs=9,
    )
    spend = Spend(calls=23, usage=Usage(20_000, 40_000, 60_000, 1_000), cost_usd=0.7283, possible_usd=0.031)
    facts: dict[str, Any] = {
        "run_id": "20260101-abc",
        "dataset": "support_zh",
        "target": 100,
        "stopped_by": "done",
        "explanation": say("The count was met."),
        "simulated": False,
        "kind": "instruction_response",
        "kind_reasons": (say("Fields {names} are there.", names="instruction, response"),),
        "language": "zh",
        "provider": "anthropic",
        "model": "claude-x",
        "recipe_fingerprint": "f00d",
        "source": "/data/support_zh",
        "seeds_used": 4,
        "seed_problems": (SeedProblem(seed="SAMPLE_005", field="quality", reason=say("{v} is too big", v=9)),),
        "counts": counts,
        "spend": spend,
        "estimate": Estimate(calls=20, input_tokens=80_000, output_tokens=41_000, cost_usd=0.7),
        "rounds": (RoundOutcome(round=1, calls=24, counts=counts, spend=spend, model="claude-x"),),
        "started_at": "2026-01-01T00:00:00Z",
        "duration_seconds": 133.4,
        "fields": {
            "instruction": {
                "count": 100,
                "missing": 0,
                "type": "text",
                "avg_length": 20.5,
                "min_length": 8,
                "max_length": 41,
            },
            "quality": {
                "count": 90,
                "missing": 10,
                "type": "numeric",
                "min": 3,
                "max": 5,
                "avg": 4.2,
                "distribution": {"3": 10, "4": 50, "5": 30},
            },
        },
        "run_url": "/store/support_zh/runs/20260101-abc",
        "data_url": "/store/support_zh/runs/20260101-abc/data",
        "output": "/data/support_zh/11_合成数据/synthetic.json",
        "settings": {"temperature": 0.9, "max_cost": None},
    }
    return RunReport(**(facts | changes))


@pytest.fixture
def make_report():
    return report_with
