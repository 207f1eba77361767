import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.tasks.detect.language import SCRIPTS, WORDS, language_of


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Write a polite email declining a meeting."),
        ("en", "Summarise the plot of La Casa de Papel."),
        ("fr", "Comment puis-je réinitialiser mon mot de passe ?"),
        ("de", "Wie kann ich mein Passwort zurücksetzen?"),
        ("es", "¿Cuál es el plazo de devolución de los productos?"),
        ("it", "Qual è il tempo di consegna per gli ordini?"),
        ("pt", "Como posso redefinir a minha senha no aplicativo?"),
        ("nl", "Wat kost de verzending en hoe lang duurt het?"),
        ("sv", "Hur kan jag återställa mitt lösenord?"),
        ("pl", "Czy dostawa jest za darmo i ile to trwa?"),
        ("tr", "Şifremi nasıl sıfırlayabilirim ve bu ne kadar sürer?"),
        ("id", "Bagaimana cara saya mengatur ulang kata sandi untuk akun ini?"),
        ("vi", "Làm thế nào để tôi đặt lại mật khẩu của mình?"),
        ("zh", "我的订单三天没有物流更新，怎么办？"),
        ("ja", "パスワードをリセットするにはどうすればいいですか？"),
        ("ko", "비밀번호를 어떻게 재설정하나요?"),
        ("th", "ฉันจะรีเซ็ตรหัสผ่านได้อย่างไร"),
        ("ru", "Как мне сбросить пароль?"),
        ("uk", "Як мені скинути пароль?"),
        ("ar", "كيف يمكنني إعادة تعيين كلمة المرور؟"),
        ("fa", "چگونه می‌توانم گذرواژه خود را بازنشانی کنم؟"),
        ("el", "Πώς μπορώ να αλλάξω τον κωδικό μου;"),
        ("he", "איך אני מאפס סיסמה?"),
        ("hi", "मैं अपना पासवर्ड कैसे रीसेट करूं?"),
    ],
)
def test_a_sentence_is_enough(language, text):
    assert language_of([text]) == language


@pytest.mark.parametrize("texts", [[], [""], ["123 !?", "+-"], ["\U0001f600"]])
def test_without_words_it_is_english(texts):
    assert language_of(texts) == "en"


@pytest.mark.parametrize("text", ["no", "Name a city. A good city.", "pasta al dente", "Bakery."])
def test_a_word_that_other_languages_have_too_does_not_make_it_foreign(text):
    assert language_of([text]) == "en"


def test_code_markup_and_addresses_do_not_count():
    code = "```python\nfor word in the_list_of_words: print(word, 'is in the list')\n```"
    assert (
        language_of(["请解释：" + code, "<div class='the'>你好</div>", "见 https://example.com/the/best/of/the/web"])
        == "zh"
    )


def test_borrowed_words_do_not_outweigh_the_language_around_them():
    assert language_of(["请用 Python 写一个 function，计算 list 的平均值"]) == "zh"
    assert language_of(["What does 你好 mean, and how is it used in a letter?"]) == "en"


def test_the_larger_part_of_the_texts_decides():
    assert language_of(["怎么退货？", "How do I return the goods?", "什么时候发货？", "发票怎么开？"]) == "zh"


def test_accents_written_as_signs_of_their_own_are_the_same_words():
    assert language_of(["Lam the\u0302\u0301 na\u0300o đe\u0302\u0309 to\u0302i va\u0300 ba\u0323n"]) == "vi"


@given(st.lists(st.text(), max_size=4))
def test_any_texts_have_a_language_whatever_their_order(texts):
    language = language_of(texts)
    assert language in WORDS or language in SCRIPTS or language in ("zh", "ja", "ru", "uk", "ar", "fa")
    if len(texts) < 3:
        assert language_of(texts[::-1]) == language
