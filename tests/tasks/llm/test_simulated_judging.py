"""The simulated model as a judge."""

import json
import random

import pytest

from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.judge.prompt import judge_message, judge_prompt, scores_schema
from datasynth.tasks.llm.simulated.faults import Fate
from datasynth.tasks.llm.simulated.judging import asks_for_scores, scores_reply
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.replies import Ask, answer
from datasynth.tasks.prompt.structured import reply_schema

SCHEMA = RecordSchema(fields=(Field(name="text"),))
RECIPE = Recipe(name="qa", record_schema=SCHEMA)
GOOD = {"text": "The river rises in the hills behind the town and turns three mills before it meets the sea."}


def points(*records: dict, **knobs) -> list[int]:
    reply = json.loads(scores_reply(judge_message(records, "en"), Knobs(**knobs), random.Random(0)))
    assert [score["n"] for score in reply["scores"]] == list(range(1, len(records) + 1))
    return [score["score"] for score in reply["scores"]]


def test_what_is_short_or_repeats_itself_has_fewer_points():
    good, short, repeating = points(GOOD, {"text": "The river."}, {"text": "so it is " * 20})
    assert good >= 6
    assert short < 5
    assert repeating < 5


def test_a_record_has_the_same_points_wherever_it_stands():
    others = [{"text": f"{n} other things that are said here at some length, each in its own way"} for n in range(5)]
    assert points(GOOD, *others)[0] == points(*others, GOOD)[-1]


def test_poor_records_are_poor_for_every_judge_and_as_many_as_the_knob_says():
    many = [{"text": f"{GOOD['text']} {n}"} for n in range(200)]
    assert 20 < sum(p <= 2 for p in points(*many, rate_poor=0.2)) < 60
    assert points(*many, rate_poor=0.2) == points(*many, rate_poor=0.2)


def test_noise_sets_judges_apart():
    moods = [scores_reply(judge_message([GOOD], "en"), Knobs(judge_noise=3), random.Random(n)) for n in range(10)]
    assert len(set(moods)) > 1


def test_judging_prompts_are_told_from_others_with_and_without_a_schema():
    system = judge_prompt(RECIPE, Detection(kind="generic"))
    assert asks_for_scores(system, json.dumps(scores_schema("en")).encode())
    assert asks_for_scores(system, b"")
    assert not asks_for_scores("", json.dumps(reply_schema(SCHEMA)).encode())
    assert not asks_for_scores("You write records.", b"")


@pytest.mark.parametrize(("fault", "stop"), [("refusal", "refusal"), ("malformed", "end"), ("truncated", "length")])
def test_replies_of_a_judge_fail_as_others_do(fault: str, stop: str):
    ask = Ask("m", judge_prompt(RECIPE, Detection(kind="generic")), judge_message([GOOD] * 5, "en"))
    given = answer(ask, ask.content(), Knobs(), Fate(None, fault, 0.0, 0, b"x"))
    assert given.stop == stop
    with pytest.raises(json.JSONDecodeError):
        json.loads(given.text)


def test_a_rate_beyond_one_is_refused():
    with pytest.raises(InputError, match="rate_poor"):
        Knobs.of({"rate_poor": 1.5})
