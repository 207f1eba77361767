"""What the simulated model writes: valid, new, in the seeds' language, the same for the same request."""

import json
import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.recipe import Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.index import DedupSettings, NearDuplicateIndex, views_for
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.generate.parse import parse_reply
from datasynth.tasks.llm.simulated.faults import fate_of
from datasynth.tasks.llm.simulated.grammar import Swap, seeded, words_of
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.material import is_chinese
from datasynth.tasks.llm.simulated.reading import aims_of, count_asked, read_prompt
from datasynth.tasks.llm.simulated.replies import Answer, Ask, answer
from datasynth.tasks.prompt.planning import plan_calls
from datasynth.tasks.prompt.render import call_prompt, static_prompt
from datasynth.tasks.prompt.structured import reply_schema
from datasynth.tasks.sources.recipes import read_recipe
from datasynth.tasks.validate.validator import RecordValidator

EXAMPLES = Path(__file__).parents[3] / "examples/datarecipe"
KINDS = ("support_zh", "preference_en", "unit_conversion_spec")
EACH = 5


def example(name: str) -> Recipe:
    return read_recipe(SynthesisSettings.model_validate({"analysis_dir": str(EXAMPLES / name)}))


def asks_for(recipe: Recipe, count: int, *, structured: bool = True) -> list[Ask]:
    """The requests of a round that asks for `count` records."""
    run = SynthesisSettings.model_validate({"analysis_dir": "unused"})
    detection = detect_kind(recipe.record_schema, recipe.seeds)
    plan = plan_calls(recipe, detection, run, round=1, first_index=0, asked=[EACH] * (count // EACH))
    static = static_prompt(recipe, detection, run)
    schema = reply_schema(recipe.record_schema) if structured else None
    shape = orjson.dumps(schema) if schema else b""
    return [Ask("m", static, call_prompt(recipe, detection, call), shape) for call in plan]


def reply_to(ask: Ask, knobs: Knobs | None = None, attempt: int = 0) -> Answer:
    knobs = knobs or Knobs()
    content = ask.content()
    return answer(ask, content, knobs, fate_of(knobs, content, attempt))


def records_for(recipe: Recipe, count: int, knobs: Knobs | None = None, **more: Any) -> list[dict[str, Any]]:
    texts = [reply_to(ask, knobs).text for ask in asks_for(recipe, count, **more)]
    return [r for text in texts for r in parse_reply(text, recipe.record_schema, cut=False).records]


@pytest.fixture(scope="module", params=KINDS)
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return example(request.param)


@pytest.mark.parametrize("canned", [False, True])
def test_a_thousand_records_of_each_example_are_valid_and_most_are_new(recipe: Recipe, canned: bool) -> None:
    schema = recipe.record_schema
    records = records_for(recipe, 1000, Knobs(canned=canned))
    assert len(records) == 1000
    assert RecordValidator(schema.only(schema.asked)).check(records).found == ()
    index = NearDuplicateIndex(DedupSettings(), views_for(schema, detect_kind(schema, recipe.seeds)))
    index.add(recipe.seeds, [f"seed {n}" for n in range(len(recipe.seeds))])
    matches = index.screen(records, [str(n) for n in range(len(records))])
    # 98 to 99 % when this was written.
    assert sum(match is None for match in matches) >= 900


def test_records_are_in_the_language_of_the_seeds(recipe: Recipe) -> None:
    texts = [v for r in records_for(recipe, 20) for v in r.values() if isinstance(v, str) and len(v) > 20]
    assert {is_chinese(text) for text in texts} == {recipe.language == "zh"}


def test_records_without_structured_output_are_valid_too(recipe: Recipe) -> None:
    records = records_for(recipe, 50, structured=False)
    assert len(records) == 50
    schema = recipe.record_schema
    assert RecordValidator(schema.only(schema.asked)).check(records).found == ()


def test_the_same_request_gets_the_same_reply_whatever_came_before(recipe: Recipe) -> None:
    first, second = asks_for(recipe, 2 * EACH)
    alone = reply_to(second)
    reply_to(first)
    assert reply_to(second) == alone == reply_to(second, attempt=3)


def test_another_seed_gives_another_reply(recipe: Recipe) -> None:
    ask = asks_for(recipe, EACH)[0]
    assert reply_to(ask, Knobs(seed=1)) != reply_to(ask)


def test_aims_are_met() -> None:
    recipe = example("support_zh")
    for ask in asks_for(recipe, 50):
        aims = aims_of(ask.user)
        records = parse_reply(reply_to(ask).text, recipe.record_schema, cut=False).records
        assert all(record[name] == value for record in records for name, value in aims.items())


def test_the_answer_of_a_word_problem_is_what_its_last_step_says() -> None:
    recipe = example("unit_conversion_spec")
    for record in records_for(recipe, 100):
        assert float(re.findall(r"\d+(?:\.\d+)?", record["steps"][-1])[-1]) == record["answer"]
        assert record["unit"] in record["question"]


@given(st.integers(1, 99), st.integers(1, 99), st.integers(0, 50))
def test_a_range_in_a_seed_stays_a_range(low: int, width: int, seed: int) -> None:
    words = words_of("en")
    high = min(low + width, 100)
    text = words.swapped(words.swappable(f"It takes {low} to {high} days"), Swap(seeded(seed, b"").random))
    first, last = map(int, re.findall(r"\d+", text))
    assert low <= first <= last


def test_a_record_speaks_of_one_seed_throughout() -> None:
    seeds = [
        {"question": "How do I clean a carburettor?", "answer": "Soak the carburettor in vinegar overnight."},
        {"question": "When do tulips flower?", "answer": "Most tulips flower in the middle of spring."},
    ]
    prompt = "\n".join(f"```json\n{json.dumps(s)}\n```" for s in seeds) + "\nNow write exactly 40 new records."
    text = reply_to(Ask("m", "", prompt)).text
    for record in json.loads(text[text.index("```json") + 7 : text.rindex("```")]):
        assert ("carburettor" in record["question"]) is ("carburettor" in record["answer"])


def test_a_conversation_alternates_and_ends_with_the_assistant() -> None:
    turns = [
        {"role": "user", "content": "My parcel is late, what now?"},
        {"role": "assistant", "content": "Please send me the number. I will look it up."},
    ]
    prompt = f"```json\n{json.dumps({'messages': turns})}\n```\nNow write exactly 5 new records."
    text = reply_to(Ask("m", "", prompt)).text
    for record in json.loads(text[text.index("```json") + 7 : text.rindex("```")]):
        roles = [turn["role"] for turn in record["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2)


def test_every_word_that_a_rule_refers_to_exists() -> None:
    from_outside = {"seed", "given", "small", "large", "factor", "whole", "product", "result"}
    for language in ("en", "zh"):
        options = words_of(language).grammar.options
        slots = {slot for rules in options.values() for pieces in rules for slot in pieces[1::2]}
        assert slots <= options.keys() | from_outside


def test_both_languages_have_the_same_rules_for_word_problems() -> None:
    english, chinese = (
        {s for s in words_of(language).grammar.options if s.startswith(("each_", "left_", "label_"))}
        for language in ("en", "zh")
    )
    assert english == chinese


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Now write exactly 7 new records.", 7),
        ("请写出恰好 12 条新记录。", 12),
        ("I need 3 more samples", 3),
        ("Write something.", 1),
        ("Now write exactly 100000 new records.", 500),
    ],
)
def test_the_count_is_read_from_the_prompt(text: str, count: int) -> None:
    assert count_asked(text) == count


def test_a_schema_in_the_prompt_decides_the_shape_where_no_seed_is_shown() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3, "maximum": 4}}, "required": ["a"]}
    reading = read_prompt(f"```json\n{json.dumps(schema)}\n```", "Write exactly 2 new records.", b"")
    assert [(f.name, f.low, f.high) for f in reading.record.fields] == [("a", 3, 4)]


