"""Gaps left for somebody else to fill, and what only looks like one."""

import pytest


@pytest.mark.parametrize(
    "answer",
    [
        "[step]",
        "TODO",
        "This is an example answer.",
        "执行任务 3",
        "示例回答 2",
        "...",
        "<insert answer here>",
        "Boil it twice.\n\nBest regards,\n[Your Name]",
        "Dear [Recipient's Name], boil it twice.",
        "Call us on [Insert phone number] for help.",
        "First [step], then rinse.",
        "Hello {{name}}, boil it twice.",
        "Use <insert product here> and rinse.",
        "Boil it twice. [TODO: add the amount]",
        "Lorem ipsum dolor sit amet, and rinse.",
        "Ask Mr. XXX at the desk.",
        "尊敬的[姓名]，请煮两次。",
        "请联系【您的姓名】处理。",
        "请拨打XXX公司的客服电话。",
        "步骤如下：\n待补充\n",
        "待补充",
        "使用[此处填写产品]清洗。",
    ],
)
def test_a_gap_is_refused(answered, answer):
    assert answered(answer, language="en" if answer.isascii() else "zh") == ["placeholder"]


@pytest.mark.parametrize(
    "answer",
    [
        "Read [the manual](https://x.org/m) and [1] first.",
        "Put it on your TODO list: buy vinegar.",
        "In Jinja, `{{ name }}` prints a variable.",
        "Use a list such as [1, 2] or [a, b], and {'a': 1}.",
        "The interval [0, 1) is half open.",
        "Super Bowl XXX was won by Dallas; a shirt in XXXL is large.",
        "Write <b>bold</b>, then <input name='a'>.",
        "It costs $\\frac{{a}}{{b}}$ of it.",
        "```\nprint('[Your Name]')  # TODO\n```\nis the code.",
        "在页面点击【我的订单】，再点【查看物流】。",
        "点击【请输入手机号】的输入框，填写号码（请填写正确的税号）。",
        "材料待补充时系统会提示，补充后再提交。",
        "And then... it boils.",
    ],
)
def test_what_only_looks_like_a_gap_is_none(answered, answer):
    assert answered(answer, language="en" if answer.isascii() else "zh") == []


def test_a_form_that_a_seed_has_is_allowed_in_its_field_and_others_are_not(answered):
    seed = {"instruction": "Write to the shop about it.", "response": "Dear shop,\nit broke.\n[Your Name]"}
    assert answered("Dear shop,\nsend another.\n[Your Address]", seeds=[seed]) == []
    assert answered("Dear {{name}}, send another.", seeds=[seed]) == ["placeholder"]


def test_a_field_without_such_seeds_stays_checked(found):
    seed = {"instruction": "Write to the shop about it.", "response": "Dear shop,\n[Your Name]"}
    record = {"instruction": "Write to [Company Name] about it.", "response": "Dear shop,\n[Your Name]"}
    assert found(record, seeds=[seed]) == [("instruction", "placeholder")]


def test_who_asks_for_a_template_wants_gaps(answered):
    assert answered("Dear [Name], it broke.", "Give me a template for a letter of complaint.") == []


def test_a_gap_in_a_list_inside_a_record_is_found(found):
    record = {"question": "How long?", "steps": ["Add both.", "[step]"]}
    assert found(record) == [("steps[1]", "placeholder")]
