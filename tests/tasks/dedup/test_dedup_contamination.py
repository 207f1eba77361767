"""Records that repeat an evaluation set are found, and nothing else."""

import random

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError
from datasynth.tasks.dedup.contamination import (
    LEAST_SHARE,
    MOST_ITEMS,
    Decontamination,
    EvaluationSet,
    Overlap,
    _covered,
    decontamination_of,
    read_evaluation_set,
)

QUESTION = (
    "A baker sells twelve rolls in the morning and twice as many in the afternoon. How many rolls does she sell on "
    "that day, if three of them are brought back in the evening?"
)
FRAGE = "小明早上从家里骑车去学校，路上用了二十分钟，放学后走路回家用了四十五分钟，请问他一天在路上一共花了多长时间？"


def against(*items: dict, path: str = "test.jsonl") -> Decontamination:
    texts = tuple(tuple(value for value in item.values() if isinstance(value, str)) for item in items)
    return Decontamination([EvaluationSet(path, tuple(f"#{n}" for n in range(1, len(items) + 1)), texts, "")])


def found(items, *records) -> list[str | None]:
    return [overlap and overlap.item for overlap in against(*items).overlaps(list(records))]


@pytest.mark.parametrize("question", [QUESTION, FRAGE])
def test_a_copied_question_is_found_whatever_stands_around_it(question):
    record = {"messages": [{"role": "user", "content": f"Hello! {question.upper()} Please help me."}, {"content": "7"}]}
    (overlap,) = against(
        {"question": "Something else entirely, and long enough to be one n-gram or two."}, {"q": question}
    ).overlaps([record])
    assert overlap == Overlap("test.jsonl", "#2", 1.0)


@pytest.mark.parametrize(("question", "cut"), [(QUESTION, 60), (FRAGE, 20)])
def test_less_than_half_of_a_question_is_no_overlap(question, cut):
    assert found([{"q": question}], {"text": question[:cut]}) == [None]


@pytest.mark.parametrize("question", [QUESTION, FRAGE])
def test_more_than_half_of_a_question_is_an_overlap(question):
    assert found([{"q": question}], {"text": question[: len(question) * 2 // 3]}) == ["#1"]


def test_the_same_words_in_another_order_are_no_overlap():
    words = QUESTION.split()
    random.Random(0).shuffle(words)
    assert found([{"q": QUESTION}], {"text": " ".join(words)}) == [None]


def test_a_record_on_the_same_subject_is_no_overlap():
    other = "A baker sells eight loaves before noon and half as many after lunch. How many loaves remain of twenty?"
    assert found([{"q": QUESTION}], {"text": other}) == [None]


def test_wording_that_many_items_share_is_nobodys_own():
    form = "Read the following question carefully and choose the one correct answer from the four given below. "
    items = [
        {"q": f"{form}Number {n} asks about the colour of object {n * 7} on shelf {n * 3} today."} for n in range(30)
    ]
    overlaps = against(*items).overlaps([{"text": form + "Which fruit is red?"}, {"text": items[4]["q"]}])
    assert overlaps[0] is None
    assert overlaps[1] is not None
    assert overlaps[1].item == "#5"


def test_an_item_that_is_there_many_times_is_still_found():
    assert found([{"q": QUESTION}] * (MOST_ITEMS + 5), {"text": QUESTION}) == ["#1"]


def test_a_short_question_is_found_where_a_text_of_a_record_equals_it():
    items = [{"question": "What is 2 + 2?", "answer": "4"}]
    assert found(items, {"q": "what is 2+2", "a": "It is 4."}, {"q": "What is 2 + 3?"}) == ["#1", None]
    assert found([{"问题": "天为什么是蓝的"}], {"q": "天为什么是蓝的？"}, {"q": "海为什么是蓝的？"}) == ["#1", None]


def test_short_answers_may_repeat():
    assert found(
        [{"answer": "Yes."}, {"q": QUESTION, "a": "About 33 of them."}], {"a": "Yes"}, {"a": "About 33 of them"}
    ) == [None, None]


def test_of_several_items_the_one_repeated_most_is_named_and_of_equal_ones_the_first():
    items = [{"q": QUESTION[:100] + " and now the story ends in quite another way than expected"}, {"q": QUESTION}]
    assert found(items, {"text": QUESTION}) == ["#2"]
    assert found([{"q": QUESTION, "x": "a"}, {"q": QUESTION, "x": "b"}], {"text": QUESTION}) == ["#1"]


def test_records_are_judged_alike_in_any_batch():
    items = [{"q": f"{QUESTION} And what about the {n} other bakers in the town?"} for n in range(5)]
    records = [{"t": items[n % 5]["q"][n : n + 150]} for n in range(1100)]
    together = against(*items).overlaps(records)
    assert together == [against(*items).overlaps([record])[0] for record in records[:20]] + together[20:]
    assert together[:5] == together[:5]
    assert any(together)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.integers(1, 12)), max_size=20))
def test_intervals_cover_what_their_union_does(intervals):
    columns = [np.array(column, np.int64) for column in zip(*intervals, strict=True)] or [np.zeros(0, np.int64)] * 3
    groups, counts = _covered(*columns)
    union: dict[int, set[int]] = {}
    for group, place, length in intervals:
        union.setdefault(group, set()).update(range(place, place + length))
    assert dict(zip(groups.tolist(), counts.tolist(), strict=True)) == {g: len(places) for g, places in union.items()}


@given(st.lists(st.sampled_from(["red", "green", "blue", "你", "好", "3"]), min_size=8, max_size=60), st.data())
def test_a_share_is_between_the_least_one_and_the_whole(words, data):
    text = " ".join(words)
    first = data.draw(st.integers(0, len(words)))
    (overlap,) = against({"q": text}).overlaps([{"t": " ".join(words[first:])}])
    assert overlap is None or LEAST_SHARE <= overlap.share <= 1
    if first == 0 and len(words) >= 16:
        assert overlap is not None


def test_a_set_is_read_in_every_form_that_records_are(tmp_path):
    for name, content in (
        ("a.json", orjson.dumps([{"id": "x-1", "question": QUESTION, "choices": ["one", {"text": FRAGE}]}])),
        ("a.jsonl", orjson.dumps({"id": "x-1", "question": QUESTION, "choices": ["one", {"text": FRAGE}]}) + b"\n"),
    ):
        (tmp_path / name).write_bytes(content)
        one = read_evaluation_set(str(tmp_path / name))
        assert [o and o.item for o in Decontamination([one]).overlaps([{"t": FRAGE}, {"t": QUESTION}])] == ["x-1"] * 2


@pytest.mark.parametrize("content", [None, b"", b"[]", b'[{"answer": 3}]', b'[{"answer": "Yes."}]', b"not json"])
def test_a_file_that_says_nothing_is_refused_by_name(tmp_path, content):
    path = tmp_path / "test.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"test\.json"):
        read_evaluation_set(str(path))


def test_a_set_that_changed_since_the_run_began_is_refused(tmp_path):
    path = tmp_path / "test.jsonl"
    path.write_bytes(orjson.dumps({"q": QUESTION}))
    digest = read_evaluation_set(str(path)).digest
    assert decontamination_of([str(path)], [digest])
    path.write_bytes(orjson.dumps({"q": QUESTION + " Explain."}))
    with pytest.raises(InputError, match="changed"):
        decontamination_of([str(path)], [digest])
