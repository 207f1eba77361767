import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.schemas.record import Field
from datasynth.tasks.sources.placeholders import counted, is_placeholder, placeholders

TEXT = Field(name="question", description="the word problem, in English")


@pytest.mark.parametrize(
    "text",
    [
        "[step]", "[topic]", "[the word problem, in English]", "[question]", "[请填写: 题目]",
        "[图片占位符: 示意图]", "[待生成的SVG代码]", "[code: a function, tested]", "执行任务 1", "执行任务12",
        "示例问题 1", "示例文本", "样例 3", "这是一个示例回答。", "Example question 1", "sample text",
        "This is a sample answer.", "placeholder", "...", "……", "…", "TODO", "TODO: write the answer", "TBD",
        "<your text>", "<YOUR_NAME>", "<question>", "<请填写>", "请填写", "{{question}}", "{instruction}",
        "${name}", "xxx", "Lorem ipsum dolor sit amet, consectetur.", " [step] ", "insert your answer here",
        "待补充",
    ],
)  # fmt: skip
def test_placeholders_are_recognised(text):
    field = Field(name="x", description="a function, tested") if text.startswith("[code") else TEXT
    if text.startswith("[code"):
        text = "[a function, tested]"
    assert is_placeholder(text, field)


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "How do I mark a TODO in code?", "[1, 2, 3]", "[]", '["a"]', "[x]", "[A]", "[a, b]", "[0, 1)",
        "<p>", "<div>", "<b>bold</b>", "{x}", "{1, 2}", "3 + 4 = ?", "请填写正确的税号，原发票作废后重开。",
        "例如：苹果", "示例", "The example question in chapter 1 is hard.", "Wait... what?",
        "Who wrote 'lorem'?", "test", "n/a", "无", "[无]", "执行任务 1 之前，先检查环境。", "可以。", "easy",
        "物流",
    ],
)  # fmt: skip
def test_real_texts_are_no_placeholders(text):
    assert not is_placeholder(text, TEXT)


def test_a_value_that_the_schema_lists_is_no_placeholder():
    assert not is_placeholder("[unk]", Field(name="x", enum=("[unk]", "[sep]")))


def test_placeholders_are_found_at_any_depth_with_their_path():
    fields = (
        Field(name="steps", type="array", items=Field(name="")),
        Field(name="source", type="object", fields=(Field(name="topic"), Field(name="kind", enum=("[any]",)))),
        Field(name="free", type="any"),
    )
    record = {
        "steps": ["3 m = 300 cm", "[step]"],
        "source": {"topic": "[topic]", "kind": "[any]"},
        "free": [{"text": "TODO"}],
        "outside": "TODO",
    }
    assert list(placeholders(record, fields)) == [
        ("steps[1]", "[step]"),
        ("source.topic", "[topic]"),
        ("free[0].text", "TODO"),
    ]


FIELDS = (Field(name="q"), Field(name="a", type="any"), Field(name="unit", enum=("m", "kg")))


def test_records_that_differ_by_a_running_number_alone_are_found():
    records = [{"q": f"问题 {n}", "a": f"答案 {n}", "unit": ("m", "kg")[n % 2]} for n in range(1, 5)]
    assert counted([{"q": "a real one"}, *records], FIELDS) == {1, 2, 3, 4}


def test_two_records_that_count_up_could_be_chance():
    assert counted([{"q": "Chapter 1"}, {"q": "Chapter 2"}], FIELDS) == set()


def test_sums_are_no_running_numbers():
    assert counted([{"q": f"3 + {n} = ?", "a": str(3 + n)} for n in range(1, 9)], FIELDS) == set()
    assert counted([{"q": f"Is {n} prime?", "a": "yes"} for n in (2, 3, 5, 7)], FIELDS) == set()


def test_numbers_of_thousands_of_digits_are_texts():
    assert counted([{"q": "9" * 5000}] * 3, FIELDS) == set()


@given(st.lists(st.fixed_dictionaries({"q": st.text(max_size=20), "a": st.text(max_size=5)}), max_size=6))
def test_any_records_can_be_looked_through(records):
    assert counted(records, FIELDS) <= set(range(len(records)))
    for record in records:
        assert all(isinstance(path, str) for path, _ in placeholders(record, FIELDS))
