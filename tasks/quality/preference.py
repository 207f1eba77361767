"""Pairs in which the better answer looks worse than the other one."""

import re
from collections.abc import Iterable
from typing import Final

from datasynth.schemas.messages import Message, say
from datasynth.schemas.settings import ContentCheck
from datasynth.tasks.quality.passages import Finding, Passages
from datasynth.tasks.quality.refusal import DECLINING, refusal_in
from datasynth.tasks.quality.repetition import loop_in
from datasynth.tasks.validate.findings import QUOTED_CHARACTERS, json_text, path_text

LONG: Final = 60
"""Characters before a missing end means that a text was cut."""
DANGLING: Final = re.compile(
    r"(?:[,;(（，、；]|\b(?:the|a|an|and|or|of|to|with|for|is|are|because|that|which|your|in|by|from))\Z", re.IGNORECASE
)
ENDED: Final = re.compile(r"[.!?…。！？][\"'”’」）)\]*]*\Z")
NOTHING: Final = re.compile(r"(?:n/?a|null|undefined)\W*\Z", re.IGNORECASE)


class Preference:
    """`preference`: `chosen` declines, runs in circles, is cut off or says nothing, and `rejected` does not.

    Only what shows without reading; which answer is better is for a judge. Whatever of it a seed's `chosen` does, is
    allowed.
    """

    name: ContentCheck = "preference"
    wished = False

    def find(self, passages: Passages) -> Iterable[Finding]:
        for row, own in passages.by_row.items():
            chosen = [n for n in own if passages.all[n].part == "answer"]
            rejected = [n for n in own if passages.all[n].part == "rejected"]
            if not chosen or not rejected:
                continue
            n = chosen[-1]
            text, other = passages.all[n].text, passages.all[rejected[-1]].text
            flaw = flaw_of(text)
            if not flaw or flaw_of(other) or (flaw[0] == "cut" and not ENDED.search(other.rstrip())):
                continue
            excused = flaw[0] == "declines" and bool(DECLINING.search(passages.said(row)))
            field, value = path_text(passages.all[n].keys), json_text(text, QUOTED_CHARACTERS)
            sentence = say(
                "{field} looks worse than the rejected one, {why}: {value}.", field=field, why=flaw[1], value=value
            )
            yield Finding(n, flaw[0], text, sentence, excused)


def flaw_of(text: str) -> tuple[str, Message] | None:
    """What is visibly wrong with an answer, as a name and in words."""
    bare = text.strip()
    if not any(map(str.isalnum, bare)) or NOTHING.match(bare):
        return "empty", say("it says nothing")
    if refusal_in(bare):
        return "declines", say("it declines")
    if loop_in(bare):
        return "loops", say("it repeats itself")
    if bare.count("```") % 2 or (len(bare) >= LONG and DANGLING.search(bare[-12:])):
        return "cut", say("it is cut off")
    return None
