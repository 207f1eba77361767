"""The knobs of the simulated model server: how fast it answers, and what goes wrong how often."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from datasynth.schemas.errors import InputError


def _knob(default: Any, about: str) -> Any:
    return field(default=default, metadata={"about": about})


@dataclass(frozen=True)
class Knobs:
    """Everything that can be set about the server. A `rate_*` is a probability; each knob's sentence is its `about`.

    The rates of one group exclude each other and add up to at most 1: what happens to a request (`REQUEST_FAULTS`),
    to a whole reply (`REPLY_FAULTS`) and to a single record (`RECORD_FAULTS`).
    """

    seed: int = _knob(0, "Seed of every draw: replies and faults are functions of it and of the requests.")
    latency: float = _knob(0.0, "Mean seconds before an answer starts.")
    jitter: float = _knob(0.0, "Spread of the latency: sigma of a log-normal factor with mean 1; 0 is constant.")
    capacity: int | None = _knob(None, "Requests served at once; one more is refused with 429 at once.")
    requests_per_minute: int | None = _knob(None, "Token bucket: 429 beyond it; its headers go out with every answer.")
    rate_429: float = _knob(0.0, "Refused: rate limit.")
    retry_after: float | None = _knob(None, "Seconds in the Retry-After header of a 429; none: no header.")
    rate_529: float = _knob(0.0, "Refused: overloaded (503 with the same meaning on OpenAI paths).")
    rate_500: float = _knob(0.0, "Failed: internal error.")
    rate_503: float = _knob(0.0, "Failed: service unavailable.")
    rate_reset: float = _knob(0.0, "Connection reset where the answer should start.")
    rate_hang: float = _knob(0.0, "Never answered; the connection stays open.")
    rate_half: float = _knob(0.0, "Connection reset in the middle of the answer's body.")
    rate_truncated: float = _knob(0.0, "Reply cut inside a record, said so as at max_tokens.")
    rate_malformed: float = _knob(0.0, "Reply is broken JSON.")
    rate_empty: float = _knob(0.0, "Reply without text.")
    rate_refusal: float = _knob(0.0, "Reply declines.")
    rate_tool_call: float = _knob(0.0, "Reply calls a tool that nobody offered.")
    rate_wrapped: float = _knob(0.0, "Records inside prose, fences, another object, or as single objects.")
    rate_duplicate: float = _knob(0.0, "Record is an earlier one of its reply, or a seed, again.")
    rate_near_duplicate: float = _knob(0.0, "Record is an earlier one of its reply, or a seed, with one word changed.")
    rate_invalid: float = _knob(0.0, "Record breaks its schema.")
    rate_declined: float = _knob(0.0, "Record whose answer declines.")
    rate_boilerplate: float = _knob(0.0, "Record in which the model speaks of itself.")
    rate_placeholder: float = _knob(0.0, "Record with a placeholder in its answer.")
    rate_foreign: float = _knob(0.0, "Record whose answer is in another language.")
    rate_echo: float = _knob(0.0, "Record whose answer is its question.")
    rate_loop: float = _knob(0.0, "Record whose answer ends in a loop.")
    rate_personal: float = _knob(0.0, "Record with personal data in its answer.")
    collapse: float = _knob(
        0.0, "Share of records that are favourite answers: few a niche; only an aim, or what is to be avoided, helps."
    )
    rate_poor: float = _knob(0.0, "Record that every judge scores low.")
    judge_noise: float = _knob(0.0, "Points by which a judge's score may be off, either way.")
    steady: bool = _knob(False, "What is wrong with a reply is the same each time that the same is asked.")
    bad_request: bool = _knob(False, "Every request is answered 400 with an explanation.")
    reject_parameters: tuple[str, ...] = _knob((), "Parameters answered 400 by name, such as temperature,thinking.")
    api_key: str | None = _knob(None, "The only key accepted; another is answered 401.")
    stop_after: int | None = _knob(None, "Replies to give before every further request hangs.")
    batch_seconds: float = _knob(0.0, "Seconds until a batch has ended.")
    canned: bool = _knob(False, "Cheaper replies for benchmarks: records joined from ready parts; aims are ignored.")

    @classmethod
    def of(cls, values: Mapping[str, Any], base: Self | None = None) -> Self:
        """`base` (or the defaults) with `values`, which may also be text as flags and forms give it.

        Raises:
            InputError: an unknown knob, a value of the wrong type, or rates that cannot be.
        """
        known = {f.name: f for f in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise InputError(
                    "The simulated server has no knob called {name}. It has: {known}.",
                    name=name,
                    known=", ".join(known),
                )
        changed = {name: _converted(name, value, TYPES[name]) for name, value in values.items()}
        knobs = dataclasses.replace(base or cls(), **changed)
        _check(knobs)
        return knobs


REQUEST_FAULTS = ("429", "529", "500", "503", "reset", "hang", "half")
REPLY_FAULTS = ("truncated", "malformed", "empty", "refusal", "tool_call", "wrapped")
CONTENT_FAULTS = ("declined", "boilerplate", "placeholder", "foreign", "echo", "loop", "personal")
RECORD_FAULTS = ("duplicate", "near_duplicate", "invalid", *CONTENT_FAULTS)
JUDGED_FAULTS = ("poor",)

TYPES: dict[str, Any] = typing.get_type_hints(Knobs)
"""The type of each knob, for whoever turns knobs into flags or a form."""


def _check(knobs: Knobs) -> None:
    groups = (REQUEST_FAULTS, REPLY_FAULTS, RECORD_FAULTS, JUDGED_FAULTS)
    for names in (["collapse"], *([f"rate_{fault}" for fault in group] for group in groups)):
        rates = {name: getattr(knobs, name) for name in names}
        for name, rate in rates.items():
            if not 0 <= rate <= 1:
                raise InputError("{name} is {rate}; a probability from 0 to 1 is needed.", name=name, rate=rate)
        if (total := sum(rates.values())) > 1 + 1e-9:
            raise InputError(
                "{names} add up to {total}; at most 1 is possible, since only one of them happens at a time.",
                names=", ".join(name for name, rate in rates.items() if rate),
                total=round(total, 4),
            )
    for name in (
        "latency",
        "jitter",
        "judge_noise",
        "batch_seconds",
        "capacity",
        "requests_per_minute",
        "retry_after",
        "stop_after",
    ):
        value = getattr(knobs, name)
        if value is not None and value < 0:
            raise InputError("{name} is {value}; give 0 or more.", name=name, value=value)


def _converted(name: str, value: Any, kind: Any) -> Any:
    if isinstance(kind, types.UnionType):
        if value is None or value == "":
            return None
        kind = next(k for k in typing.get_args(kind) if k is not types.NoneType)
    try:
        if typing.get_origin(kind) is tuple:
            parts = value.split(",") if isinstance(value, str) else value
            return tuple(str(p).strip() for p in parts if str(p).strip())
        if kind is bool:
            return value if isinstance(value, bool) else BOOLEANS[str(value).lower()]
        converted = kind(value)
        if isinstance(value, bool) or (kind is int and isinstance(value, float) and value != converted):
            raise ValueError(value)
        return converted
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(
            "The knob {name} cannot be {value}; {kind} is needed.",
            name=name,
            value=repr(value),
            kind=getattr(kind, "__name__", "a list"),
        ) from error


BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
