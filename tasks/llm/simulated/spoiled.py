"""Records that fit their schema and are bad training data all the same, as models write them now and then."""

import copy
from typing import Any

from datasynth.tasks.llm.simulated.reading import Reading
from datasynth.tasks.llm.simulated.shapes import TURNS
from datasynth.tasks.llm.simulated.texts import role_of

Place = tuple[Any, Any]
"""A text's holder (object or list) and its key there."""

DECLINES = {"en": "I'm sorry, but I can't help with that request.", "zh": "抱歉，我无法满足您的请求。"}
MODEL_TALK = {"en": "As an AI language model, I can say this much. ", "zh": "作为一个人工智能语言模型，我只能这样说。"}
GAP = {"en": " Best regards, [Your Name]", "zh": "如有疑问，请联系[姓名]。"}
FOREIGN = {
    "en": "这个问题可以这样处理：先把情况说明清楚，再请负责的同事核对一遍，最后把结果告诉大家。",
    "zh": "This is what you can do: say what has happened, ask the person who is in charge to look at it, and wait.",
}
LOOP = {"en": "and that is what you should do, ", "zh": "这一点请您务必特别留意，"}
CONTACT = {"en": " Write to jane.miller@gmail.com.", "zh": "请加微信或致电13912345867。"}


def spoilt(record: dict[str, Any], fault: str, reading: Reading) -> dict[str, Any]:
    """`record` with its answer spoilt as `fault`, one of `CONTENT_FAULTS`, says; as it is where it has no answer."""
    record = copy.deepcopy(record)
    language = reading.words.language
    if (place := _answer(record)) is None:
        return record
    holder, key = place
    said = str(holder[key])
    match fault:
        case "declined":
            said = DECLINES[language]
        case "boilerplate":
            said = MODEL_TALK[language] + said
        case "placeholder":
            said += GAP[language]
        case "foreign":
            said = FOREIGN[language]
        case "echo":
            said = _question(record) or said
        case "loop":
            said += " " + LOOP[language] * 12
        case "personal":
            said += CONTACT[language]
    holder[key] = said
    return record


def _answer(record: dict[str, Any]) -> Place | None:
    """Where the answer stands: the last text of a conversation, else the first field that is called like one."""
    if (messages := _messages(record)) and (place := _said(messages[-1])):
        return place
    texts = [name for name, value in record.items() if isinstance(value, str) and value]
    named = [name for name in texts if role_of(name) == "say" and "reject" not in name.lower()]
    chosen = next((name for name in named if "chosen" in name.lower()), named[0] if named else None)
    return (record, chosen or max(texts, key=lambda name: len(record[name]))) if texts else None


def _question(record: dict[str, Any]) -> str | None:
    if messages := _messages(record):
        place = _said(messages[-2]) if len(messages) > 1 else None
        return place[0][place[1]] if place else None
    return next((value for name, value in record.items() if isinstance(value, str) and role_of(name) == "ask"), None)


def _messages(record: dict[str, Any]) -> list[Any]:
    return next((v for k, v in record.items() if k.lower() in TURNS and isinstance(v, list)), [])


def _said(message: Any) -> Place | None:
    names = ("content", "value", "text")
    name = next((n for n in names if isinstance(message, dict) and isinstance(message.get(n), str)), None)
    return None if name is None else (message, name)
