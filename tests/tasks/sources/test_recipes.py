import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.errors import InputError
from datasynth.schemas.recipe import Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.sources.recipes import GUIDELINES, SAMPLES, SCHEMA, SUMMARY, read_recipe

EXAMPLES = Path(__file__).parents[3] / "examples" / "datarecipe"
FIELDS = {"fields": [{"name": "question"}, {"name": "answer"}]}
SEED = {"question": "Where is Rome?", "answer": "In Italy."}

Analysis = Callable[[dict[str, Any]], str]


def recipe(**source: Any) -> Recipe:
    return read_recipe(SynthesisSettings(**source))


def refusal(**source: Any) -> str:
    with pytest.raises(InputError) as caught:
        recipe(**source)
    return str(caught.value)


def content_of(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).encode()


def written(folder: Path, files: dict[str, Any]) -> str:
    for name, value in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content_of(value))
    return str(folder)


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    """Writes the files of a DataRecipe analysis and gives its folder."""
    folder = tmp_path / "analysis"
    folder.mkdir()
    return lambda files: written(folder, files)


class TestRealAnalyses:
    def test_a_field_list_with_rubric_and_chinese_seeds(self):
        read = recipe(analysis_dir=str(EXAMPLES / "support_zh"))
        assert (read.name, read.language, len(read.seeds), read.seed_problems) == ("support_zh", "zh", 5, ())
        assert [f.name for f in read.record_schema.fields] == [
            "instruction", "response", "category", "difficulty", "quality",
        ]  # fmt: skip
        assert [level.score for level in read.record_schema.rubric] == [1, 0.5, 0]
        assert read.seeds[0]["instruction"] == "我的订单三天没有物流更新，怎么办？"
        assert read.guidelines.startswith("# ./src/support_zh.jsonl 标注规范")
        assert read.source == read.analysis_dir == str(EXAMPLES / "support_zh")

    def test_preference_pairs_take_their_purpose_from_the_summary(self):
        read = recipe(analysis_dir=str(EXAMPLES / "preference_en"))
        assert (read.name, read.language, len(read.seeds), read.seed_problems) == ("preference_en", "en", 5, ())
        assert "DPO" in read.record_schema.description

    def test_a_specification_brings_no_usable_seed_and_each_is_named(self):
        read = recipe(analysis_dir=str(EXAMPLES / "unit_conversion_spec"))
        assert (read.language, read.seeds, len(read.seed_problems)) == ("en", (), 50)
        assert [p.seed for p in read.seed_problems] == [f"SAMPLE_{n:03d}" for n in range(1, 51)]
        assert str(read.seed_problems[0].reason) == 'a placeholder, "执行任务 1", where content should be.'
        assert [f.name for f in read.record_schema.asked] == ["question", "steps", "answer", "unit", "grade", "source"]

    @pytest.mark.parametrize("name", ["support_zh", "preference_en", "unit_conversion_spec"])
    def test_the_schema_is_kept_as_its_source_wrote_it(self, name):
        document = json.loads((EXAMPLES / name / SCHEMA).read_text(encoding="utf-8"))
        assert recipe(analysis_dir=str(EXAMPLES / name)).schema_document == document

    @pytest.mark.parametrize("name", ["support_zh", "preference_en", "unit_conversion_spec"])
    def test_an_analysis_is_the_same_recipe_wherever_it_lies(self, name):
        memory = fsspec.filesystem("memory")
        for path in (EXAMPLES / name).rglob("*"):
            if path.is_file():
                memory.pipe_file(f"/team/{name}/{path.relative_to(EXAMPLES / name)}", path.read_bytes())
        here, there = recipe(analysis_dir=str(EXAMPLES / name)), recipe(analysis_dir=f"memory://team/{name}")
        assert there.analysis_dir == there.source == f"memory:///team/{name}"
        assert there.model_copy(update={"source": here.source, "analysis_dir": here.analysis_dir}) == here
        assert there.fingerprint == here.fingerprint


