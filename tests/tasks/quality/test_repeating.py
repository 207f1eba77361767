"""The question again, the same words again, the prompt's words again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.prompt.render import static_prompt
from datasynth.tasks.quality.repetition import echoes, loop_in

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "many", "birds", "fly", "over", "old", "houses"]
QUESTION = "How do I descale the kettle we bought last year?"


@pytest.mark.parametrize(
    "answer",
    [QUESTION, QUESTION.upper(), "  how do i descale the kettle we bought last year", QUESTION.replace("last", "lst")],
)
def test_an_answer_that_is_the_question_again_is_refused(answered, answer):
    assert answered(answer, QUESTION) == ["echo"]


def test_a_chinese_answer_that_is_the_question_again_is_refused(answered):
    assert answered("我的订单三天没有物流更新，怎么办", "我的订单三天没有物流更新，怎么办？", language="zh") == ["echo"]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Tea?", "Tea."),
        ("Correct this: He goes to school by bus every day.", "Correct this: He goes to school by bus every day."),
        ("Is the kettle we bought in May made of steel?", "The kettle we bought in May is made of glass."),
        ("Kettle or pot?", "Pot or kettle: either."),
    ],
)
def test_an_answer_in_words_of_the_question_is_none(answered, question, answer):
    assert answered(answer, question) == []


@given(st.text(min_size=1, max_size=60))
def test_a_text_echoes_itself_if_it_has_enough_letters(text):
    assert echoes(text, text) == (sum(map(str.isalnum, text.casefold())) >= 8)


@pytest.mark.parametrize(
    "text",
    [
        "Boil it. " + "Then rinse it with water. " * 8,
        "Boil it and then rinse it and then rinse it" + " and then rinse it" * 6 + " and th",
        "先煮沸，" + "再用清水冲洗干净，" * 8,
        "\n".join(["Fill the kettle with vinegar and boil it once or twice.", "Rinse it well after that, please."] * 6)
        + "\nThat is all.",
        "非常非常重要的是，" + "一定要记得把水壶里的水倒掉再清洗。" * 10 + "就这样吧，祝你好运。",
    ],
)
def test_a_text_that_runs_in_circles_is_refused(answered, text):
    assert answered(text, language="en" if text.isascii() else "zh") == ["repetition"]


@pytest.mark.parametrize(
    "text",
    [
        "Ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha ha!",
        "哈" * 40,
        "-" * 200,
        "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 30,
        "```\n" + "x = f(x)\n" * 40 + "```",
        "\n".join(f"{n} times seven is {7 * n}." for n in range(1, 30)),
        "\n".join(f"Day {n}: run {n + 2} kilometres, then stretch for {n * 2} minutes." for n in range(1, 15)),
        "Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, merrily, life is but a dream.\n"
        * 3,
        "ACGT" * 30 + " is the sequence.",
        " ".join(["0"] * 100),
    ],
)
def test_what_repeats_itself_for_a_reason_is_no_loop(text):
    assert loop_in(text) is None


@given(st.lists(st.sampled_from(WORDS), max_size=80))
def test_words_in_any_order_are_no_loop_unless_a_run_recurs(words):
    runs = [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
    if len(set(runs)) == len(runs):
        assert loop_in(" ".join(words)) is None


def recipe(language: str = "en", description: str = "") -> Recipe:
    fields = (Field(name="instruction", description=description), Field(name="response"))
    return Recipe(name="n", record_schema=RecordSchema(fields=fields), language=language)


def prompt_lines(language: str) -> list[str]:
    roles = {"instruction": "instruction", "response": "response"}
    detection = Detection(kind="instruction_response", roles=roles)
    text = static_prompt(recipe(language), detection, SynthesisSettings.model_validate({"analysis_dir": "x"}))
    return [line for line in text.splitlines() if len(line) > 60 or (language == "zh" and len(line) > 40)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_long_line_of_the_prompt_is_found_in_a_record(found, language):
    lines = [line for line in prompt_lines(language) if "…" not in line]
    assert len(lines) > 8
    for line in lines:
        assert ("response", "prompt_leak") in found({"instruction": "?", "response": f"So: {line}"}, language=language)


def test_a_heading_of_the_prompt_is_found(answered):
    assert answered("## Rules for every record\n\nBoil it.") == ["prompt_leak"]


def test_what_a_field_is_described_as_may_recur(found):
    description = "One concrete task, question or problem that a real person would bring, in that person's own words"
    fields = (Field(name="instruction", description=description), Field(name="response"))
    record = {"instruction": description, "response": "Vinegar."}
    assert found(record, fields=fields) == []
    assert found(record) == [("instruction", "prompt_leak")]


def test_what_the_guidelines_and_the_seeds_say_may_recur(found):
    line = "The records of one answer differ from each other in subject, structure, wording, length and first words."
    record = {"instruction": "Say it.", "response": line}
    assert found(record) == [("response", "prompt_leak")]
    assert found(record, guidelines=line) == []
    assert found(record, seeds=[record]) == []
