import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError
from datasynth.tasks.dedup import text as dedup_text
from datasynth.tasks.dedup.jaccard import similarity
from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.dedup.text import fold, shingled

SETTINGS = DedupSettings()
TEXTS = st.lists(st.text(max_size=40) | st.text("ab 12.,-+你好ไทยé́ﬁ…Ａ", max_size=30), max_size=8)


def exact(*texts: str) -> list[int]:
    return shingled(texts, SETTINGS).exact.tolist()


def shingle_set(text: str) -> set[int]:
    return set(shingled([text], SETTINGS).values.tolist())


def size(text: str) -> int:
    return int(shingled([text], SETTINGS).sizes[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello, World!", "hello world"),
        ("Ｈｅｌｌｏ　Ｗｏｒｌｄ", "hello world"),
        ("你好，世界。", "你好世界"),
        ("订单２４小时内发货！", "订单24小时内发货"),
        ("カタカナ", "ｶﾀｶﾅ"),
        ("ガギグ", "ｶﾞｷﾞｸﾞ"),
        ("café au lait", "cafe\u0301 au lait"),
        ("STRASSE", "straße"),
        ("soft\u00adware zero\u200bwidth", "software zerowidth"),
        ("wait… what", "wait... what"),
        ("a\r\n\tb", "a b"),
        ("**bold** and “quoted”", 'bold and "quoted"'),
        ("3 – 5", "3 - 5"),
        ("3 − 5", "3 - 5"),
    ],
)
def test_case_width_punctuation_and_white_space_do_not_tell_texts_apart(one, other):
    assert exact(one) == exact(other)
    assert shingle_set(one) == shingle_set(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 3 + 5?", "What is 3 - 5?"),
        ("What is 3 * 5?", "What is 3 / 5?"),
        ("What is 3-5?", "What is 3 5?"),
        ("It is 3.5 km", "It is 35 km"),
        ("It is 3.5 km", "It is 3 5 km"),
        ("10:30", "1030"),
        ("costs $5", "costs €5"),
        ("Write it in C#", "Write it in C"),
        ("Write it in C++", "Write it in C"),
        ("I feel 😀", "I feel 😢"),
        ("x < y", "x > y"),
        ("ab c", "a bc"),
        ("the dog bit the man", "the man bit the dog"),
        ("!!!", "???"),
        ("", "!"),
    ],
)
def test_what_changes_the_meaning_tells_texts_apart(one, other):
    assert exact(one) != exact(other)


def test_words_are_taken_in_pairs():
    assert size("one two three four five") == 4


def test_ideographs_and_kana_are_taken_in_pairs():
    assert size("我的订单") == 3
    assert size("これはペン") == 4


def test_thai_is_taken_in_fives():
    assert size("กขคงจฉ") == 2


def test_hangul_is_taken_in_words():
    assert size("안녕하세요 저는 학생입니다") == 2


def test_a_mixed_text_is_cut_where_its_scripts_change():
    assert shingle_set("请用Python写函数") == shingle_set("请用 python 写函数")
    assert size("请用Python写函数") == 5


def test_a_text_shorter_than_a_shingle_is_one_shingle():
    assert size("hello") == size("好") == size("กข") == 1


def test_a_short_end_in_a_script_of_longer_shingles_still_counts():
    assert shingle_set("word กขค") != shingle_set("word กขจ")


def test_a_text_without_words_has_no_shingle():
    assert size("") == size(" ... !!! ") == 0


def test_repeats_count_once():
    assert size("ha ha ha ha ha") == 1


def test_half_a_surrogate_pair_is_no_error():
    assert shingle_set("a \ud83d b") == shingle_set("a b")


@given(TEXTS)
def test_a_text_has_the_same_shingles_in_any_batch(texts):
    together = shingled(texts, SETTINGS)
    for i, text in enumerate(texts):
        alone = shingled([text], SETTINGS)
        assert together.values[together.offsets[i] : together.offsets[i + 1]].tolist() == alone.values.tolist()
        assert together.exact[i] == alone.exact[0]
        assert together.units[i] == alone.units[0]


def test_chunks_do_not_change_shingles(monkeypatch):
    texts = [f"text number {i} 你好 {'word ' * (i % 9)}" for i in range(60)] + [""]
    whole = shingled(texts, SETTINGS)
    monkeypatch.setattr(dedup_text, "CHUNK_CHARACTERS", 50)
    parts = shingled(texts, SETTINGS)
    assert parts.values.tolist() == whole.values.tolist()
    assert parts.offsets.tolist() == whole.offsets.tolist()
    assert parts.exact.tolist() == whole.exact.tolist()


@given(st.text(max_size=60))
def test_folding_by_code_point_equals_folding_the_whole_text(text):
    assert exact(text) == exact(fold(text))
    assert shingle_set(text) == shingle_set(fold(text))


@given(st.text("abcdé你好ไทย한글ｶﾞ ", max_size=60))
def test_canonically_equal_texts_are_equal(text):
    assert exact(unicodedata.normalize("NFD", text)) == exact(unicodedata.normalize("NFKC", text))


@given(TEXTS)
def test_sets_are_sorted_without_repeats(texts):
    found = shingled(texts, SETTINGS)
    for i in range(len(texts)):
        values = found.values[found.offsets[i] : found.offsets[i + 1]]
        assert np.array_equal(values, np.unique(values))


def test_similarity_is_the_share_of_common_shingles():
    assert similarity("one two three four", "one two three five", SETTINGS) == pytest.approx(2 / 4)


def test_equal_texts_without_words_are_similar_and_others_are_not():
    assert similarity("!!!", "!!!", SETTINGS) == 1
    assert similarity("!!!", "???", SETTINGS) == 0


def test_three_words_of_sixty_replaced_stay_above_the_threshold():
    words = [f"word{i}" for i in range(60)]
    replaced = ["other" if i in (10, 30, 50) else word for i, word in enumerate(words)]
    assert similarity(" ".join(words), " ".join(replaced), SETTINGS) == pytest.approx(53 / 65)


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0}, {"threshold": 1.1}, {"word_ngram": 0}, {"num_perm": 1}, {"recall": 1}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError):
        DedupSettings(**wrong)
