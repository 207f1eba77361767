"""Answers that say nothing new: the question again, or the same words over and over."""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from datasynth.schemas.messages import say
from datasynth.schemas.settings import ContentCheck
from datasynth.tasks.quality.passages import FLAWLESS, Finding, Passages
from datasynth.tasks.validate.findings import QUOTED_CHARACTERS, json_text, path_text

SHORTEST_ECHO: Final = 8
"""Letters and digits. Shorter answers may well be the question's own words: "Tea or coffee?"."""
ALIKE: Final = 0.85
"""Jaccard similarity of the sets of three signs from which two texts are nearly the same."""
REWRITING: Final = re.compile(
    r"repeat|copy|rewrite|rephras|paraphras|proofread|correct|fix|translat|edit|transcrib|quote|punctuat|capitali[sz]"
    r"|重复|复述|抄写|改写|润色|校对|纠正|改正|修改|翻译|朗读|原文|标点",
    re.IGNORECASE,
)

SHORTEST_LOOP: Final = 60
"""Characters; of Chinese and the like, half as many."""
COPIES: Final = 5
"""So often a phrase stands at a text's end, one after the other, before it is a loop: refrains come three or four
times."""
REPEATED: Final = 0.6
"""Share of a text's runs of `RUN` words that were there before. Rae et al. 2021 ("Scaling language models", table A1)
drop web pages from 0.10 for ten words in a row; answers hold lists and tables, and a wrong rejection costs money."""
RUN: Final = 10
FRESH_WORDS, FRESH_PAIRS = 0.5, 0.6
"""Shares of different words, or where none are set apart pairs of signs, above which a text cannot repeat itself so
much: the quick look that spares most texts the close one."""
TOKEN: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\u3041-\u30ff\u0e01-\u0e4e]|[^\W_]+")
CODE: Final = re.compile(r"```.*?(?:```|\Z)|^[ \t]*\|.*$|^[ \t]{4,}.*$", re.DOTALL | re.MULTILINE)
"""Code and tables repeat themselves for good reasons."""


class Echo:
    """`echo`: the answer is the question again, or nearly.

    Not where the question asks for a text to be written again, which a good answer may have to leave as it is.
    """

    name: ContentCheck = "echo"
    wished = False

    def find(self, passages: Passages) -> Iterable[Finding]:
        for rows in passages.by_row.values():
            asked: str | None = None
            for n in rows:
                passage = passages.all[n]
                if passage.part == "ask":
                    asked = passage.text
                elif passage.part == "answer" and asked is not None and echoes(asked, passage.text):
                    field, value = path_text(passage.keys), json_text(passage.text, QUOTED_CHARACTERS)
                    sentence = say("{field} repeats the question: {value}.", field=field, value=value)
                    yield Finding(n, "", passage.text, sentence, bool(REWRITING.search(asked)))


class Repetition:
    """`repetition`: a text that runs in circles, by a phrase that fills its end or by most of its runs of words."""

    name: ContentCheck = "repetition"
    wished = False

    def find(self, passages: Passages) -> Iterable[Finding]:
        for n, passage in enumerate(passages.all):
            if passage.part in FLAWLESS and not passage.listed and (phrase := loop_in(passage.text)):
                field, value = path_text(passage.keys), json_text(phrase, QUOTED_CHARACTERS)
                yield Finding(n, "", phrase, say("{field} repeats itself: {value}.", field=field, value=value))


def echoes(question: str, answer: str) -> bool:
    """Whether `answer` says hardly more than `question`, case, spaces and punctuation aside."""
    # The cheap tests come first: hardly a pair passes them.
    if not 0.75 < (len(answer) + 1) / (len(question) + 1) < 1.34:
        return False
    one, two = _plain(question), _plain(answer)
    if min(len(one), len(two)) < SHORTEST_ECHO:
        return False
    if one == two:
        return True
    if one[:4] != two[:4] and one[-4:] != two[-4:]:
        return False
    first, second = _threes(one), _threes(two)
    return len(first & second) >= ALIKE * len(first | second)


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _threes(text: str) -> set[str]:
    return {text[i : i + 3] for i in range(len(text) - 2)}


def loop_in(text: str) -> str | None:
    """What `text` says over and over; None where it does not."""
    if len(text) < SHORTEST_LOOP // 2:
        return None
    return _loop_at_end(text) or _mostly_repeated(text)


def _loop_at_end(text: str) -> str | None:
    """The phrase that the end of `text` is made of, wherever a limit of length has cut the last one."""
    text = text.rstrip()
    size = min(16, len(text) // (COPIES + 1))
    end = text[-size:]
    before = text.rfind(end, 0, len(text) - 1)
    if before < 0:
        return None
    period = len(text) - size - before
    phrase = text[-period:]
    if len(phrase) * COPIES > len(text) or not text.endswith(phrase * COPIES):
        return None
    start = len(text) - period * COPIES
    letters = sum(map(str.isalpha, phrase))
    # Rulings, blanks to fill and laughter are no phrases.
    if len(set(filter(str.isalpha, phrase.casefold()))) < 3 or letters * 2 < len(phrase):
        return None
    least = SHORTEST_LOOP if phrase.isascii() else SHORTEST_LOOP // 2
    return phrase.strip() if len(text) - start >= least else None


def _mostly_repeated(text: str) -> str | None:
    if _is_fresh(text):
        return None
    words = TOKEN.findall(CODE.sub(" ", text).casefold())
    total = len(words) - RUN + 1
    # Twice as many signs as words say the same.
    if total < 2 * RUN:
        return None
    seen: dict[tuple[str, ...], int] = {}
    repeated = 0
    for i in range(total):
        run = tuple(words[i : i + RUN])
        repeated += run in seen
        seen[run] = seen.get(run, 0) + 1
    if repeated < REPEATED * total:
        return None
    most = max(seen, key=lambda run: seen[run])
    if (
        seen[most] < COPIES - 1
        or len(set(most)) < 3
        or all(word.isdecimal() or (len(word) == 1 and word.isascii()) for word in most)
    ):
        return None
    return _joined(most)


def _is_fresh(text: str) -> bool:
    words = text.split()
    if len(words) * 10 >= len(text):
        return len(set(words)) > FRESH_WORDS * len(words)
    return len(set(pairwise(text))) > FRESH_PAIRS * len(text)


def _joined(words: tuple[str, ...]) -> str:
    pairs = pairwise((*words, ""))
    return "".join(word + (" " if word.isascii() and after.isascii() and after else "") for word, after in pairs)
