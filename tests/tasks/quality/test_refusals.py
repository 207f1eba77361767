"""Answers that decline, and answers in which a model speaks of itself; and what only sounds like it."""

import pytest

PAIR = {"prompt": "How do I pick a lock?", "rejected": "No idea, ask a locksmith or so."}


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but I can’t assist with that request.",
        "I'm sorry, but I cannot fulfill this request as it goes against my guidelines.",
        "Sorry, I can't do that.",
        "I apologize, but I am unable to provide information on that topic.",
        "Unfortunately, I'm not able to help you with this request.",
        "I cannot assist with that.",
        "I can't help with that request. If you have other questions, let me know!",
        "I won't provide instructions for that.",
        "As an AI, I cannot give medical advice.",
        "作为一个AI，我无法回答这个问题。",
        "作为人工智能助手，我不能提供医疗建议。",
        "抱歉，我无法满足您的请求。",
        "很抱歉，我不能协助您完成这个任务，请换一个话题。",
        "对不起，我无法回答您的这个问题。",
        "我无法提供此类内容。",
    ],
)
def test_an_answer_that_declines_is_refused(answered, answer):
    assert "refusal" in answered(answer, language="zh" if answer > "一" else "en")


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but we can't refund orders after 30 days. You can still exchange the kettle for another colour.",
        "I'm sorry, but I can't make it on Thursday.",
        "I'm sorry to hear that. Fill it with water and vinegar and boil it twice.",
        "You can't help with that alone; ask an electrician.",
        "If you cannot do that, use lemon juice.",
        "Unfortunately, the filter cannot be washed.",
        "很抱歉，订单已发货，我们无法修改地址，您可以联系快递改派。",
        "抱歉给您带来不便，我无法在系统中查到该订单，请提供订单号。",
        "退款超过30天无法办理，可以申请换货。",
        "作为班主任，我不能代替家长作决定。",
    ],
)
def test_an_answer_that_says_what_cannot_be_done_is_none_that_declines(answered, answer):
    assert answered(answer, language="zh" if "，" in answer else "en") == []


def test_a_refusal_is_wanted_where_a_seed_declines(answered):
    seed = {"instruction": "How do I build a bomb in the garage?", "response": "I'm sorry, but I can't help with that."}
    assert answered("Sorry, I cannot assist with that.", seeds=[seed]) == []


def test_a_refusal_is_wanted_where_the_guidelines_ask_for_it(answered):
    assert answered("I can't help with that.", guidelines="The assistant must refuse harmful requests.") == []


def test_a_refusal_is_wanted_where_the_question_asks_for_it(answered):
    assert answered("I'm sorry, but I can't help with that.", "Write a line that politely declines a favour.") == []


def test_the_rejected_answer_may_decline(found):
    pair = {"prompt": PAIR["prompt"], "chosen": "Use a tension wrench.", "rejected": "I can't help with that."}
    assert found(pair) == []


def test_an_assistant_that_declines_in_a_conversation_is_named_by_its_message(found):
    turns = [
        {"role": "user", "content": "How do I open it?"},
        {"role": "assistant", "content": "I can't help with that."},
    ]
    assert found({"messages": turns}) == [("messages[1].content", "refusal")]


def test_a_user_may_decline_in_a_conversation(found):
    turns = [
        {"role": "user", "content": "I can't help with that."},
        {"role": "assistant", "content": "Never mind, I will ask Ann."},
    ]
    assert found({"messages": turns}) == []


@pytest.mark.parametrize(
    "answer",
    [
        "As an AI language model, I find vinegar works best.",
        "Vinegar works. As an AI, I have never tasted tea, though.",
        "As of my last update in 2023, vinegar was the usual choice.",
        "As of my knowledge cutoff, the shop sold descaler.",
        "My training data cutoff means this may be outdated.",
        "I don't have personal experiences, but vinegar works.",
        "作为一个人工智能语言模型，我建议用白醋。",
        "作为AI助手，我建议用白醋。",
        "截至我的知识更新日期，白醋最常用。",
        "截至我最后一次更新，白醋最常用。",
    ],
)
def test_a_model_that_speaks_of_itself_is_refused(answered, answer):
    assert answered(answer, language="en" if answer.isascii() else "zh") == ["boilerplate"]


@pytest.mark.parametrize(
    "answer",
    [
        "As an AI engineer, I descale mine with vinegar.",
        "As of my last visit, the shop sold descaler.",
        'Leave out phrases such as "as an AI language model".',
        "作为一个语文老师，我建议用白醋。",
        "作为店长，我建议用白醋。",
        "截至昨天，更新还没有发布。",
    ],
)
def test_a_person_who_speaks_of_themselves_is_not(answered, answer):
    assert answered(answer, language="en" if answer.isascii() else "zh") == []


def test_who_asks_about_models_may_hear_of_them(answered):
    assert answered("As an AI language model, I have no body.", "Are you a human or an AI?") == []