NAMES = st.sampled_from(["title", "question", "answer", "score", "tags", "email", "unit", "note", "结果", "steps"])


def text_fields(name: str) -> st.SearchStrategy[Field]:
    low = st.integers(0, 30)
    return st.builds(
        lambda least, room: Field(name=name, min_length=least, max_length=least + room), low, st.integers(1, 300)
    )


def number_fields(name: str) -> st.SearchStrategy[Field]:
    return st.builds(
        lambda kind, least, room: Field(name=name, type=kind, minimum=least, maximum=least + room),
        st.sampled_from(["integer", "number"]),
        st.integers(-50, 50),
        st.integers(0, 500),
    )


def list_fields(name: str) -> st.SearchStrategy[Field]:
    return st.builds(
        lambda item, least, room: Field(
            name=name, type="array", items=item, min_items=least, max_items=least + room, required=False
        ),
        st.one_of(text_fields("item"), number_fields("item")),
        st.integers(0, 3),
        st.integers(0, 4),
    )


def any_fields(name: str) -> st.SearchStrategy[Field]:
    return st.one_of(
        text_fields(name),
        number_fields(name),
        list_fields(name),
        st.builds(lambda values: Field(name=name, enum=tuple(values)), st.lists(st.sampled_from("abcde"), min_size=1)),
        st.builds(lambda form: Field(name=name, format=form), st.sampled_from(["date", "email", "uuid", "ipv4"])),
        st.just(Field(name=name, pattern=r"^[A-Z]{2}-\d{3}$")),
        st.just(Field(name=name, type="boolean")),
    )


SCHEMAS = st.lists(NAMES, min_size=1, max_size=5, unique=True).flatmap(
    lambda names: st.tuples(*map(any_fields, names)).map(lambda fields: RecordSchema(fields=fields, name="things"))
)


@settings(max_examples=25, deadline=None)
@given(SCHEMAS, st.booleans())
def test_records_keep_to_whatever_the_schema_demands(schema: RecordSchema, structured: bool) -> None:
    recipe = Recipe(name="things", record_schema=schema)
    records = records_for(recipe, EACH, structured=structured)
    assert len(records) == EACH
    assert RecordValidator(schema).check(records).found == ()
