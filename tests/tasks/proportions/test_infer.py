"""Records of any form are stored by a schema found from them, and come back as they were."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.proportions.infer import common_schema, schema_of_records
from datasynth.tasks.report.parts import read_records, record_frame

NAMES = st.sampled_from(["text", "answer", "turns", "score", "metadata", "_other"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES), min_size=1, max_size=6)


def back(records: list[dict[str, Any]], schema: RecordSchema) -> list[dict[str, Any]]:
    return read_records(record_frame(records, schema), schema)


@given(RECORDS)
def test_records_of_any_form_come_back_as_they_were(records: list[dict[str, Any]]) -> None:
    assert back(records, common_schema("mix", [None], records)) == records


def test_values_of_one_type_get_a_column_of_it() -> None:
    records = [
        {"text": "a", "n": 1, "x": 1, "turns": [{"role": "user", "content": "b"}], "yes": True},
        {"text": "c", "n": 2, "x": 1.5, "turns": []},
    ]
    types = {field.name: field.type for field in schema_of_records(records).fields}
    assert types == {"text": "string", "n": "integer", "x": "number", "turns": "array", "yes": "boolean"}


def test_a_schema_that_all_parts_share_stays() -> None:
    schema = RecordSchema(fields=(Field(name="level", enum=("easy", "hard")),))
    assert common_schema("mix", [schema, schema], [{"level": "easy"}]).fields == schema.fields


def test_ids_of_several_origins_become_one_field_of_texts() -> None:
    records = [{"id": 1, "text": "a"}, {"id": "SYNTH_0001", "text": "b"}]
    assert common_schema("mix", [None, None], records).identity == Field(name="id")
