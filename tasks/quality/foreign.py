"""Texts in another language than the data's."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from datasynth.schemas.messages import say
from datasynth.schemas.record import Field
from datasynth.schemas.settings import ContentCheck
from datasynth.tasks.detect.language import NOT_PROSE, SCRIPTS, SIGNS_PER_WORD, WORDS, language_of
from datasynth.tasks.quality.passages import FLAWLESS, Finding, Passages
from datasynth.tasks.validate.findings import QUOTED_CHARACTERS, json_text, path_text

FEWEST_WORDS: Final = 10
"""Words (or signs enough for as many) before a text has a language: names, terms and titles are shorter."""
OWN_SHARE: Final = 0.3
"""Share of a text in the data's own script above which it may quote what it likes."""
FUNCTION_WORDS: Final = 4
"""Different ones (the, of, is) before words in Latin letters are prose: lists of terms and most code have fewer."""
FUNCTION_SHARE: Final = 0.15
"""Share of function words in such a text; in English prose it is 0.3 to 0.5."""
CODE_SHARE: Final = 0.04
"""Share of signs of code in a text, at most."""
CODE: Final = re.compile(r"[{}\[\]=;<>_\\|$#@^~*/+]")

SCRIPT_OF: Final = {
    **dict.fromkeys(WORDS, "latin"),
    "zh": "han",
    "ja": "han",
    "ru": "cyrillic",
    "uk": "cyrillic",
    "ar": "arabic",
    "fa": "arabic",
    **{name: name for name in ("ko", "th", "el", "he", "hi")},
}
"""The script of each language that can be told; kana counts as Han."""
FUNCTION_WORDS_OF: Final = {name: frozenset(words.split()) for name, words in WORDS.items()}
CLOSE: Final = ({"ru", "uk"}, {"ar", "fa"}, {"zh", "ja"})
"""Told apart by a few letters, which a short text may lack: never taken for each other."""

ABOUT_LANGUAGE: Final = re.compile(
    r"translat|\b(?:in|into|from|to) (?:English|Chinese|Mandarin|French|German|Spanish|Italian|Portuguese|Dutch|Swedish"
    r"|Polish|Turkish|Indonesian|Vietnamese|Japanese|Korean|Thai|Russian|Ukrainian|Arabic|Persian|Greek|Hebrew|Hindi)\b"
    r"|\b(?:English|Chinese|French|German|Spanish|Italian|Japanese|Korean|Russian|Latin)\b|lyrics|poem|lorem"
    r"|翻译|译[成为]|译文|英[文语译]|中[文译]|汉语|法[文语]|德[文语]|日[文语]|韩[文语]|俄[文语]|西班牙语|外语|双语|语言",
    re.IGNORECASE,
)
"""Who speaks of a language may go on in it."""
LANGUAGE_FIELD: Final = re.compile(
    r"(?i)(?:^|[_\W])(?:lang|languages?|locale|translations?|translated|english|chinese|source_text|target_text|en|zh)"
    r"(?:$|[_\W])|语言|译文|翻译|英文|双语"
)
LANGUAGE_MEANT: Final = re.compile(r"(?i)translat|(?<!natural )\blanguages?\b|bilingual|语言|译文|翻译|英文|双语")
"""A field so called, or so described, makes data in more than one language."""