class TestSources:
    def test_only_the_schema_must_be_there(self, analysis):
        read = recipe(analysis_dir=analysis({SCHEMA: FIELDS}))
        assert (read.name, read.seeds, read.guidelines, read.language) == ("analysis", (), "", "en")

    def test_seeds_given_take_the_place_of_the_samples(self, analysis):
        folder = analysis({SCHEMA: FIELDS, SAMPLES: [SEED], "more.jsonl": '{"question": "a?", "answer": "b"}'})
        assert recipe(analysis_dir=folder).seeds == (SEED,)
        assert recipe(analysis_dir=folder, seeds_file=f"{folder}/more.jsonl").seeds == (
            {"question": "a?", "answer": "b"},
        )
        assert recipe(analysis_dir=folder, seeds=[{"question": "c?", "answer": "d"}]).seeds[0]["question"] == "c?"

    def test_guidelines_given_are_used_to_the_letter(self, analysis):
        folder = analysis({SCHEMA: FIELDS, GUIDELINES: "Be brief.\n- No AI-generated content."})
        assert recipe(analysis_dir=folder).guidelines == "Be brief."
        assert recipe(analysis_dir=folder, guidelines="- No AI-generated content.\n").guidelines == (
            "- No AI-generated content.\n"
        )
        assert recipe(analysis_dir=folder, guidelines="").guidelines == ""

    def test_a_schema_file_and_a_seeds_file_are_a_source(self, tmp_path):
        folder = written(tmp_path, {"qa.schema.json": FIELDS, "seeds.json": {"seeds": [SEED]}})
        read = recipe(schema_file=f"{folder}/qa.schema.json", seeds_file=f"{folder}/seeds.json")
        assert (read.name, read.seeds, read.schema_document) == ("qa", (SEED,), FIELDS)
        assert (read.source, read.analysis_dir) == (f"{folder}/qa.schema.json", "")

    def test_a_schema_and_seeds_may_be_given_inline(self):
        read = recipe(record_schema=FIELDS, seeds=[SEED])
        assert (read.name, read.seeds, read.schema_document, read.source) == (
            "dataset",
            (SEED,),
            FIELDS,
            "record_schema",
        )

    def test_a_bare_list_of_fields_becomes_a_document(self, tmp_path):
        folder = written(tmp_path, {"qa.json": FIELDS["fields"]})
        assert recipe(schema_file=f"{folder}/qa.json").schema_document == FIELDS

    def test_a_data_set_is_named_by_the_settings_else_by_its_source(self):
        titled = {"title": "Quiz", "properties": {"question": {"type": "string"}}}
        assert recipe(record_schema=titled).name == "Quiz"
        assert recipe(record_schema=titled, dataset="mine").name == "mine"

    def test_seeds_in_a_file_and_inline_are_one_too_many(self):
        assert "Give one of them" in refusal(record_schema=FIELDS, seeds=[SEED], seeds_file="seeds.json")

    def test_a_moved_analysis_keeps_its_fingerprint_and_a_changed_seed_does_not(self, tmp_path):
        files = {SCHEMA: FIELDS, SAMPLES: [SEED]}
        one, two = (recipe(analysis_dir=written(tmp_path / name / "qa", files)) for name in ("a", "b"))
        changed = recipe(
            analysis_dir=written(tmp_path / "c" / "qa", {SCHEMA: FIELDS, SAMPLES: [{**SEED, "answer": "!"}]})
        )
        assert one.fingerprint == two.fingerprint != changed.fingerprint


class TestLanguage:
    def test_it_is_that_of_the_seeds_whatever_the_schema_says(self, analysis):
        schema = {"fields": [{"name": "question", "description": "the question, in one sentence"}]}
        assert recipe(analysis_dir=analysis({SCHEMA: schema, SAMPLES: [{"question": "怎么退货？"}]})).language == "zh"

    def test_without_seeds_it_is_that_of_the_descriptions_else_of_the_guidelines(self, analysis):
        schema = {"fields": [{"name": "question", "description": "一道应用题"}]}
        assert recipe(record_schema=schema).language == "zh"
        assert recipe(analysis_dir=analysis({SCHEMA: FIELDS, GUIDELINES: "每条数据要有来源。"})).language == "zh"

    def test_who_speaks_in_a_conversation_does_not_count(self):
        turns = [{"role": "user", "content": "退货"}, {"role": "assistant", "content": "好"}]
        read = recipe(record_schema={"fields": [{"name": "messages", "type": "list"}]}, seeds=[{"messages": turns}])
        assert read.language == "zh"

    def test_listed_values_do_not_count(self):
        schema = {"fields": [{"name": "q"}, {"name": "level", "enum": ["what the user asked for", "other"]}]}
        assert recipe(record_schema=schema, seeds=[{"q": "退货", "level": "what the user asked for"}]).language == "zh"


