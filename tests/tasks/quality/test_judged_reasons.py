"""A round's frame names content checks as its reasons, and every one has its words."""

from typing import get_args

import orjson
import polars as pl
import pytest

from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import ContentCheck, SynthesisSettings
from datasynth.tasks.quality.screening import checks_for
from datasynth.tasks.report.reasons import reason_in_words
from datasynth.tasks.validate.validator import judge

SCHEMA = RecordSchema(fields=(Field(name="instruction"), Field(name="response"), Field(name="n", type="integer")))
ROLES = {"instruction": "instruction", "response": "response"}


def judged(*records: dict) -> pl.DataFrame:
    detection = Detection(kind="instruction_response", roles=ROLES)
    recipe = Recipe(name="n", record_schema=SCHEMA)
    quality = checks_for(recipe, detection, SynthesisSettings.model_validate({"analysis_dir": "x"}))
    candidates = pl.DataFrame(
        {
            "call": [0] * len(records),
            "position": list(range(len(records))),
            "record": [orjson.dumps(record).decode() for record in records],
            "reply": ["r"] * len(records),
        }
    )
    return judge(candidates, SCHEMA, detection, quality=quality)


def test_a_rejected_row_names_check_field_and_words_and_no_repair():
    frame = judged(
        {"instruction": "Why?", "response": "Because.", "n": "3"},
        {"instruction": "Why?", "response": "I'm sorry, but I can't help with that.", "n": "3"},
        {"instruction": "Why?", "response": "I'm sorry, but I can't help with that.", "n": "three"},
    )
    assert frame["reason"].to_list() == [None, "refusal", "type"]
    assert frame["field"].to_list() == [None, "response", "n"]
    assert frame["repairs"].to_list() == [1, 0, 0]
    assert frame["detail"][1] == "response declines: \"I'm sorry, but I can't help with that\"."


def test_a_record_with_two_faults_is_told_both_of():
    frame = judged({"instruction": "Write to [Your Name].", "response": "I can't help with that.", "n": 3})
    assert frame["reason"].to_list() == ["placeholder"]
    assert "declines" in frame["detail"][0]


@pytest.mark.parametrize("check", get_args(ContentCheck))
def test_every_check_has_words_in_the_report(check: str):
    assert reason_in_words(f"validate.{check}") is not None
