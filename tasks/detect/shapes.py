"""What the values of a field look like: texts, lists of messages, or neither."""

from collections.abc import Sequence
from typing import Any

from datasynth.schemas.messages import Message, say
from datasynth.schemas.record import Field

SPEAKERS = ("role", "from", "speaker", "author", "sender", "角色", "说话人")
SAYINGS = ("content", "value", "text", "message", "utterance", "内容")
TURN_PAIRS = (
    ("human", "assistant"),
    ("user", "assistant"),
    ("user", "bot"),
    ("human", "gpt"),
    ("question", "answer"),
    ("query", "response"),
    ("instruction", "response"),
    ("input", "output"),
    ("prompt", "response"),
)


def message_keys(names: Sequence[str]) -> str:
    """How a message with these field names says who speaks and what, such as `from/value`; empty if it does not.

    A turn that holds both sides, such as `human/assistant`, counts too.
    """
    plain = {name.casefold(): name for name in names}
    speaker = next((s for s in SPEAKERS if s in plain), "")
    saying = next((s for s in SAYINGS if s in plain), "")
    if speaker and saying:
        return f"{plain[speaker]}/{plain[saying]}"
    pair = next((pair for pair in TURN_PAIRS if set(pair) <= plain.keys()), None)
    return f"{plain[pair[0]]}/{plain[pair[1]]}" if pair else ""


def messages_form(value: Any) -> str:
    """The form of the messages in `value`, such as `role/content`; empty if it is no list of messages."""
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        return ""
    forms = {message_keys(list(item)) for item in value}
    return forms.pop() if len(forms) == 1 else ""


def utterances_form(value: Any) -> str:
    """As `messages_form`, but for a field already known to be a conversation: bare texts or pairs of them will do."""
    if form := messages_form(value):
        return form
    if not isinstance(value, list) or not value:
        return ""
    if len(value) > 1 and all(isinstance(item, str) for item in value):
        return "text/text"
    pairs = all(isinstance(i, list) and len(i) == 2 and all(isinstance(t, str) for t in i) for i in value)
    return "[text, text]" if pairs else ""


def schema_messages_form(field: Field) -> str:
    """The form of the messages that the schema of `field` describes; empty if it describes none."""
    if field.type != "array" or field.items is None:
        return ""
    return message_keys([f.name for f in field.items.fields])


def may_hold_messages(field: Field) -> bool:
    """Whether the schema leaves room for a list of messages in `field`."""
    if field.type == "any":
        return not field.any_of or any(may_hold_messages(option) for option in field.any_of)
    if field.type != "array":
        return False
    items = field.items
    return items is None or items.type in ("any", "string", "array") or (items.type == "object" and not items.fields)


def values_of(field: Field, seeds: Sequence[dict[str, Any]]) -> list[Any]:
    """What the seeds have at `field`, without the missing and the null."""
    return [seed[field.name] for seed in seeds if seed.get(field.name) is not None]


def why_no_text(field: Field, seeds: Sequence[dict[str, Any]]) -> Message | None:
    """Why `field` holds neither free text nor messages; None if it does.

    A field with listed values holds labels, not texts.
    """
    if field.enum is not None:
        return say('"{field}" is one of {count} listed values, not a text.', field=field.name, count=len(field.enum))
    values = values_of(field, seeds)
    if values and field.type in ("any", "array"):
        if all(isinstance(value, str) or messages_form(value) for value in values):
            return None
        return say('"{field}" holds neither texts nor messages in the seeds.', field=field.name)
    if field.type == "string" or schema_messages_form(field) or (field.type == "any" and _may_be_text(field)):
        return None
    return say('"{field}" is not a text but of the type {type}.', field=field.name, type=field.type)


def _may_be_text(field: Field) -> bool:
    return not field.any_of or any(option.type == "string" and option.enum is None for option in field.any_of)
