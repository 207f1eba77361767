from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.tasks.sources.guidelines import Guidelines, readable_guidelines

EXAMPLES = Path(__file__).parents[3] / "examples" / "datarecipe"


@pytest.mark.parametrize(
    "line",
    [
        "> 生成时间: 2026-11-21 03:58",
        "> 样本来源: 5 条",
        "> 本规范由 DataRecipe 自动生成，请根据实际需求调整",
        "> 本规范由 DataRecipe 从需求文档自动生成",
        "4. **交付数据中不能含有任何 AI 产出的内容**",
        "- 禁止使用 AI 生成的内容作为题目或答案",
        "- 禁止AI内容",
        "- 非 AI 生成",
        "- No AI-generated content.",
        "2. Do not use any LLM-generated text",
        "* Machine-generated text is not allowed.",
    ],
)
def test_lines_that_would_mislead_a_model_go(line):
    assert readable_guidelines(f"before\n{line}\nafter").text == "before\nafter"


@pytest.mark.parametrize(
    "line",
    [
        "> 数据类型: 偏好对比数据",
        "1. **两个回答必须有明显的质量差异**",
        "- brand names",
        "- 不得使用模型生成与政治有关的题目",
        "- Questions may be about AI-generated images.",
        "- Do not invent facts about machine learning.",
        "**难度校准**: 建议使用主流模型（如 GPT-4、Claude）进行难度校准",
        "| 非 AI | 生成 |",
    ],
)
def test_all_other_lines_stay(line):
    assert readable_guidelines(f"before\n{line}\nafter").text == f"before\n{line}\nafter"


def test_only_the_clause_about_ai_goes_where_a_line_says_more():
    line = "3. **题目必须原创；不得使用 AI 生成的内容；答案唯一。**"
    assert readable_guidelines(line) == Guidelines(
        "3. **题目必须原创；答案唯一。**", left_out=("不得使用 AI 生成的内容；",)
    )


def test_the_rule_and_the_end_of_the_file_leave_no_empty_section_marks():
    assert (
        readable_guidelines("# a\r\n\r\ntext\r\n\r\n---\r\n\r\n> 本规范由 DataRecipe 自动生成\r\n").text
        == "# a\n\ntext"
    )


def test_real_guidelines_lose_nothing_but_those_lines():
    text = (EXAMPLES / "preference_en" / "03_标注规范" / "ANNOTATION_SPEC.md").read_text(encoding="utf-8")
    before = [line for line in text.split("\n") if line.strip() and line != "---"]
    after = [line for line in readable_guidelines(text).text.split("\n") if line.strip() and line != "---"]
    assert [line for line in before if line not in after] == [
        "> 生成时间: 2026-11-21 03:58",
        "> 样本来源: 5 条",
        "4. **交付数据中不能含有任何 AI 产出的内容**",
        "> 本规范由 DataRecipe 自动生成，请根据实际需求调整",
    ]
    assert len(after) == len(before) - 4


@given(st.lists(st.text("abc。- *#|>1.", min_size=1).filter(str.strip), min_size=1))
def test_guidelines_without_such_lines_are_never_shortened(lines):
    text = "\n".join(["start", *lines, "end"])
    assert readable_guidelines(text) == Guidelines(text)
