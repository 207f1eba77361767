"""The language of texts: by script, and by function words where the script is Latin.

A handful of languages told apart for prompts ("write in ..."), from dozens of texts at a time; that needs no model.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import islice

NOT_PROSE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|<[^<>]{1,200}>|https?://\S+|\S+@\S+", re.DOTALL)
"""Code, markup and addresses say nothing about the language around them."""

SCRIPTS = {
    "han": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0002ebef]"),
    "kana": re.compile(r"[\u3041-\u30ff\u31f0-\u31ff]"),
    "ko": re.compile(r"[\u1100-\u11ff\uac00-\ud7af]"),
    "th": re.compile(r"[\u0e01-\u0e4e]"),
    "cyrillic": re.compile(r"[\u0400-\u04ff]+"),
    "arabic": re.compile(r"[\u0600-\u06ff\u0750-\u077f]+"),
    "el": re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]+"),
    "he": re.compile(r"[\u0590-\u05ff]+"),
    "hi": re.compile(r"[\u0900-\u097f]+"),
    "latin": re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+"),
}
SIGNS_PER_WORD = {"han": 1.6, "kana": 2.5, "ko": 3.0, "th": 4.5}
"""About how many signs make a word where none are set apart (or, in Korean, how many are set apart together), so that
scripts are compared in words. Rough is enough: one script outweighs the others in any but bilingual data."""

KANA_SHARE = 0.1
"""Running Japanese is half kana; Chinese has one now and then, in a name."""

WORDS = {
    "en": (
        "the of and to in is that it for you with on are as this be have what how can an not do your or a from by "
        "we my me at was were has which who when where why does should would could if but so no all"
    ),
    "fr": (
        "le la les des est et une un du dans que pour qui pas vous avec sur ce je il sont au en quel comment mon "
        "ma mes cette nous plus par ou si mais ne se aux puis peut être"
    ),
    "de": (
        "der die das und ist nicht ein eine ich zu den mit sie auf für dem wie es im auch was sind von wir oder "
        "mein kann man nach bei aber wenn sich einen einer einem des um"
    ),
    "es": (
        "el la los las de que y es en un una por con para se del su lo como qué cómo más está no al mi me este "
        "esta o pero si cuando son puede ser sus entre donde cuál"
    ),
    "it": (
        "il di che è la per un una non sono del con si come gli della le da in anche più questo cosa nel mio mia "
        "posso o ma se alla dal dei delle questa essere quale quando perché"
    ),
    "pt": (
        "o a os as de que e é em um uma não para com do da se por mais como na no você são ao meu minha este esta "
        "ser pode quando onde qual mas seu sua pelo pela das dos"
    ),
    "nl": (
        "de het een van en is dat niet zijn in op te met voor er die aan je ik hoe wat ook maar wij mijn kan zo "
        "bij of als uit naar dan nog wel deze dit zich door"
    ),
    "sv": (
        "och att det som en är på av för med den till inte om ett jag har du kan hur vad var de sig mitt min vi "
        "men eller när detta denna så från vid"
    ),
    "pl": (
        "i w na się nie to że jest z do jak co o czy od po dla ma ale są jako lub być przez moje mojego mogę mnie "
        "mi był była tego tym tej które który oraz jej jego"
    ),
    "tr": (
        "ve bir bu için ile ne da de mi nasıl olarak daha çok en gibi olan var değil ya her kadar ben benim şu ki "
        "sonra önce ancak veya nedir"
    ),
    "id": (
        "yang dan di untuk dengan ini itu dari pada tidak dalam adalah akan ke apa saya bagaimana atau juga anda "
        "bisa kami kita oleh sebagai telah lebih ada jika sudah"
    ),
    "vi": (
        "là và của có không cho được trong một các để với này như thế nào tôi bạn những khi người về từ rất cũng "
        "hay nhưng nếu phải làm còn mình đây"
    ),
}
_LANGUAGES = {
    word: {name for name in WORDS if word in WORDS[name].split()} for ws in WORDS.values() for word in ws.split()
}

FEWEST_WORDS = 2
"""Different function words before a text is another language than English: a "no" and an "a" are in many."""

MOST_TEXTS, MOST_CHARACTERS = 1000, 2000
"""What is looked at, of how many texts and of each: more changes nothing."""


def language_of(texts: Iterable[str]) -> str:
    """The language that most of `texts` is written in, as a BCP 47 primary tag; `en` if there is nothing to judge.

    Known: en, fr, de, es, it, pt, nl, sv, pl, tr, id, vi; zh, ja, ko, th, ru, uk, ar, fa, el, he, hi.
    """
    text = "\n".join(NOT_PROSE.sub(" ", t[:MOST_CHARACTERS]) for t in islice(texts, MOST_TEXTS))
    text = unicodedata.normalize("NFC", text)
    found = {name: len(pattern.findall(text)) / SIGNS_PER_WORD.get(name, 1) for name, pattern in SCRIPTS.items()}
    han, kana = found.pop("han"), found.pop("kana")
    japanese = kana > KANA_SHARE * (han + kana)
    found |= {"zh": 0.0 if japanese else han + kana, "ja": han + kana if japanese else 0.0}
    script = max(found, key=lambda name: found[name])
    if not found[script]:
        return "en"
    if script == "latin":
        return _latin(text)
    if script == "cyrillic":
        return "uk" if re.search(r"[іїєґ]", text.casefold()) and not re.search(r"[ыэъё]", text.casefold()) else "ru"
    if script == "arabic":
        return "fa" if re.search(r"[پچژگ]", text) else "ar"
    return script


def _latin(text: str) -> str:
    hits: Counter[str] = Counter()
    distinct: Counter[str] = Counter()
    for word, times in Counter(SCRIPTS["latin"].findall(text.casefold())).items():
        for name in _LANGUAGES.get(word, ()):
            hits[name] += times
            distinct[name] += 1
    known = [name for name in WORDS if name == "en" or distinct[name] >= FEWEST_WORDS]
    return max(known, key=lambda name: (hits[name], distinct[name]))
