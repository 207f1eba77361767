"""What can go wrong with a call, sorted into what a caller does about it; the same for both SDKs."""

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from datasynth.schemas.calls import MissReason

Remedy = Literal["retry", "wait", "adapt", "give_up", "stop_run"]
"""`retry` after a back-off; `wait`: refused for load, again when told; `adapt`: a parameter the endpoint does not
take; `give_up` on this call; `stop_run`: the next call would fail alike (key, model, credit)."""


@dataclass
class CallFailure(Exception):  # noqa: N818 - an outcome as often as it is raised
    """One attempt that brought no reply."""

    miss: MissReason
    remedy: Remedy
    detail: str
    """What the server said, for people, shortened and without the key."""
    maybe_billed: bool = False
    """The request left and no answer says that it was not billed."""
    retry_after: float | None = None
    """Seconds that the server asked for."""
    parameter: str | None = None
    """With `adapt`: which one."""
    authentication: bool = False


STATUS_REMEDY: dict[int, tuple[MissReason, Remedy]] = {
    400: ("bad_request", "give_up"),
    401: ("bad_request", "stop_run"),
    402: ("bad_request", "stop_run"),
    403: ("bad_request", "stop_run"),
    404: ("bad_request", "stop_run"),
    408: ("timeout", "retry"),
    409: ("server_error", "retry"),
    413: ("bad_request", "give_up"),
    422: ("bad_request", "give_up"),
    429: ("rate_limited", "wait"),
    529: ("rate_limited", "wait"),
}

GATEWAY_TIMEOUT = (504, 524)
"""A gateway stopped waiting for a model that may have gone on, and be billed."""

OUT_OF_CREDIT = ("insufficient_quota", "credit balance", "billing_error", "insufficient balance")
"""What providers say, some with status 429, when waiting will not help."""

ADAPTABLE: dict[str, tuple[str, ...]] = {
    "temperature": ("temperature",),
    "thinking": ("thinking",),
    "json_schema": (
        "output_config",
        "output_format",
        "response_format",
        "json_schema",
        "structured output",
        "compiled grammar",
    ),
    "max_completion_tokens": ("max_completion_tokens",),
    "max_tokens": ("max_completion_tokens",),
    "cache_control": ("cache_control",),
}
"""Optional parameters that a call can do without, and the words by which a 400 names them."""


def failure_of_status(
    status: int, body: Any, headers: Mapping[str, str], sent: frozenset[str], *, hidden: str = ""
) -> CallFailure:
    """The failure that an HTTP status means.

    `sent` are the optional parameters that the request carried; `hidden` is the key, which some gateways echo.
    """
    said = _explanation(body)
    detail = f"{status}: {(said.replace(hidden, '***') if hidden else said)[:500]}"
    if any(words in detail.lower() for words in OUT_OF_CREDIT):
        return CallFailure("bad_request", "stop_run", detail)
    if status in (400, 422):
        for parameter, words in ADAPTABLE.items():
            if parameter in sent and any(word in detail.lower() for word in words):
                return CallFailure("bad_request", "adapt", detail, parameter=parameter)
    miss, remedy = STATUS_REMEDY.get(status, ("server_error", "retry") if status >= 500 else ("bad_request", "give_up"))
    after = retry_after(headers) if remedy in ("retry", "wait") else None
    return CallFailure(
        miss,
        remedy,
        detail,
        maybe_billed=status in GATEWAY_TIMEOUT,
        retry_after=after,
        authentication=status in (401, 403),
    )


def _explanation(body: Any) -> str:
    error = (body.get("error") or body) if isinstance(body, dict) else body
    words = [str(error[k]) for k in ("type", "code", "message") if error.get(k)] if isinstance(error, dict) else []
    return " · ".join(dict.fromkeys(words)) or str(error or "no explanation")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `retry-after-ms` or `Retry-After` asks for (a number or an HTTP date; RFC 9110, 10.2.3)."""
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    if (seconds := _number(value)) is not None:
        return seconds
    try:
        date = email.utils.parsedate_tz(value) if value else None
        return max(0.0, email.utils.mktime_tz(date) - time.time()) if date else None
    except (ValueError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < float("inf") else None
