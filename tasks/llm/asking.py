"""What calls made one by one and calls made in batches have in common: what is asked, and when failures end the run."""

from datasynth.schemas.calls import Prompt, Request, Shard
from datasynth.schemas.errors import AuthenticationError, DataSynthError, RequestRefusedError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import Endpoint
from datasynth.tasks.llm.failures import CallFailure

HOTTER = 0.05
"""Added to the temperature each time a reply could not be read, as the earlier tool did."""
HOPELESS_AFTER = 3
"""Requests refused as malformed, with none answered, after which the run ends instead of asking a thousand times."""


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


class Prospects:
    """Ends the run where the next call would fail like the last."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.fatal: DataSynthError | None = None
        """What ended the run; nothing new may start."""
        self.answers = 0
        """Replies that were paid for; whoever receives one counts it here."""
        self._endpoint = endpoint
        self._malformed = 0

    def failed(self, failure: CallFailure) -> None:
        """Takes note of a call that brought no reply.

        Raises:
            DataSynthError: the run is over, by this failure or an earlier one.
        """
        if failure.remedy == "stop_run":
            self.fatal = self._error(failure)
        elif failure.miss == "bad_request" and failure.remedy == "give_up":
            self._malformed += 1
            if self._malformed >= HOPELESS_AFTER and self.answers == 0:
                self.fatal = self._error(failure)
        if self.fatal is not None:
            raise self.fatal

    def _error(self, failure: CallFailure) -> DataSynthError:
        where = self._endpoint.base_url or self._endpoint.provider.name
        if failure.authentication:
            return AuthenticationError(
                "{where} refused the key ({detail}). Check the environment variable {variable}; nothing was retried.",
                where=where,
                detail=failure.detail,
                variable=self._endpoint.key_env or "-",
            )
        return RequestRefusedError(
            "{where} refuses requests for model {model}: {detail}. Check the model's name, the account's credit and "
            "the options; replies that were paid for are kept.",
            where=where,
            model=self._endpoint.model,
            detail=failure.detail,
        )
