"""The collapsed model: reacts to the text of a prompt, and to nothing else."""

from typing import Any

import pytest

from datasynth.schemas.calls import PlannedCall
from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.archive.excerpts import excerpt
from datasynth.tasks.generate.parse import parse_reply
from datasynth.tasks.llm.simulated.faults import fate_of
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.reading import read_prompt, written_in
from datasynth.tasks.llm.simulated.replies import Ask, answer
from datasynth.tasks.prompt.render import call_prompt

FIELDS = (Field(name="question"), Field(name="answer"), Field(name="topic", enum=("tea", "rice", "salt")))
RECIPE = Recipe(name="r", record_schema=RecordSchema(fields=FIELDS))
GENERIC = Detection(kind="generic")
STATIC = '- `question` (text)\n- `answer` (text)\n- `topic` (text, exactly one of "tea", "rice", "salt")'


def said(calls: int, *, collapse: float = 1.0, first: int = 0, **plan: Any) -> list[str]:
    """The questions of the answers to calls that differ in their number alone."""
    knobs, found = Knobs(collapse=collapse), []
    for index in range(first, first + calls):
        ask = Ask("m", STATIC, call_prompt(RECIPE, GENERIC, PlannedCall(index, 5, **plan)))
        reply = answer(ask, ask.content(), knobs, fate_of(knobs, ask.content(), 0))
        found += [r["question"] for r in parse_reply(reply.text, RECIPE.record_schema, cut=False).records]
    return found


def beginnings(texts: list[str]) -> set[str]:
    """What tells favourites apart though a word may be changed."""
    return {text[:14] for text in texts}


def test_it_repeats_itself_where_the_plain_model_does_not() -> None:
    assert len(beginnings(said(20))) < 0.5 * len(beginnings(said(20, collapse=0.0)))


def test_an_aim_leads_to_other_favourites() -> None:
    tea, salt = beginnings(said(10, aim={"topic": "tea"})), beginnings(said(10, aim={"topic": "salt"}))
    assert len(tea & salt) < 0.5 * min(len(tea), len(salt))


def test_what_is_quoted_as_written_is_mostly_left_out() -> None:
    plain = said(20)
    favourite = max(plain, key=lambda text: sum(other[:14] == text[:14] for other in plain))
    before = sum(text[:14] == favourite[:14] for text in plain)
    after = sum(text[:14] == favourite[:14] for text in said(20, avoid=(excerpt(favourite),)))
    assert after < 0.5 * before


def test_the_same_request_gets_the_same_answer() -> None:
    assert said(3, aim={"topic": "tea"}) == said(3, aim={"topic": "tea"})


@pytest.mark.parametrize("language", ["en", "zh"])
def test_quotations_are_read_from_prompts_of_both_languages(language: str) -> None:
    recipe = RECIPE.model_copy(update={"language": language})
    call = PlannedCall(0, 5, avoid=('Why "so"…', "为什么"), aim={"topic": "tea"})
    text = call_prompt(recipe, GENERIC, call)
    assert written_in(text) == ('Why "so"', "为什么")
    assert read_prompt(STATIC, text, b"").aims == {"topic": "tea"}


def test_a_share_beyond_one_is_refused() -> None:
    with pytest.raises(InputError, match=r"collapse is 1\.5"):
        Knobs.of({"collapse": "1.5"})
