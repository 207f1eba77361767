"""What calls made one by one and calls made in batches have in common: what is asked, and when failures end the run."""

import time

import orjson

from datasynth.schemas.calls import Prompt, Reply, Request, Shard
from datasynth.schemas.errors import (
    AuthenticationError,
    DataSynthError,
    RequestRefusedError,
    RunError,
    StorageError,
)
from datasynth.schemas.record import content_digest
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import Endpoint
from datasynth.tasks.llm.failures import CallFailure
from datasynth.tasks.llm.tokens import most_tokens

HOTTER = 0.05
"""Added to the temperature each time a reply could not be read, as the earlier tool did."""
HOPELESS_AFTER = 3
"""Requests refused as malformed, with none answered, after which the run ends instead of asking a thousand times."""

LONGEST_OBEYED = 3600.0
"""Seconds of `Retry-After` that a run waits for; more is a quota of a day or a month, and somebody must know."""


def planned_request(shard: Shard, prompt: Prompt, attempt: int, *, model: str, settings: SynthesisSettings) -> Request:
    """The request of a planned call; `attempt` counts the replies to it that could not be read."""
    return Request(
        model=model,
        system=shard.static,
        user=prompt.user,
        max_tokens=prompt.call.asked * settings.max_tokens_per_sample,
        temperature=round(min(settings.temperature + HOTTER * attempt, 2.0), 4),
        json_schema=shard.json_schema,
    )


def static_part(shard: Shard) -> tuple[str, int]:
    """What all calls of a shard share: its digest, as `reply_key` takes it, and the most tokens that it may be."""
    digest = content_digest([shard.static, shard.json_schema])
    return digest, most_tokens(shard.static, orjson.dumps(shard.json_schema).decode())


def deadline_of(settings: SynthesisSettings) -> float:
    """The moment of `time.monotonic` after which a run that starts now begins no call."""
    return time.monotonic() + settings.max_minutes * 60 if settings.max_minutes else float("inf")


def too_late(*, stopping: bool, deadline: float) -> CallFailure | None:
    """What becomes of a call that has not left, where none may leave any more."""
    if stopping:
        return CallFailure("stopped", "give_up", "the run was stopped")
    if time.monotonic() >= deadline:
        return CallFailure("stopped", "give_up", "the time limit was reached")
    return None


def is_final(reply: Reply) -> bool:
    """Whether the same call would bring the like again: a refusal, or more words than the token limit has room for."""
    return reply.stop in ("refusal", "length")


class Prospects:
    """Ends the run where the next call would fail like the last."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.fatal: DataSynthError | None = None
        """What ended the run; nothing new may start."""
        self.answers = 0
        """Replies that were paid for; whoever receives one counts it here."""
        self._endpoint = endpoint
        self._where = endpoint.base_url or endpoint.provider.name
        self._malformed = 0

    def look_again(self) -> None:
        """Somebody tries again what ended, and no call is under way: storage that failed may be back."""
        if isinstance(self.fatal, StorageError):
            self.fatal = None

    def failed(self, failure: CallFailure) -> None:
        """Takes note of a call that brought no reply.

        Raises:
            DataSynthError: the run is over, by this failure or an earlier one.
        """
        if failure.remedy == "stop_run":
            self.fatal = self._error(failure)
        elif (failure.retry_after or 0) > LONGEST_OBEYED:
            self.fatal = RunError(
                "{where} asks to be left alone for {minutes} minutes ({detail}). Replies that were paid for are kept: "
                "go on with the same run then.",
                where=self._where,
                minutes=round((failure.retry_after or 0) / 60),
                detail=failure.detail,
            )
        elif failure.miss == "bad_request" and failure.remedy == "give_up":
            self._malformed += 1
            if self._malformed >= HOPELESS_AFTER and self.answers == 0:
                self.fatal = self._error(failure)
        if self.fatal is not None:
            raise self.fatal

    def unpriced(self, tier: str) -> None:
        """Takes note that a limit in dollars cannot hold: nothing more may start."""
        self.fatal = self.fatal or RunError(
            "{where} serves {model} at the tier {tier}, whose price is not listed, so --max-cost cannot hold. What was "
            "paid for is kept: go on with --input-price and --output-price, or limit --max-tokens or --max-calls.",
            where=self._where,
            model=self._endpoint.model,
            tier=tier[:40],
        )

    def _error(self, failure: CallFailure) -> DataSynthError:
        if failure.authentication:
            return AuthenticationError(
                "{where} refused the key ({detail}). Check {source}; nothing was retried.",
                where=self._where,
                detail=failure.detail,
                source=self._endpoint.key_source,
            )
        return RequestRefusedError(
            "{where} refuses requests for model {model}: {detail}. Check the model's name, the account's credit and "
            "the options; replies that were paid for are kept.",
            where=self._where,
            model=self._endpoint.model,
            detail=failure.detail,
        )
