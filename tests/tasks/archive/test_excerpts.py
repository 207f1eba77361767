"""Excerpts: short, one line, no control characters."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.recipe import Detection
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.archive.excerpts import WIDTH, excerpt, opening, telling_views


@given(st.text())
def test_an_excerpt_is_one_short_line_without_control_characters(text: str) -> None:
    said = excerpt(text)
    assert len(said) <= WIDTH + 1
    assert len(said.splitlines()) <= 1
    assert not any(unicodedata.category(c)[0] == "C" for c in said)


def test_a_chinese_excerpt_has_half_as_many_characters() -> None:
    assert excerpt("订" * 200) == "订" * (WIDTH // 2) + "…"
    assert excerpt("a" * 200) == "a" * WIDTH + "…"


def test_an_opening_is_the_first_words_or_characters() -> None:
    assert opening("How do I find my order?") == "How do I…"
    assert opening("我的订单三天没有物流更新了怎么办") == "我的订单三天…"
    assert opening("Too short") == ""


def test_a_record_is_told_by_what_asks() -> None:
    schema = RecordSchema(fields=(Field(name="question"), Field(name="answer"), Field(name="topic")))
    kind = Detection(kind="instruction_response", roles={"instruction": "question", "response": "answer"})
    record = {"question": "Why?", "answer": "Because.", "topic": "t"}
    assert telling_views(schema, kind)[""].text(record) == "Why?"
    free = RecordSchema(fields=(Field(name="topic", enum=("t",)), Field(name="note")))
    assert telling_views(free, Detection(kind="generic"))[""].text({"topic": "t", "note": "N"}) == "N"
