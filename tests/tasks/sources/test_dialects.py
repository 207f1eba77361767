from typing import Any

import pytest

from datasynth.schemas.errors import InputError
from datasynth.schemas.record import Field, RubricLevel
from datasynth.tasks.sources.dialects import parse_record_schema


def refusal(document: Any) -> str:
    with pytest.raises(InputError) as caught:
        parse_record_schema(document, "DATA_SCHEMA.json")
    return str(caught.value)


@pytest.mark.parametrize("empty", [{}, {"fields": []}, {"properties": {}}, {"type": "object"}, []])
def test_a_schema_without_fields_is_refused(empty):
    assert "no field in this schema" in refusal(empty)


@pytest.mark.parametrize("value", [None, 3, "text", True])
def test_what_is_no_schema_is_refused(value):
    assert "holds no schema" in refusal(value)


def test_both_dialects_at_once_are_refused():
    assert "Keep one" in refusal({"fields": [{"name": "a"}], "properties": {"b": {}}})


def test_a_bare_list_of_fields_is_a_schema():
    assert parse_record_schema([{"name": "a"}], "list").fields == (Field(name="a"),)


def test_name_description_and_rubric_are_read():
    levels = [{"score": 1, "label": "优秀", "description": "好"}, {"score": "0.5分", "criteria": "so so"}]
    schema = parse_record_schema(
        {"project_name": "p", "description": "d", "fields": [{"name": "a"}], "scoring_rubric": levels}, "x"
    )
    assert (schema.name, schema.description) == ("p", "d")
    assert schema.rubric == (
        RubricLevel(score=1, label="优秀", description="好"),
        RubricLevel(score=0.5, description="so so"),
    )


@pytest.mark.parametrize("level", [{"score": "full"}, {"label": "good"}, "good", {"score": True}])
def test_a_rubric_level_without_a_number_is_refused(level):
    message = refusal({"fields": [{"name": "a"}], "scoring_rubric": [level]})
    assert 'entry 1 of "scoring_rubric"' in message


def test_a_field_named_as_our_own_column_is_refused():
    assert "_lineage" in refusal({"fields": [{"name": "_lineage"}]})
