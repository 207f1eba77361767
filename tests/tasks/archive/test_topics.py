"""Topics of the seeds."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.recipe import Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.tasks.archive.topics import LEAST_SEEDS, find_topics

KITCHEN = ["dough", "flour", "yeast", "oven", "loaf", "crust", "bake", "butter"]
BICYCLE = ["chain", "gear", "pedal", "brake", "tyre", "wheel", "saddle", "helmet"]
CHINESE = (
    ("包裹三天没有更新物流", "快递包裹放错驿站", "物流停在转运中心包裹"),
    ("发票抬头开错", "电子发票邮箱", "发票税号填错"),
)


def recipe(texts: list[str]) -> Recipe:
    fields = (Field(name="text"), Field(name="n", type="integer"))
    seeds: tuple[dict[str, Any], ...] = tuple({"text": text, "n": i} for i, text in enumerate(texts))
    return Recipe(name="r", record_schema=RecordSchema(fields=fields), seeds=seeds)


def mixed(count: int) -> list[str]:
    """Texts about bread and about bicycles in turn."""
    groups = (KITCHEN, BICYCLE)
    return [" ".join(groups[i % 2][(i + k * (1 + i % 3)) % 8] for k in range(4)) for i in range(count)]


def test_few_seeds_have_no_topics() -> None:
    assert find_topics(recipe(mixed(LEAST_SEEDS - 1))) is None


def test_seeds_that_speak_of_different_things_fall_into_topics_named_by_their_words() -> None:
    topics = find_topics(recipe(mixed(60)))
    assert topics is not None
    names = [set(name.split(" / ")) for name in topics.names]
    assert all(name <= set(KITCHEN) or name <= set(BICYCLE) for name in names)
    assert any(name <= set(KITCHEN) for name in names)
    assert any(name <= set(BICYCLE) for name in names)


def test_a_new_record_belongs_to_the_topic_whose_words_it_uses() -> None:
    topics = find_topics(recipe(mixed(60)))
    assert topics is not None
    found = topics.nearest({"text": "My pedal and chain broke, and the tyre and the brake."})
    assert found is not None
    assert set(topics.names[found].split(" / ")) <= set(BICYCLE)
    assert topics.nearest({"text": "Nothing of the kind."}) is None


def test_chinese_topics_are_named_by_pairs_of_characters() -> None:
    texts = [f"{CHINESE[i % 2][i // 2 % 3]}，第{i}次" for i in range(40)]
    topics = find_topics(recipe(texts))
    assert topics is not None
    assert topics.nearest({"text": "发票税号"}) != topics.nearest({"text": "快递包裹"})
    assert all(len(term) == 2 for name in topics.names for term in name.split(" / "))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=LEAST_SEEDS, max_size=40))
def test_any_texts_have_topics_or_none_and_always_the_same(texts: list[str]) -> None:
    first, second = find_topics(recipe(texts)), find_topics(recipe(texts))
    assert (first and first.names) == (second and second.names)
    assert first is None or (len(set(first.names)) == len(first.names) >= 2 and all(first.names))
