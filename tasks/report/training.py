"""Records in the forms that training programs read: Alpaca, ShareGPT and preference pairs.

The forms are those of Stanford Alpaca (`instruction`, `input`, `output`), of FastChat and LLaMA-Factory
(`conversations` of `from` and `value`; https://llamafactory.readthedocs.io, "Data preparation") and of TRL's preference
data sets (`prompt`, `chosen`, `rejected`; https://huggingface.co/docs/trl/dataset_formats).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say
from datasynth.schemas.recipe import DataKind, Detection
from datasynth.schemas.record import RecordSchema
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.report.conversations import Speaker, Turn, UnfitError, turns_of

TrainingFormat = Literal["alpaca", "sharegpt", "dpo", "preference"]
"""`dpo` and `preference` are the same."""

FITTING: Mapping[str, tuple[DataKind, ...]] = {
    "alpaca": ("instruction_response",),
    "sharegpt": ("multi_turn", "instruction_response"),
    "dpo": ("preference",),
    "preference": ("preference",),
}
"""The kinds of data that a form has a place for; the most particular first."""

FROM: Mapping[Speaker, str] = {
    "user": "human",
    "assistant": "gpt",
    "system": "system",
    "tool": "observation",
    "call": "function_call",
}
"""Speakers as ShareGPT names them, with LLaMA-Factory's names for tools."""
ROLE: Mapping[Speaker, str] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "tool": "tool",
    "call": "assistant",
}
"""Speakers as OpenAI and TRL name them."""


class TrainingForm:
    """Turns the records of one data set into one form."""

    def __init__(self, form: TrainingFormat, schema: RecordSchema, examples: Sequence[dict[str, Any]]) -> None:
        """Finds out which field plays which part.

        Args:
            form: The form.
            schema: Of the records.
            examples: Some of the records, to see what their fields hold.

        Raises:
            InputError: the fields are no data of a kind that the form has a place for.
        """
        self.form = form
        self.detection = _fitting(form, schema, examples)
        self.roles = self.detection.roles
        played = set(self.roles.values())
        self.left_out = {field.name for field in schema.fields if field.name not in played}
        """Fields of the records, and keys of messages, that the form has no place for."""

    def of(self, record: dict[str, Any]) -> dict[str, Any]:
        """`record` in this form.

        Raises:
            UnfitError: one of its values has no place there.
        """
        if self.form == "alpaca":
            instruction, extra, output = (self._text(record, role) for role in ("instruction", "input", "response"))
            return {"instruction": instruction, "input": extra, "output": output}
        if self.form == "sharegpt":
            return {"conversations": [{"from": FROM[t.speaker], "value": t.text} for t in self._turns(record)]}
        return self._pair(record)

    def _text(self, record: dict[str, Any], role: str) -> str:
        """The text of a role; empty where no field plays an `input`, or a record has none."""
        name = self.roles.get(role)
        value = record.get(name) if name else None
        if value is None and role != "input":
            raise UnfitError(say('there is no "{name}"', name=name))
        if isinstance(value, list | dict):
            raise UnfitError(say('"{name}" is no text but a list or an object', name=name))
        return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def _turns(self, record: dict[str, Any]) -> list[Turn]:
        if name := self.roles.get("conversation"):
            return self._read(name, record.get(name))
        asked = self._said(record, self.roles["instruction"], "user")
        if extra := self._text(record, "input"):
            # As LLaMA-Factory joins them when it reads Alpaca's form.
            asked = [*asked[:-1], asked[-1]._replace(text=f"{asked[-1].text}\n{extra}")]
        return [*asked, *self._said(record, self.roles["response"], "assistant")]

    def _said(self, record: dict[str, Any], name: str, speaker: Speaker) -> list[Turn]:
        """The turns in a field: those of the messages that it holds, or its text as one turn of `speaker`."""
        value = record.get(name)
        if value is None:
            raise UnfitError(say('there is no "{name}"', name=name))
        if isinstance(value, list):
            return self._read(name, value)
        return [Turn(speaker, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))]

    def _read(self, name: str, value: Any) -> list[Turn]:
        try:
            keys: set[str] = set()
            turns = turns_of(value, keys)
        except UnfitError as unfit:
            raise UnfitError(say('in "{name}", {found}', name=name, found=unfit.found)) from unfit
        self.left_out |= {f"{name}[].{key}" for key in keys}
        return turns

    def _pair(self, record: dict[str, Any]) -> dict[str, Any]:
        names = {role: self.roles[role] for role in ("prompt", "chosen", "rejected") if role in self.roles}
        values = {role: record.get(name) for role, name in names.items()}
        for role, value in values.items():
            if value is None:
                raise UnfitError(say('there is no "{name}"', name=names[role]))
        if not any(isinstance(value, list) for value in values.values()):
            return values
        # TRL wants all of them as messages, or none.
        return {
            role: [
                {"role": ROLE[turn.speaker], "content": turn.text}
                for turn in self._said(record, name, "user" if role == "prompt" else "assistant")
            ]
            for role, name in names.items()
        }


def _fitting(form: TrainingFormat, schema: RecordSchema, examples: Sequence[dict[str, Any]]) -> Detection:
    why: Message | str = ""
    for kind in FITTING[form]:
        try:
            return detect_kind(schema, examples, kind)
        except InputError as error:
            # The last is what most data that come here nearly are.
            why = error.message.values["why"]
    raise InputError(
        "The format {format} does not fit the fields {fields}: {why} Choose json, jsonl, csv or parquet, which hold "
        "any record.",
        format=form,
        fields=", ".join(field.name for field in schema.asked),
        why=why,
    )


TRAINING_FORMATS: tuple[str, ...] = get_args(TrainingFormat)
