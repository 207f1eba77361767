"""Field statistics."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.report.parts import read_part, read_records, record_frame, record_parquet
from datasynth.tasks.report.statistics import field_statistics

SCHEMA = RecordSchema(
    fields=(
        Field(name="id", required=False),
        Field(name="text", required=False),
        Field(name="count", type="integer", required=False),
        Field(name="share", type="number", required=False),
        Field(name="flag", type="boolean", required=False),
        Field(name="tags", type="array", items=Field(name=""), required=False),
        Field(name="turns", type="array", required=False),
        Field(name="note", nullable=True),
        Field(name="free", type="any", required=False),
        Field(name="source", type="object", required=False, fields=(Field(name="topic"),)),
        Field(name="metadata", type="object", required=False),
    )
)

SMALL = st.integers(-12, 12)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"note": st.none() | st.text(max_size=5)},
        optional={
            "text": st.text(max_size=20),
            "count": SMALL | st.integers(-(2**63), 2**63 - 1),
            "share": SMALL | st.floats(-100, 100),
            "flag": st.booleans(),
            "tags": st.lists(st.text(max_size=3), max_size=5),
            "turns": st.lists(SMALL, max_size=5),
            "free": SMALL | st.text(max_size=3),
            "source": st.just({"topic": "t"}),
            "metadata": st.just({"a": 1}),
        },
    ),
    min_size=1,
    max_size=8,
)


def as_the_earlier_tool(samples: list[dict[str, Any]], names: list[str]) -> dict[str, Any]:
    """The rules of `DataSynthesizer._compute_stats` in knowlyr-datasynth 0.4.2, said again."""
    stats: dict[str, Any] = {"total_samples": len(samples), "fields": {}}
    for name in names:
        values = [s[name] for s in samples if name in s]
        found: dict[str, Any] = {"count": len(values), "missing": len(samples) - len(values)}
        stats["fields"][name] = found
        if not values:
            continue
        if all(isinstance(v, str) for v in values):
            sizes = [len(v) for v in values]
            mean = round(sum(sizes) / len(sizes), 1)
            found |= {"type": "text", "avg_length": mean, "min_length": min(sizes), "max_length": max(sizes)}
        elif all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
            found |= {"type": "numeric", "min": min(values), "max": max(values)}
            found["avg"] = round(sum(values) / len(values), 2)
            if all(isinstance(v, int) for v in values) and max(values) - min(values) <= 20:
                found["distribution"] = dict(sorted((str(v), values.count(v)) for v in set(values)))
        elif all(isinstance(v, list) for v in values):
            sizes = [len(v) for v in values]
            mean = round(sum(sizes) / len(sizes), 1)
            found |= {"type": "list", "avg_items": mean, "min_items": min(sizes), "max_items": max(sizes)}
        else:
            found["type"] = "mixed"
    return stats


@settings(max_examples=150, deadline=None)
@given(RECORDS, st.integers(1, 8))
def test_statistics_are_the_earlier_tools_however_records_are_cut_into_parts(records, size):
    frames = [record_frame(records[i : i + size], SCHEMA) for i in range(0, len(records), size)]
    names = [f.name for f in SCHEMA.fields if f.name not in ("id", "metadata")]
    stored = [record for frame in frames for record in read_records(frame, SCHEMA)]
    expected = as_the_earlier_tool(stored, names)
    found = field_statistics(frames, SCHEMA)
    assert found["fields"].keys() == expected["fields"].keys()
    for name, figures in expected["fields"].items():
        if "avg" in figures:
            # A sum of floats may differ in its last digit, and so, rarely, may its rounding.
            assert found["fields"][name].pop("avg") == pytest.approx(figures.pop("avg"), abs=0.011, rel=1e-12)
    assert json.dumps(found) == json.dumps(expected)


def test_no_records_have_statistics_too():
    found = field_statistics([], RecordSchema(fields=(Field(name="a"),)))
    assert found == {"total_samples": 0, "fields": {"a": {"count": 0, "missing": 0}}}


def test_a_distribution_is_sorted_by_its_text():
    schema = RecordSchema(fields=(Field(name="n", type="integer"),))
    frame = record_frame([{"n": n} for n in (10, 9, 10, 2)], schema)
    assert list(field_statistics([frame], schema)["fields"]["n"]["distribution"].items()) == [
        ("10", 2),
        ("2", 1),
        ("9", 1),
    ]


def test_numbers_too_far_apart_have_no_distribution_even_over_two_parts():
    schema = RecordSchema(fields=(Field(name="n", type="integer"),))
    frames = [record_frame([{"n": n}], schema) for n in (0, 21)]
    assert "distribution" not in field_statistics(frames, schema)["fields"]["n"]


def test_whole_numbers_in_a_number_field_have_a_distribution():
    schema = RecordSchema(fields=(Field(name="x", type="number"),))
    figures = field_statistics([record_frame([{"x": 3.0}, {"x": 4}], schema)], schema)["fields"]["x"]
    assert figures == {
        "count": 2,
        "missing": 0,
        "type": "numeric",
        "min": 3,
        "max": 4,
        "avg": 3.5,
        "distribution": {"3": 1, "4": 1},
    }


def test_sums_beyond_64_bits_are_exact():
    schema = RecordSchema(fields=(Field(name="n", type="integer"),))
    figures = field_statistics([record_frame([{"n": 2**62}] * 4, schema)], schema)["fields"]["n"]
    assert figures["avg"] == 2**62


def test_a_data_part_with_its_lineage_is_taken_as_it_is(unit_schema, unit_records, lineage):
    part = read_part(record_parquet(unit_records, lineage(12), unit_schema))
    found = field_statistics([part], unit_schema)
    assert found["total_samples"] == 12
    assert list(found["fields"]) == ["question", "steps", "answer", "unit", "grade", "source"]
