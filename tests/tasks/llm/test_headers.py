"""Rate-limit headers as Anthropic and OpenAI send them.

Sources: platform.claude.com/docs/en/api/rate-limits, platform.openai.com/docs/guides/rate-limits.
"""

from datetime import UTC, datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.tasks.llm.headers import pause_asked

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)

ANTHROPIC = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "49",
    "anthropic-ratelimit-requests-reset": "2026-11-21T12:00:01Z",
    "anthropic-ratelimit-tokens-limit": "36000",
    "anthropic-ratelimit-tokens-remaining": "36000",
    "anthropic-ratelimit-tokens-reset": "2026-11-21T12:00:00Z",
    "anthropic-ratelimit-input-tokens-limit": "30000",
    "anthropic-ratelimit-input-tokens-remaining": "30000",
    "anthropic-ratelimit-input-tokens-reset": "2026-11-21T12:00:00Z",
    "anthropic-ratelimit-output-tokens-limit": "8000",
    "anthropic-ratelimit-output-tokens-remaining": "8000",
    "anthropic-ratelimit-output-tokens-reset": "2026-11-21T12:00:07Z",
}
OPENAI = {
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-requests": "1s",
    "x-ratelimit-reset-tokens": "6m0s",
}


@pytest.mark.parametrize("headers", [ANTHROPIC, OPENAI, {}, {"content-type": "application/json"}])
def test_nothing_pauses_while_something_is_left(headers: dict[str, str]) -> None:
    assert pause_asked(headers, NOW) is None


@pytest.mark.parametrize(
    ("changed", "seconds"),
    [
        ({"anthropic-ratelimit-requests-remaining": "0"}, 1.0),
        ({"anthropic-ratelimit-output-tokens-remaining": "0"}, 7.0),
        ({"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-output-tokens-remaining": "0"}, 7.0),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-21T11:59:58Z",
            },
            0.0,
        ),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-21T20:00:02.5+08:00",
            },
            2.5,
        ),
    ],
)
def test_anthropic_is_waited_for_until_its_reset_time(changed: dict[str, str], seconds: float) -> None:
    assert pause_asked(ANTHROPIC | changed, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("12ms", 0.012),
        ("7.66s", 7.66),
        ("2m59.56s", 179.56),
        ("1h2m3s", 3723.0),
        ("0s", 0.0),
    ],
)
def test_openai_durations_are_read(reset: str, seconds: float) -> None:
    headers = OPENAI | {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": reset}
    assert pause_asked(headers, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "headers",
    [
        # Azure, where it counts nothing.
        {"x-ratelimit-remaining-tokens": "-1", "x-ratelimit-reset-tokens": "0"},
        {"x-ratelimit-remaining-tokens": "0"},
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": ""},
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "soon"},
        {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1s and more"},
        {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-11-21T12:00:07"},
    ],
)
def test_what_cannot_be_understood_pauses_nothing(headers: dict[str, str]) -> None:
    assert pause_asked(headers, NOW) is None


def test_headers_are_found_whatever_their_case() -> None:
    headers = httpx2.Headers({"X-RateLimit-Remaining-Requests": "0", "X-RateLimit-Reset-Requests": "2s"})
    assert pause_asked(headers, NOW) == 2.0


@given(st.text())
def test_no_reset_text_breaks_it(reset: str) -> None:
    wait = pause_asked({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset}, NOW)
    assert wait is None or wait >= 0
