"""Words of a user's lists."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.quality.passages import passages_of
from datasynth.tasks.quality.screening import require_checks
from datasynth.tasks.quality.sensitive import Sensitive, read_words

SCHEMA = RecordSchema(fields=(Field(name="text"),))


def words_in(text: str, *words: str) -> list[str]:
    passages = passages_of([{"text": text}], SCHEMA, {})
    return [finding.value for finding in Sensitive(words).find(passages)]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("The BOMB went off.", "bomb"),
        ("a ｂｏｍｂ", "bomb"),
        ("Straße", "STRASSE"),
        ("fine\n  print here", "Fine print"),
        ("这里有炸弹吗", "炸弹"),
        ("用iPhone手机", "iphone"),
        ("VX：abc", "vx"),
        ("It is C++.", "c++"),
        ("폭탄이 있다", "폭탄"),
    ],
)
def test_a_word_of_the_list_is_found(text, word):
    assert words_in(text, "nothing", word)


@pytest.mark.parametrize(
    ("text", "word"), [("bombastic", "bomb"), ("abombs", "bomb"), ("bombs", "bomb"), ("été2", "été"), ("b omb", "bomb")]
)
def test_a_word_within_another_one_is_not(text, word):
    assert words_in(text, word) == []


def test_a_whole_word_is_found_behind_a_part_of_another_one():
    assert words_in("bombastic bomb", "bomb") == ["bomb"]


@given(st.text(), st.text(), st.sampled_from(["炸弹", "бомба", "bomb", "größe"]))
def test_a_word_between_spaces_is_found_whatever_stands_around_it(before, after, word):
    assert words_in(f"{before} {word} {after}", word)


def test_every_text_of_a_record_is_searched_and_no_seed_switches_it_off(found, tmp_path):
    (path := tmp_path / "en.txt").write_text("# ours\n\nknife\n", encoding="utf-8")
    record = {"prompt": "Which knife?", "chosen": "The knife, of steel.", "rejected": "A Knife!"}
    expected = [("prompt", "sensitive"), ("chosen", "sensitive"), ("rejected", "sensitive")]
    assert found(record, seeds=[record], sensitive_words=(str(path),)) == expected
    assert found(record, sensitive_words=(str(path),), skip_checks=("sensitive",)) == []


def test_lists_add_up(tmp_path: Path):
    (tmp_path / "a").write_text("\ufeffone\r\n  two \r\n", encoding="utf-8")
    (tmp_path / "b").write_text("三\n", encoding="utf-8")
    assert read_words([str(tmp_path / "a"), str(tmp_path / "b")]) == ["one", "two", "三"]


@pytest.mark.parametrize("content", [None, b"", b"# only a comment\n", b"\xff\xfe\xff"])
def test_a_list_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path, content: bytes | None):
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"words\.txt"):
        require_checks(SynthesisSettings.model_validate({"analysis_dir": "x", "sensitive_words": (str(path),)}))