class Foreign:
    """`language`: prose in another language than the data's.

    Never in data that has a field for a language or a translation, in a record that speaks of languages, for texts of
    fewer than ten words, and for code, numbers and names. A language that a seed has in a field is at home there.
    """

    name: ContentCheck = "language"
    wished = False

    def __init__(self, language: str, fields: Sequence[Field], told: str = "") -> None:
        """Args:
        language: BCP 47 primary tag; one that cannot be told from others switches the check off.
        fields: of a record.
        told: the guidelines.
        """
        self._language = language
        mixed = any(LANGUAGE_FIELD.search(f.name) or LANGUAGE_MEANT.search(f.description) for f in fields)
        mixed = mixed or bool(re.search(r"translat|bilingual|双语|翻译", told))
        self._on = language in SCRIPT_OF and not mixed

    def find(self, passages: Passages) -> Iterable[Finding]:
        for n in self._suspects(passages) if self._on else ():
            passage = passages.all[n]
            found = _told(passage.text)
            close = any({found, self._language} <= pair for pair in CLOSE)
            if found in (None, self._language) or close or not _outweighs(found, self._language, passage.text):
                continue
            excused = bool(ABOUT_LANGUAGE.search(passages.said(passage.row, ("ask", "context", "free"))))
            field, value = path_text(passage.keys), json_text(passage.text, QUOTED_CHARACTERS)
            sentence = say(
                "{field} is in the language {found}, not {wanted}: {value}.",
                field=field,
                found=found,
                wanted=self._language,
                value=value,
            )
            yield Finding(n, found, passage.text, sentence, excused)

    def _suspects(self, passages: Passages) -> list[int]:
        """Texts that are long enough and mostly not in the data's script; in Latin script, with few own words."""
        text = pl.col("text")
        counts = {name: text.str.count_matches(pattern.pattern) for name, pattern in SCRIPTS.items()}
        words = {name: count / SIGNS_PER_WORD.get(name, 1) for name, count in counts.items()}
        words["han"] = words["han"] + words.pop("kana")
        script = SCRIPT_OF[self._language]
        own = words[script]
        if script == "latin":
            own_words = rf"(?i)(?:^|[^\p{{L}}])(?:{'|'.join(WORDS[self._language].split())})(?:$|[^\p{{L}}])"
            # Every third or fourth word is one of them in any prose of a language.
            own = pl.min_horizontal(own, text.str.count_matches(own_words) * 3)
        total = pl.sum_horizontal(words.values())
        found = passages.prose(FLAWLESS).filter(text.str.len_chars() >= FEWEST_WORDS)
        found = found.select("n", total=total, own=own)
        found = found.filter(pl.col("total") >= FEWEST_WORDS, pl.col("own") < OWN_SHARE * pl.col("total"))
        return found.collect()["n"].to_list()


def _told(text: str) -> str | None:
    """The language of `text`, where it is certainly prose in one."""
    prose = NOT_PROSE.sub(" ", text)
    letters = sum(map(str.isalpha, prose))
    if not letters or len(CODE.findall(prose)) > CODE_SHARE * letters:
        return None
    language = language_of([prose])
    if SCRIPT_OF[language] != "latin":
        signs = sum(len(SCRIPTS[name].findall(prose)) / SIGNS_PER_WORD.get(name, 1) for name in _scripts(language))
        return language if signs >= FEWEST_WORDS else None
    words = SCRIPTS["latin"].findall(prose)
    # In capitals they are code (SQL) or a heading.
    hits = [
        word for word in words if word.lower() in FUNCTION_WORDS_OF[language] and (len(word) == 1 or not word.isupper())
    ]
    enough = len(set(map(str.lower, hits))) >= FUNCTION_WORDS and len(hits) >= FUNCTION_SHARE * len(words)
    return language if enough and len(words) >= FEWEST_WORDS else None


def _scripts(language: str) -> tuple[str, ...]:
    return ("han", "kana") if SCRIPT_OF[language] == "han" else (SCRIPT_OF[language],)


def _outweighs(found: str, wanted: str, text: str) -> bool:
    """Whether words of `found` clearly outnumber those of `wanted`, which only Latin languages share."""
    if SCRIPT_OF[found] != "latin" or SCRIPT_OF[wanted] != "latin":
        return True
    words = [word.lower() for word in SCRIPTS["latin"].findall(text)]
    one, other = (sum(word in FUNCTION_WORDS_OF[name] for word in words) for name in (found, wanted))
    return one > 3 * other
