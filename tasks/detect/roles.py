"""The names that data sets give to the parts of an example, by the part's role; the most telling first."""

from collections.abc import Iterable, Sequence

from datasynth.schemas.record import Field

INSTRUCTION = "instruction instructions prompt question query problem userinput userprompt userquery user human"
INSTRUCTION += " instructiontext prompttext questiontext 指令 问题 题目 提问 用户输入 用户问题"
INPUT = "input inputtext context 输入 上下文"
RESPONSE = "response output completion answer reply solution assistant responsetext outputtext answertext modelresponse"
RESPONSE += " modeloutput expectedoutput referenceanswer assistantresponse 回答 回复 答案 输出 响应"
CONVERSATION = "messages conversation conversations dialogue dialogues dialog dialogs turns chat thread 对话 会话 消息"
HISTORY = "history chathistory conversationhistory dialoguehistory 历史 对话历史 历史对话"
BETTER_AND_WORSE = (
    ("chosen", "rejected"),
    ("accepted", "rejected"),
    ("preferred", "rejected"),
    ("preferred", "dispreferred"),
    ("preferred", "nonpreferred"),
    ("better", "worse"),
    ("win", "lose"),
    ("chosenresponse", "rejectedresponse"),
    ("responsechosen", "responserejected"),
    ("preferredresponse", "rejectedresponse"),
    ("betterresponse", "worseresponse"),
    ("chosenanswer", "rejectedanswer"),
    ("优选回答", "劣选回答"),
)
TWO_ANSWERS = tuple(
    (f"{stem}{one}", f"{stem}{two}")
    for stem in ("response", "answer", "output", "completion", "reply")
    for one, two in (("a", "b"), ("1", "2"), ("0", "1"))
)
VERDICT = "preference preferred winner choice better chosen label preferredresponse betterresponse bestresponse 偏好"


def plain(name: str) -> str:
    """`name` as the tables here write it: without case, spaces, `_` and `-`."""
    return "".join(c for c in name.casefold() if c.isalnum())


def called(aliases: str | Iterable[str], fields: Sequence[Field]) -> list[Field]:
    """The fields with one of these names, in the order of the names."""
    by_name = {plain(field.name): field for field in reversed(fields)}
    names = aliases.split() if isinstance(aliases, str) else aliases
    return [by_name[name] for name in names if name in by_name]


def pair(pairs: Iterable[tuple[str, str]], fields: Sequence[Field]) -> tuple[Field, Field] | None:
    """The first of `pairs` of names of which both are fields."""
    found = (called(names, fields) for names in pairs)
    return next(((one[0], one[1]) for one in found if len(one) == 2), None)
