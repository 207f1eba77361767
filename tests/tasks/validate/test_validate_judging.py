"""The step as a run takes it: a frame of candidates in, the same rows with verdicts out."""

from typing import Any

import orjson
import pandera.errors
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.frames import Judged
from datasynth.schemas.recipe import Detection
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.validate.validator import RecordValidator, accept_all, describe, judge

SCHEMA = RecordSchema(
    fields=(
        Field(name="id"),
        Field(name="question", max_length=20),
        Field(name="grade", type="integer", minimum=1, maximum=6),
        Field(name="metadata", type="object", required=False),
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["question", "grade", "id"]), inner),
    max_leaves=4,
)


def candidates(*records: Any) -> pl.DataFrame:
    texts = [record if isinstance(record, str) else orjson.dumps(record).decode() for record in records]
    return pl.DataFrame(
        {
            "call": list(range(len(texts))),
            "position": [0] * len(texts),
            "record": texts,
            "reply": [f"reply-{n}" for n in range(len(texts))],
        },
        schema={"call": pl.Int64, "position": pl.Int64, "record": pl.String, "reply": pl.String},
    )


def test_a_valid_record_is_kept_with_no_reason():
    judged = judge(candidates({"question": "Why?", "grade": 3}), SCHEMA)
    assert judged.select("record", "repairs", "reason", "field", "detail").row(0) == (
        '{"question":"Why?","grade":3}',
        0,
        None,
        None,
        None,
    )


def test_a_repaired_record_is_kept_as_repaired():
    judged = judge(candidates({"question": "Why?", "grade": "3", "note": "x"}), SCHEMA)
    assert judged.select("record", "repairs", "reason").row(0) == ('{"question":"Why?","grade":3}', 2, None)


def test_a_refused_record_is_kept_as_written_with_its_first_reason_and_all_in_detail():
    judged = judge(candidates({"question": "x" * 21, "grade": 9}), SCHEMA)
    assert orjson.loads(judged["record"][0]) == {"question": "x" * 21, "grade": 9}
    assert judged.select("repairs", "reason", "field").row(0) == (0, "max_length", "question")
    assert judged["detail"][0] == (
        f'question must have at most 20 characters: "{"x" * 21}". grade must be at most 6, not 9.'
    )


def test_an_id_and_an_optional_metadata_are_ours_and_not_judged():
    judged = judge(candidates({"id": 7, "metadata": "x", "question": "Why?", "grade": 3}), SCHEMA)
    assert judged.select("record", "repairs", "reason").row(0) == ('{"question":"Why?","grade":3}', 0, None)


def test_rows_stay_in_their_order_with_their_lineage():
    given_ = candidates({"question": "a", "grade": 1}, {"question": "b"}, {"question": "c", "grade": 1})
    judged = judge(given_, SCHEMA)
    assert judged.select("call", "position", "reply").equals(given_.select("call", "position", "reply"))
    assert judged["reason"].to_list() == [None, "required", None]


def test_a_record_that_fits_the_schema_must_make_sense_too():
    judged = judge(candidates({"question": " ", "grade": 1}), SCHEMA)
    assert judged.select("reason", "field").row(0) == ("blank", "question")


def test_the_roles_of_the_detection_are_heeded():
    pair = RecordSchema(fields=(Field(name="p"), Field(name="good"), Field(name="bad")))
    detection = Detection(kind="preference", roles={"prompt": "p", "chosen": "good", "rejected": "bad"})
    judged = judge(candidates({"p": "a", "good": "b", "bad": "b"}), pair, detection)
    assert judged.select("reason", "field").row(0) == ("same", "bad")


def test_what_may_be_blank_may_be_blank():
    assert judge(candidates({"question": "", "grade": 1}), SCHEMA, may_be_blank=("question",))["reason"][0] is None


@pytest.mark.parametrize("text", ["", "not json", "[1]", "3", "null", '{"question": NaN}', '"text"', "{"])
def test_a_candidate_that_is_no_json_object_is_refused_as_no_record(text):
    judged = judge(candidates(text), SCHEMA)
    assert judged.select("record", "reason", "field").row(0) == (text, "type", "")


def test_no_candidates_make_an_empty_frame_of_the_same_shape():
    judged = judge(candidates(), SCHEMA)
    assert judged.height == 0
    Judged.validate(judged)


def test_a_frame_that_holds_no_candidates_is_refused():
    with pytest.raises(pandera.errors.SchemaError):
        judge(pl.DataFrame({"record": ["{}"]}), SCHEMA)


def test_more_problems_than_a_person_reads_are_counted():
    many = RecordSchema(fields=tuple(Field(name=f"f{n}") for n in range(14)))
    detail = judge(candidates({}), many)["detail"][0]
    assert detail.startswith("f0 is missing. f1 is missing.")
    assert detail.endswith("f9 is missing. And 4 more.")


def test_without_validation_every_candidate_passes_as_it_is():
    judged = accept_all(candidates("not json", {"grade": "3"}))
    Judged.validate(judged)
    assert judged["record"].to_list() == ["not json", '{"grade":"3"}']
    assert judged["reason"].null_count() == 2


def test_refused_records_are_described_by_number_from_one():
    schema = RecordSchema(fields=(Field(name="a", type="integer"),))
    verdicts = RecordValidator(schema).check([{"a": 1}, {"a": "x"}, {}])
    assert [message.text() for message in describe(verdicts)] == [
        'Record 2: a must be an integer, not "x".',
        "Record 3: a is missing.",
    ]


@settings(deadline=None, max_examples=30)
@given(st.lists(JSON, max_size=6))
def test_every_candidate_is_either_kept_or_refused_with_a_reason(records):
    judged = judge(candidates(*[orjson.dumps(record).decode() for record in records]), SCHEMA)
    Judged.validate(judged)
    assert judged.height == len(records)
    for row in judged.iter_rows(named=True):
        refused = row["reason"] is not None
        assert refused == (row["detail"] is not None) == (row["field"] is not None)
        if not refused:
            assert set(orjson.loads(row["record"])) == {"question", "grade"}


@settings(deadline=None, max_examples=20)
@given(st.lists(JSON, max_size=6), st.integers(0, 6))
def test_a_frame_judged_in_two_parts_is_judged_the_same(records, cut):
    whole = candidates(*[orjson.dumps(record).decode() for record in records])
    parts = pl.concat([judge(whole[:cut], SCHEMA), judge(whole[cut:], SCHEMA)])
    assert parts.equals(judge(whole, SCHEMA))
