"""What kind of data a schema and its seeds describe, with the evidence for it.

Names come first, for that is how data sets say what they are; the seeds' values then confirm or refute them. The kinds
are tried from the most to the least particular: a preference pair may hold conversations, and a conversation may stand
beside a question; what is none of these is generic, which always works.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say
from datasynth.schemas.recipe import Detection
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import DataKindChoice
from datasynth.tasks.detect import roles, shapes

Seeds = Sequence[dict[str, Any]]
Finding = Detection | Message | None
"""A kind that fits; or why one that the names promise does not; or None where no name speaks for it."""


def detect_kind(schema: RecordSchema, seeds: Seeds, choice: DataKindChoice = "auto") -> Detection:
    """The kind of data, which field plays which part in it, and why; the strongest reason first.

    `roles` has, by kind: `instruction`, `response` and perhaps `input`; `chosen`, `rejected` and perhaps `prompt`
    (some preference data keep the prompt inside both answers); `conversation`; none for generic data.

    Args:
        schema: Of the records; `id` and bookkeeping play no part.
        seeds: May be empty: then names and types decide.
        choice: A kind to use whatever speaks for another, as long as the fields can be that kind.

    Raises:
        InputError: the fields cannot be the kind chosen.
    """
    fields = schema.asked
    if choice == "auto":
        return _detected(fields, seeds)
    chosen = say("Chosen by --data-type.")
    if choice == "generic":
        return Detection(kind="generic", reasons=(chosen,))
    found = _CHOSEN[choice](fields, seeds)
    if not isinstance(found, Detection):
        raise InputError(
            "--data-type {kind} does not fit the fields {fields}: {why} Leave the option out, or rename the fields.",
            kind=choice,
            fields=_names(fields),
            why=found or _NEEDS[choice],
        )
    return found.model_copy(update={"reasons": (chosen, *found.reasons)})


def _detected(fields: Sequence[Field], seeds: Seeds) -> Detection:
    refuted = []
    for finder in (_preference, _conversation, _instruction, _conversation_by_values):
        found = finder(fields, seeds)
        if isinstance(found, Detection):
            return found
        if found is not None:
            refuted.append(found)
    general = say(
        "Among the fields {fields} is no instruction with its response, no better and worse answer, no conversation.",
        fields=_names(fields),
    )
    return Detection(kind="generic", reasons=(general, *refuted))


def _preference(fields: Sequence[Field], seeds: Seeds) -> Finding:
    pair = roles.pair(roles.BETTER_AND_WORSE, fields)
    if pair is None:
        return _two_answers(fields, seeds)
    reason = say(
        'The names "{chosen}" and "{rejected}" mean a better and a worse answer.',
        chosen=pair[0].name,
        rejected=pair[1].name,
    )
    return _preference_of(pair, reason, fields, seeds)


def _two_answers(fields: Sequence[Field], seeds: Seeds) -> Finding:
    """Answers that are only numbered: a field that says which is better must always say the same, or be absent."""
    pair = roles.pair(roles.TWO_ANSWERS, fields)
    if pair is None:
        return None
    one, two = pair
    verdict = next(iter(roles.called(roles.VERDICT, fields)), None)
    if verdict is None:
        reason = say(
            'The names "{one}" and "{two}" mean two answers. No field says which is better: the first is taken to be.',
            one=one.name,
            two=two.name,
        )
        return _preference_of(pair, reason, fields, seeds)
    winners = {_winner(value, pair) for value in shapes.values_of(verdict, seeds)}
    if winners in ({one.name}, {two.name}):
        better, worse = (one, two) if winners == {one.name} else (two, one)
        reason = say(
            'In all seeds "{verdict}" prefers "{chosen}" to "{rejected}".',
            verdict=verdict.name,
            chosen=better.name,
            rejected=worse.name,
        )
        return _preference_of((better, worse), reason, fields, seeds)
    return say(
        'Which of "{one}" and "{two}" is better is said by "{verdict}" in each record, so neither is so throughout.',
        one=one.name,
        two=two.name,
        verdict=verdict.name,
    )


def _winner(value: Any, pair: tuple[Field, Field]) -> str:
    """The field that `value` names, by its whole name or its last sign (`response_a`, `A`, `1`); empty if none."""
    said = roles.plain(str(value))
    return next((f.name for f in pair if said in (roles.plain(f.name), roles.plain(f.name)[-1])), "")


def _preference_of(pair: tuple[Field, Field], reason: Message, fields: Sequence[Field], seeds: Seeds) -> Finding:
    for field in pair:
        if why := shapes.why_no_text(field, seeds):
            return why
    better, worse = pair
    rest = [field for field in fields if field not in pair]
    found = {"chosen": better.name, "rejected": worse.name}
    prompt = _first_fitting(f"{roles.INSTRUCTION} {roles.INPUT} {roles.CONVERSATION} {roles.HISTORY}", rest, seeds)
    if prompt is not None:
        found = {"prompt": prompt.name, **found}
    return Detection(kind="preference", roles=found, reasons=(reason, _values_reason(pair, seeds)))


def _instruction(fields: Sequence[Field], seeds: Seeds, *, numbers: bool = False) -> Finding:
    """An instruction and its response; with `numbers`, a response may also be a number or one of listed values."""
    responses = roles.called(roles.RESPONSE, fields)
    if not responses:
        return None
    response = responses[0]
    rest = [field for field in fields if field is not response]
    instruction = _first_fitting(f"{roles.INSTRUCTION} {roles.INPUT}", rest, seeds)
    if instruction is None:
        return None
    scalar = response.type in ("string", "integer", "number")
    if (why := shapes.why_no_text(response, seeds)) and not (numbers and scalar):
        return why
    found = {"instruction": instruction.name, "response": response.name}
    extra = _first_fitting(roles.INPUT, [field for field in rest if field is not instruction], seeds)
    if extra is not None:
        found["input"] = extra.name
    reason = say(
        'The names "{instruction}" and "{response}" mean an instruction and its response.',
        instruction=instruction.name,
        response=response.name,
    )
    return Detection(
        kind="instruction_response",
        roles=found,
        reasons=(reason, _values_reason((instruction, response), seeds)),
    )


def _conversation(fields: Sequence[Field], seeds: Seeds) -> Finding:
    """A field that is called like a conversation and holds one. A mere `history` beside a question is none."""
    named = roles.called(roles.CONVERSATION, fields)
    if not roles.called(roles.RESPONSE, fields):
        named += roles.called(roles.HISTORY, fields)
    refuted = None
    for field in named:
        found = _conversation_in(field, seeds)
        if isinstance(found, Detection):
            return found
        refuted = refuted or found
    return refuted


def _conversation_in(field: Field, seeds: Seeds) -> Detection | Message:
    name = say('The name "{field}" means a conversation.', field=field.name)
    values = shapes.values_of(field, seeds)
    forms = sorted({shapes.utterances_form(value) for value in values})
    if values and "" not in forms:
        reasons = (name, _form_reason(field, len(values), ", ".join(forms)))
    elif not values and (form := shapes.schema_messages_form(field)):
        reasons = (name, say("By the schema it is a list of messages ({form}).", form=form))
    elif not values and field.type == "array" and shapes.may_hold_messages(field):
        reasons = (name, say("By the schema it is a list."))
    else:
        return say('"{field}" is called like a conversation but is no list of messages.', field=field.name)
    return Detection(kind="multi_turn", roles={"conversation": field.name}, reasons=reasons)


def _conversation_by_values(fields: Sequence[Field], seeds: Seeds) -> Finding:
    """A field of any name whose values, or else whose schema, are lists of messages."""
    for field in fields:
        values = shapes.values_of(field, seeds)
        forms = sorted({shapes.messages_form(value) for value in values} or {shapes.schema_messages_form(field)})
        if "" not in forms:
            form = ", ".join(forms)
            reason = (
                _form_reason(field, len(values), form)
                if values
                else say('By the schema "{field}" is a list of messages ({form}).', field=field.name, form=form)
            )
            return Detection(kind="multi_turn", roles={"conversation": field.name}, reasons=(reason,))
    return None


def _any_conversation(fields: Sequence[Field], seeds: Seeds) -> Finding:
    """By name, else by values; where neither holds, what the name promised in vain."""
    named = _conversation(fields, seeds)
    return named if isinstance(named, Detection) else _conversation_by_values(fields, seeds) or named


def _form_reason(field: Field, count: int, form: str) -> Message:
    return say(
        'In all {count} seeds that have it, "{field}" is a list of messages ({form}).',
        count=count,
        field=field.name,
        form=form,
    )


def _values_reason(pair: Sequence[Field], seeds: Seeds) -> Message:
    if not seeds:
        return say("There is no seed to look at; the types in the schema fit.")
    forms = {shapes.messages_form(value) for field in pair for value in shapes.values_of(field, seeds)} - {""}
    if forms:
        return say(
            "Their values in {count} seeds hold messages ({form}).", count=len(seeds), form=", ".join(sorted(forms))
        )
    return say("Their values in {count} seeds are texts.", count=len(seeds))


def _first_fitting(aliases: str, fields: Sequence[Field], seeds: Seeds) -> Field | None:
    """The first field with one of these names that holds texts or messages."""
    return next((f for f in roles.called(aliases, fields) if shapes.why_no_text(f, seeds) is None), None)


def _names(fields: Sequence[Field]) -> str:
    return ", ".join(field.name for field in fields)


_CHOSEN: dict[DataKindChoice, Callable[[Sequence[Field], Seeds], Finding]] = {
    "preference": _preference,
    "instruction_response": partial(_instruction, numbers=True),
    "multi_turn": _any_conversation,
}

_NEEDS: dict[DataKindChoice, Message] = {
    "preference": say('it needs a better and a worse answer, such as "chosen" and "rejected".'),
    "instruction_response": say('it needs an instruction and its response, such as "instruction" and "response".'),
    "multi_turn": say('it needs a list of messages, such as "conversation" or "messages".'),
}
