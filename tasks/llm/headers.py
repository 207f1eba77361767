"""What rate-limit headers ask for, in Anthropic's and OpenAI's styles."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def pause_asked(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds until a limit that is used up is full again; None while requests and tokens are left."""
    if not any("ratelimit" in name for name in headers):
        return None
    waits = [
        wait
        for what in ("requests", "tokens", "input-tokens", "output-tokens")
        for remaining, reset in (
            (f"anthropic-ratelimit-{what}-remaining", f"anthropic-ratelimit-{what}-reset"),
            (f"x-ratelimit-remaining-{what}", f"x-ratelimit-reset-{what}"),
        )
        if headers.get(remaining) == "0" and (wait := _seconds(headers.get(reset), now)) is not None
    ]
    return max(waits, default=None)


def _seconds(reset: str | None, now: datetime | None) -> float | None:
    """Anthropic gives an RFC 3339 time, OpenAI a duration such as `6m0s` or `17ms`."""
    if not reset:
        return None
    parts = _PARTS.findall(reset)
    if parts and "".join(n + u for n, u in parts) == reset:
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    try:
        at = datetime.fromisoformat(reset)
    except ValueError:
        return None
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds()) if at.tzinfo else None
