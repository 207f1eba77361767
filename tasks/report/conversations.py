"""Conversations in any of the forms that data sets write them in, as turns."""

import json
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, cast

from datasynth.schemas.messages import Message, say
from datasynth.tasks.dedup.views import USER_ROLES
from datasynth.tasks.detect.shapes import SAYINGS, SPEAKERS, TURN_PAIRS, utterances_form
from datasynth.tasks.validate.content import SPEAKERS as KNOWN

Speaker = Literal["user", "assistant", "system", "tool", "call"]
"""`call`: the assistant calls a tool."""


class Turn(NamedTuple):
    """What somebody says."""

    speaker: Speaker
    text: str


class UnfitError(Exception):
    """A value that a training form has no place for."""

    def __init__(self, found: Message) -> None:
        super().__init__(found)
        self.found = found


def turns_of(value: Any, left_out: set[str]) -> list[Turn]:
    """The turns of a conversation in any form that `shapes.utterances_form` knows.

    Speakers who are called neither user nor assistant, by any name for these, are taken for the sides that nobody is
    yet, in the order in which they speak.

    Args:
        value: A conversation.
        left_out: Gets the keys of messages that are neither speaker nor text.

    Raises:
        UnfitError: it is none, a message has no text, or more than two sides speak.
    """
    if not utterances_form(value):
        raise UnfitError(say("it is no list of messages of one form"))
    said = list(_said(value, left_out))
    speakers = _speakers([name for name, _ in said])
    return [Turn(speakers[name], text) for name, text in said]


def _said(value: list[Any], left_out: set[str]) -> Iterator[tuple[str, str]]:
    """Name of the speaker and text, in order."""
    for n, item in enumerate(value):
        if isinstance(item, str):
            yield ("user", "assistant")[n % 2], item
        elif isinstance(item, list):
            who, text = item
            yield from [(who, text)] if _side(who) else [("user", who), ("assistant", text)]
        else:
            yield from _of_message(item, left_out)


def _of_message(item: dict[str, Any], left_out: set[str]) -> list[tuple[str, str]]:
    plain = {name.casefold(): name for name in item}
    who = next((plain[s] for s in SPEAKERS if s in plain), None)
    what = next((plain[s] for s in SAYINGS if s in plain), None)
    if who and what:
        left_out |= item.keys() - {who, what}
        return [(_text(item[who], who), _text(item[what], what))]
    one, two = next(pair for pair in TURN_PAIRS if set(pair) <= plain.keys())
    left_out |= item.keys() - {plain[one], plain[two]}
    return [("user", _text(item[plain[one]], one)), ("assistant", _text(item[plain[two]], two))]


def _text(value: Any, name: str) -> str:
    if value is None:
        raise UnfitError(say('a message has no "{name}"', name=name))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _side(name: str) -> Speaker | None:
    plain = name.strip().casefold()
    if plain == "function_call":
        return "call"
    return cast("Speaker | None", KNOWN.get(plain, "user" if plain in USER_ROLES else None))


def _speakers(names: list[str]) -> dict[str, Speaker]:
    found: dict[str, Speaker] = {name: side for name in names if (side := _side(name))}
    free: list[Speaker] = [side for side in ("user", "assistant") if side not in found.values()]
    for name in dict.fromkeys(names):
        if name not in found:
            if not free:
                raise UnfitError(say('besides user and assistant, "{name}" speaks', name=name))
            found[name] = free.pop(0)
    return found
