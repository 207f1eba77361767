"""The `pattern` keyword: ECMA-262's search, in whichever engine, that ends."""

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.validate import patterns
from datasynth.tasks.validate.patterns import Pattern
from datasynth.tasks.validate.validator import RecordValidator

ENDLESS = "^(?!z)(a|b|ab)*(?<=c)$"
"""Backtracks through every way to cut "abab..." in two, and so would take longer than anybody lives."""


def fits(pattern: str, *texts: str) -> list[bool]:
    schema = RecordSchema(fields=(Field(name="a", pattern=pattern),))
    return RecordValidator(schema, repair=False).check([{"a": text} for text in texts]).valid


def test_a_pattern_is_searched_for_anywhere_in_the_text():
    assert fits("b", "abc", "b", "ac") == [True, True, False]


def test_an_anchored_pattern_takes_the_whole_text():
    assert fits("^b$", "b", "ab", "bc") == [True, False, False]


def test_an_empty_pattern_is_in_every_text():
    assert fits("", "", "a") == [True, True]


@pytest.mark.parametrize("pattern", ["^[a-z]+$", "^(?!x)[a-z]+$"])
def test_the_end_is_not_before_a_last_line_break(pattern):
    assert fits(pattern, "ab", "ab\n") == [True, False]


@pytest.mark.parametrize("pattern", [r"^(?!x)[$]\$$", r"^(?!x)[^]$]\$$"])
def test_a_dollar_that_is_escaped_or_in_a_class_is_a_dollar(pattern):
    assert fits(pattern, "$$", "$", "$$ ") == [pattern.startswith(r"^(?!x)[$]"), False, False]


def test_a_point_is_no_line_break():
    assert fits("^.$", "漢", "😀", "\n") == [True, True, False]


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"^(?=.*\d)(?=.*[a-z]).{4,}$", "abc1", "abcd"),
        (r"^(?!.*foo)", "bar", "a foo"),
        (r"(?<=\$)\d+", "$5", "5"),
        (r"^(.)\1$", "aa", "ab"),
        (r"^[\w-_]+$", "a-_", "a b"),
        (r"^[[a]$", "[", "b"),
        (r"^[a&&b]$", "&", "c"),
        (r"^\/\-\u4e00$", "/-一", "/-二"),
        (r"^\p{Script=Han}+$", "漢字", "kanji"),
        (r"^\p{L}+$", "漢字é", "1"),
        (r"^(?<year>\d{4})$", "2024", "24"),
    ],
)
def test_what_ecma_262_can_say_is_understood(pattern, good, bad):
    assert fits(pattern, good, bad) == [True, False]


@pytest.mark.parametrize("pattern", ["(", "[", "a{2,1}", "*", r"(?<=a*", "(?P<n>a)(?P<n>b"])
def test_a_pattern_that_is_none_is_an_input_error_that_says_where(pattern):
    field = Field(name="turns", type="array", items=Field(name="", pattern=pattern))
    with pytest.raises(InputError, match=r"turns\[\]: the schema's pattern"):
        RecordValidator(RecordSchema(fields=(field,)))


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|aa)+$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_nested_repeats_are_searched_in_linear_time(pattern):
    assert Pattern(pattern, "a").linear
    assert fits(pattern, "a" * 50_000 + "!", "x" * 50_000 + "!") == [False, False]


@pytest.mark.parametrize("pattern", ["^(?!z)(a+)+$", r"^(?!z)(\w+\s?)*$", "(x+x+)+(?!q)y"])
def test_nested_repeats_beside_a_look_ahead_end_too(pattern):
    assert not Pattern(pattern, "a").linear
    assert fits(pattern, "a" * 200 + "!", "x" * 200 + "!") == [False, False]


def test_a_search_without_end_is_stopped_and_its_text_refused(monkeypatch):
    monkeypatch.setattr(patterns, "SECONDS", 0.05)
    schema = RecordSchema(fields=(Field(name="a", pattern=ENDLESS),))
    texts = ["ab" * 60 + "x", "abc", "", "x"]
    verdicts = RecordValidator(schema).check([{"a": text} for text in texts])
    assert [(p.row, p.check) for p in verdicts.found] == [
        (0, "pattern"),
        (1, "pattern"),
        (2, "pattern"),
        (3, "pattern"),
    ]
    assert "takes too long" in verdicts.found[0].sentence.text()
    assert "must match" in verdicts.found[1].sentence.text()


def test_a_text_whose_search_was_stopped_is_not_waited_for_again(monkeypatch):
    monkeypatch.setattr(patterns, "SECONDS", 0.05)
    pattern = Pattern(ENDLESS, "a")
    search, searched = pattern._search, []

    def noted(text: str, **options: Any) -> Any:
        searched.append(text)
        return search(text, **options)

    monkeypatch.setattr(pattern, "_search", noted)
    texts = pl.DataFrame({"a": ["ab" * 60 + "x"] * 3})
    for _ in range(2):
        assert not texts.select(pattern.matches(pl.col("a"))).to_series().any()
    assert pattern.gave_up(texts["a"][0])
    assert len(searched) == 1


@settings(deadline=None)
@given(
    st.lists(st.text("ab1 漢é\n", max_size=8), max_size=6),
    st.sampled_from(["^a", "b$", r"^\w+$", r"\d|漢", "a.b", r"^\s*$"]),
)
def test_both_engines_agree(texts, pattern):
    with_look_ahead = f"(?=)(?:{pattern})"
    assert Pattern(pattern, "a").linear
    assert not Pattern(with_look_ahead, "a").linear
    assert fits(with_look_ahead, *texts) == fits(pattern, *texts)
