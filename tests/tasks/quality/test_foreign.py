"""Prose in another language than the data's; and what is no prose, or may be in another language."""

import pytest

ENGLISH = "You can find the order in your account, and the parcel will be there by the end of the week."
CHINESE = "您可以在账户里查到这个订单，包裹会在本周末之前送到，请您放心等待。"
FRENCH = "Vous pouvez trouver la commande dans votre compte, et le colis sera là avant la fin de la semaine."
GERMAN = "Sie finden die Bestellung in Ihrem Konto, und das Paket ist bis zum Ende der Woche bei Ihnen."
RUSSIAN = "Вы найдёте заказ в личном кабинете, а посылка будет доставлена к концу этой недели прямо к вам."
JAPANESE = "ご注文はアカウントで確認できます。荷物は今週末までに届きますので、もうしばらくお待ちください。"
TEXTS = {"en": ENGLISH, "zh": CHINESE, "fr": FRENCH, "de": GERMAN, "ru": RUSSIAN}


@pytest.mark.parametrize("wanted", TEXTS)
@pytest.mark.parametrize("language", TEXTS)
def test_only_prose_in_another_language_is_refused(answered, wanted, language):
    assert answered(TEXTS[language], "?", language=wanted) == ([] if wanted == language else ["language"])


@pytest.mark.parametrize(
    "text",
    [
        "OK",
        "Use iPhone 15 Pro Max, MacBook Air, AirPods Pro, Apple Watch Ultra, HomePod mini.",
        "SELECT name FROM users WHERE age > 18 AND city IS NOT NULL AND id IN (1, 2) ORDER BY name",
        "```python\nfor the_item in that_list:\n    print('this is it, and that is what you have')\n```",
        "1234567890 " * 20,
        "https://example.com/this/is/the/way/to/the/place/that/you/want/and/need",
        "请在终端运行 `git reset --soft HEAD~1`，这会 undo the last commit but keep all of the changes，放心使用。",
        "订单号 SF1234567890 的 status 是 in transit，请留意。",
        "x = [f(y) for y in z if y and not w or v]; return x",
    ],
)
def test_code_names_numbers_and_short_texts_have_no_language(answered, text):
    assert answered(text, "怎么办？", language="zh") == []


def test_a_text_that_quotes_another_language_stays_in_its_own(answered):
    assert answered(f"He said: “{CHINESE[:12]}”, which means that you will find it there.", "?") == []


def test_japanese_is_not_chinese_but_a_title_in_kanji_may_be_either(answered):
    assert answered(JAPANESE, "?", language="en") == ["language"]
    assert answered("東京都知事選挙候補者一覧表作成委員会設置要綱", "?", language="ja") == []


def test_a_language_of_the_seeds_is_at_home_in_its_field(answered):
    seed = {"instruction": "说一句英文", "response": ENGLISH}
    assert answered(ENGLISH.replace("order", "invoice"), "订单在哪里？", language="zh", seeds=[seed]) == []


def test_who_asks_for_a_translation_gets_one(answered):
    assert answered(ENGLISH, f"请翻译：{CHINESE}", language="zh") == []
    assert answered(CHINESE, "Say this in Chinese: you can find the order in your account.") == []


def test_data_with_a_field_for_a_language_is_in_many(found):
    assert found({"question": "订单在哪里？", "answer": ENGLISH, "language": "en"}, language="zh") == []


def test_a_language_that_nobody_can_tell_is_not_judged(answered):
    assert answered(ENGLISH, "?", language="hu") == []


def test_the_rejected_answer_may_be_in_the_wrong_language(found):
    assert found({"prompt": "订单在哪里？", "chosen": CHINESE, "rejected": ENGLISH}, language="zh") == []