class TestRefusals:
    @pytest.mark.parametrize("path", ["nothing", "a\0b", "x" * 5000])
    def test_a_folder_that_is_not_there(self, tmp_path, path):
        assert "no such folder" in refusal(analysis_dir=str(tmp_path / path))

    def test_a_folder_at_an_address_that_is_not_there(self):
        assert "memory:///nowhere: no such folder" in refusal(analysis_dir="memory://nowhere")

    def test_an_unknown_protocol(self):
        assert "s4://bucket/x" in refusal(analysis_dir="s4://bucket/x")

    def test_a_file_in_place_of_the_folder(self, analysis):
        folder = analysis({SCHEMA: FIELDS})
        assert "a file, not a folder" in refusal(analysis_dir=f"{folder}/{SCHEMA}")
        assert "no such folder" in refusal(analysis_dir=f"{folder}/{SCHEMA}/below")

    def test_a_folder_without_a_schema_says_what_was_looked_for_and_found(self, analysis):
        message = refusal(analysis_dir=analysis({SAMPLES: [SEED], ".hidden": ""}))
        assert "no DataRecipe analysis" in message
        assert SCHEMA in message
        assert "found 09_样例数据." in message

    def test_a_folder_of_analyses_names_those_in_it(self):
        assert "preference_en, support_zh, unit_conversion_spec" in refusal(analysis_dir=str(EXAMPLES))

    @pytest.mark.parametrize(
        ("schema", "said"),
        [
            (b"", "the file is empty"),
            ('{"fields": [\n  {"name": "问题", "ty', "not valid JSON at line 2, column 21"),
            ('{"fields": [{"name": "问题"}]}'.encode("gb18030"), "not UTF-8 text"),
            ({"fields": []}, "no field in this schema"),
            ({"dataset_id": "x", "sample_count": 3}, "no field in this schema"),
            ({"fields": [{"name": "id"}]}, "no field for a model to fill (found: id"),
            (None, "holds no schema"),
        ],
    )
    def test_a_schema_that_cannot_be_used_is_named_with_its_file(self, analysis, schema, said):
        folder = analysis({SCHEMA: content_of(schema)})
        message = refusal(analysis_dir=folder)
        assert message.startswith(f"{folder}/{SCHEMA}: ")
        assert said in message

    @pytest.mark.parametrize(
        ("samples", "said"),
        [
            ({"samples": {"question": "a"}}, '"samples" is an object, not a list'),
            ({"items": [SEED]}, "found: items"),
            ("text", "no JSON: it begins with"),
            ([SEED, "x"], "record 2 is a string"),
            ('{"samples": [\n  {"question": "a', "not valid JSON at line 2, column 1"),
            ('{"samples": ["问"]}'.encode("gb18030"), "not UTF-8 text"),
        ],
    )
    def test_samples_that_cannot_be_used_are_named_with_their_file(self, analysis, samples, said):
        folder = analysis({SCHEMA: FIELDS, SAMPLES: samples})
        message = refusal(analysis_dir=folder)
        assert message.startswith(f"{folder}/{SAMPLES}: ")
        assert said in message

    def test_a_broken_summary_and_broken_guidelines_are_named(self, analysis):
        assert SUMMARY in refusal(analysis_dir=analysis({SCHEMA: FIELDS, SUMMARY: '{"purpose": '}))
        assert GUIDELINES in refusal(analysis_dir=analysis({SUMMARY: "{}", GUIDELINES: "问".encode("gb18030")}))

    @pytest.mark.parametrize("value", [float("nan"), {1}, "\ud800"])
    def test_inline_values_that_are_no_json(self, value):
        assert refusal(record_schema=FIELDS, seeds=[{"question": value}]).startswith("seeds: ")
        assert refusal(record_schema={"properties": {"q": {"default": value}}}).startswith("record_schema: ")


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of a user who, unlike root, can be refused; this process acts as that user meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        root = os.geteuid() == 0
        if root:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        yield Path(folder)
        if root:
            os.seteuid(0)


