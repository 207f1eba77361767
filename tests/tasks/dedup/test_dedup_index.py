import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from short_records import TWO_VIEWS, short_records

from datasynth.schemas.errors import InputError
from datasynth.schemas.record import Field
from datasynth.tasks.dedup import index as index_module
from datasynth.tasks.dedup.index import DedupSettings, Match, NearDuplicateIndex
from datasynth.tasks.dedup.jaccard import similarity
from datasynth.tasks.dedup.views import View

SETTINGS = DedupSettings()
RECORDS = short_records(14)


def names(records) -> list[str]:
    return [f"r{i}" for i in range(len(records))]


def as_records(texts) -> list[dict]:
    return [{"text": text} for text in texts]


def planted(language, replaced, pairs, seed) -> tuple[list[str], list[str]]:
    """Texts of 60 words, and each with some of its words replaced."""
    rng = random.Random(seed)
    originals = [rng.choices(language.words, k=60) for _ in range(pairs)]
    copies = [language.reworded(words, rng.choice(replaced), rng) for words in originals]
    return [language.text(words) for words in originals], [language.text(words) for words in copies]


@pytest.fixture(scope="module")
def screened():
    """Matches of copies against originals, by what was planted."""
    done = {}

    def screen(language, replaced, pairs, seed, views):
        key = (language.joint, tuple(replaced), pairs, seed)
        if key not in done:
            originals, copies = planted(language, replaced, pairs, seed)
            index = NearDuplicateIndex(SETTINGS, views)
            index.add(as_records(originals), names(originals))
            done[key] = originals, copies, index.screen(as_records(copies), [f"copy{i}" for i in range(pairs)])
        return done[key]

    return screen


def test_of_pairs_at_or_above_the_threshold_at_least_99_of_100_are_found(language, whole, screened):
    originals, copies, matches = screened(language, range(13), 3000, 1, whole)
    alike = [language.jaccard(a, b) for a, b in zip(originals, copies, strict=True)]
    assert min(alike) < 0.55
    assert max(alike) == 1
    near = [match for match, j in zip(matches, alike, strict=True) if j >= 0.7]
    assert len(near) > 1000
    assert sum(match is not None for match in near) >= 0.99 * len(near)


def test_just_above_the_threshold_too_at_least_99_of_100_are_found(language, whole, screened):
    originals, copies, matches = screened(language, range(13), 3000, 1, whole)
    alike = [language.jaccard(a, b) for a, b in zip(originals, copies, strict=True)]
    close = [match for match, j in zip(matches, alike, strict=True) if 0.7 <= j < 0.73]
    assert len(close) > 150
    assert sum(match is not None for match in close) >= 0.99 * len(close)


def test_nothing_below_the_threshold_is_refused_and_similarities_are_exact(language, whole, screened):
    originals, copies, matches = screened(language, range(13), 3000, 1, whole)
    for match, copy in zip(matches, copies, strict=True):
        if match is not None:
            original = originals[int(match.id[1:])]
            assert match.similarity == language.jaccard(original, copy) >= 0.7


def test_three_words_of_sixty_replaced_are_always_found(language, whole, screened):
    _, _, matches = screened(language, [3], 1500, 2, whole)
    assert [match.id for match in matches if match] == [f"r{i}" for i in range(1500)]


def words_of(text: str) -> list[str]:
    return [word for word in text.split() if word != "!"]


def by_force(records, ids, views) -> list[Match | None]:
    """What screening must come to, pair by pair."""
    kept: list[tuple[str, dict]] = []
    found: list[Match | None] = []
    for record, id_ in zip(records, ids, strict=True):
        ranked = []
        for place, view in enumerate(views):
            a = view.text(record)
            for order, (name, other) in enumerate(kept):
                b = view.text(other)
                alike = similarity(a, b, SETTINGS)
                exact = words_of(a) == words_of(b) if words_of(a) else a.split() == b.split()
                if alike >= SETTINGS.threshold and (words_of(a) or view.least_units == 0):
                    match = Match("exact_duplicate" if exact else "near_duplicate", name, alike, view.name)
                    ranked.append(((not exact, -alike, place, order), match))
        found.append(min(ranked, key=lambda entry: entry[0])[1] if ranked else None)
        if not ranked:
            kept.append((id_, record))
    return found


@given(RECORDS)
def test_screening_keeps_the_first_of_every_kind_and_names_the_nearest(records):
    index = NearDuplicateIndex(SETTINGS, TWO_VIEWS)
    found = index.screen(records, names(records))
    assert found == by_force(records, names(records), TWO_VIEWS)
    assert len(index) == found.count(None)


@given(RECORDS, st.lists(st.integers(1, 5), max_size=14), st.integers(1, 4))
def test_batches_do_not_change_outcomes_or_the_saved_index(records, cuts, batch):
    at_once = NearDuplicateIndex(SETTINGS, TWO_VIEWS)
    expected = at_once.screen(records, names(records))
    in_parts = NearDuplicateIndex(SETTINGS, TWO_VIEWS)
    usual, index_module.BATCH = index_module.BATCH, batch
    try:
        found, first = [], 0
        for cut in [*cuts, len(records)]:
            found += in_parts.screen(records[first : first + cut], names(records)[first : first + cut])
            first += cut
    finally:
        index_module.BATCH = usual
    assert found == expected
    assert in_parts.dump() == at_once.dump()


@given(RECORDS, st.integers(0, 14), st.integers(0, 14))
def test_a_saved_and_loaded_index_goes_on_as_if_nothing_had_happened(records, first, second):
    ids, cut = names(records), min(first, second)
    through = NearDuplicateIndex(SETTINGS, TWO_VIEWS)
    through.add(records[:cut], ids[:cut])
    expected = through.screen(records[cut:], ids[cut:])
    saved = NearDuplicateIndex(SETTINGS, TWO_VIEWS)
    saved.add(records[:cut], ids[:cut])
    dumps = [saved.dump()]
    middle = max(first, second)
    found = saved.screen(records[cut:middle], ids[cut:middle])
    dumps.append(saved.dump())
    restored = NearDuplicateIndex(SETTINGS, TWO_VIEWS)
    for data in dumps:
        restored.load(data)
    assert restored.unsaved == 0
    assert found + restored.screen(records[middle:], ids[middle:]) == expected


def test_a_dump_holds_what_was_added_since_the_last_one_and_nothing_loaded(whole):
    earlier = NearDuplicateIndex(SETTINGS, whole)
    earlier.add(as_records(["one two three"]), ["a"])
    index = NearDuplicateIndex(SETTINGS, whole)
    index.add(as_records(["four five six"]), ["b"])
    index.load(earlier.dump())
    index.screen(as_records(["seven eight nine", "one two three"]), ["c", "d"])
    assert index.unsaved == 2
    restored = NearDuplicateIndex(SETTINGS, whole)
    restored.load(index.dump())
    assert len(restored) == 2
    assert index.unsaved == 0
    restored.load(index.dump())
    assert len(restored) == 2


def test_an_exact_duplicate_is_named_as_such_across_case_width_and_punctuation(whole):
    index = NearDuplicateIndex(SETTINGS, whole)
    found = index.screen(as_records(["你好，世界 ABC", "你好世界　ａｂｃ！"]), ["a", "b"])
    assert found == [None, Match("exact_duplicate", "a", 1.0, "record")]


def test_the_same_shingles_in_another_order_are_a_near_duplicate(whole):
    index = NearDuplicateIndex(SETTINGS, whole)
    found = index.screen(as_records(["a b a", "b a b"]), ["a", "b"])
    assert found == [None, Match("near_duplicate", "a", 1.0, "record")]


def test_records_without_a_word_are_compared_as_written(whole):
    index = NearDuplicateIndex(SETTINGS, whole)
    found = index.screen(as_records(["!!!", "???", "!!!", "", ""]), list("abcde"))
    assert [match and match.id for match in found] == [None, None, "a", None, "d"]


def test_a_refused_record_is_not_compared_with(whole):
    words = [f"w{i}" for i in range(40)]
    chain = [" ".join(words[i : i + 30]) for i in (0, 4, 8)]
    assert similarity(chain[0], chain[1], SETTINGS) >= 0.7 > similarity(chain[0], chain[2], SETTINGS)
    found = NearDuplicateIndex(SETTINGS, whole).screen(as_records(chain), list("abc"))
    assert [match and match.id for match in found] == [None, "a", None]


def test_a_repeated_question_is_a_duplicate_whatever_the_answer():
    index = NearDuplicateIndex(SETTINGS, TWO_VIEWS)
    records = [{"question": "How long is it?", "answer": "A metre."}, {"question": "how long is it", "answer": "Two."}]
    assert index.screen(records, ["a", "b"])[1] == Match("exact_duplicate", "a", 1.0, "question")


def test_a_batch_of_one_thing_said_over_and_over_keeps_its_first(whole):
    rng = random.Random(0)
    words = [f"w{i}" for i in range(50)]
    texts = [" ".join(["new" if rng.random() < 0.03 else word for word in words]) for _ in range(1200)]
    found = NearDuplicateIndex(SETTINGS, whole).screen(as_records(texts), names(texts))
    kept = [text for text, match in zip(texts, found, strict=True) if match is None]
    assert found[0] is None
    assert all(similarity(a, b, SETTINGS) < 0.7 for i, a in enumerate(kept) for b in kept[:i])
    assert len(kept) < 100


@pytest.mark.parametrize(
    ("other", "views"),
    [
        (DedupSettings(num_perm=64), TWO_VIEWS),
        (DedupSettings(word_ngram=3), TWO_VIEWS),
        (DedupSettings(char_ngram=3), TWO_VIEWS),
        (DedupSettings(seed=2), TWO_VIEWS),
        (SETTINGS, TWO_VIEWS[:1]),
        (SETTINGS, (TWO_VIEWS[0], View("answer", (Field(name="answer"),)))),
    ],
)
def test_an_index_of_other_settings_or_views_is_refused_with_advice_to_rebuild(other, views):
    data = NearDuplicateIndex(SETTINGS, TWO_VIEWS).dump()
    with pytest.raises(InputError, match=r"[Rr]ebuild"):
        NearDuplicateIndex(other, views).load(data)


def test_another_threshold_may_use_a_saved_index():
    index = NearDuplicateIndex(SETTINGS, TWO_VIEWS)
    index.add([{"question": "one two three four five six", "answer": ""}], ["a"])
    strict = NearDuplicateIndex(DedupSettings(threshold=0.95), TWO_VIEWS)
    strict.load(index.dump())
    assert strict.screen([{"question": "one two three four five seven", "answer": ""}], ["b"]) == [None]


@given(st.integers(0, 400), st.binary(max_size=40))
def test_a_damaged_index_is_an_input_error(length, tail):
    index = NearDuplicateIndex(SETTINGS, TWO_VIEWS)
    index.add([{"question": "one two", "answer": "three"}], ["a"])
    data = index.dump()
    with pytest.raises(InputError):
        NearDuplicateIndex(SETTINGS, TWO_VIEWS).load(data[:length] + tail)


def test_as_many_ids_as_records_are_needed(whole):
    with pytest.raises(ValueError, match="ids"):
        NearDuplicateIndex(SETTINGS, whole).screen([{"text": "a"}], [])