@pytest.mark.parametrize(
    "locked", [".", "04_复刻指南", SCHEMA, "09_样例数据", SAMPLES, "03_标注规范", GUIDELINES, SUMMARY]
)
def test_what_may_not_be_read_is_refused_not_passed_over(unprivileged, locked):
    files = {SCHEMA: FIELDS, SAMPLES: [SEED], GUIDELINES: "Be brief.", SUMMARY: {"purpose": "quiz"}}
    folder = written(unprivileged / "qa", files)
    os.chmod(unprivileged / "qa" / locked, 0)
    try:
        message = refusal(analysis_dir=folder)
    finally:
        os.chmod(unprivileged / "qa" / locked, 0o700)
    assert "no permission to read it" in message
    assert message.startswith(folder if locked == "." else f"{folder}/{locked}")


NAMES = """name type fields properties required items enum range min_length pattern anyOf oneOf allOf $ref const
nullable nested_type scoring_rubric score title examples id data samples q answer question messages role content"""
WORDS = st.sampled_from(NAMES.split())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
    | st.sampled_from(["string", "integer", "array", "object", "null", "#", "#/properties/q", "email", "[step]"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip
SCHEMAS = (
    JSON
    | st.builds(lambda inner: {"fields": [{"name": "q", **inner}]}, st.dictionaries(WORDS, JSON, max_size=3))
    | st.builds(lambda inner: {"properties": {"q": inner}}, JSON)
)
USABLE = st.sampled_from(
    [
        {"fields": [{"name": "q", "type": "any", "required": False}, {"name": "messages", "required": False}]},
        {"properties": {"question": {}, "answer": {"type": "string"}}},
    ]
)


def outcome(schema: Any, samples: Any) -> str:
    """Reads an analysis of these documents: `recipe`, or why not."""
    memory = fsspec.filesystem("memory")
    memory.pipe_file(f"/any/{SCHEMA}", json.dumps(schema).encode())
    memory.pipe_file(f"/any/{SAMPLES}", json.dumps(samples).encode())
    try:
        read = recipe(analysis_dir="memory://any")
    except InputError as error:
        return str(error)
    detection = detect_kind(read.record_schema, read.seeds)
    assert all(read.record_schema.field(name) for name in detection.roles.values())
    assert all(str(problem.reason) for problem in read.seed_problems)
    assert Recipe.model_validate_json(read.model_dump_json()).fingerprint == read.fingerprint
    return "recipe"


@settings(max_examples=80, deadline=None)
@given(SCHEMAS)
def test_any_json_as_a_schema_is_a_recipe_or_refused_in_a_sentence(schema):
    said = outcome(schema, [SEED])
    assert said == "recipe" or said.startswith("memory:///any/")


@settings(max_examples=60, deadline=None)
@given(USABLE, JSON | st.lists(st.dictionaries(WORDS, JSON, max_size=5), max_size=4))
def test_any_json_as_samples_is_a_recipe_or_refused_in_a_sentence(schema, samples):
    said = outcome(schema, samples)
    assert said == "recipe" or said.startswith(f"memory:///any/{SAMPLES}")


def test_null_read_as_an_empty_text_is_noted_and_the_seed_used():
    fields = [{"name": "instruction", "type": "string"}, {"name": "input", "type": "string"}]
    seeds = [{"instruction": "Sing a song.", "input": None}, {"instruction": "Translate.", "input": "Good day"}]
    read = recipe(record_schema={"fields": fields}, seeds=seeds)
    assert [seed["input"] for seed in read.seeds] == ["", "Good day"]
    assert read.seed_problems == ()
    assert [note.text("zh")[:5] for note in read.seed_notes] == ["input"]
    assert Recipe.model_validate_json(read.model_dump_json()) == read
