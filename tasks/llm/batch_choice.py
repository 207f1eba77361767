"""Whether a run goes through the provider's batch endpoint, and what follows from that; imports no SDK."""

from datasynth.schemas.errors import InputError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import Endpoint
from datasynth.tasks.llm.journal import Journal

BATCH_PROVIDERS = ("anthropic", "openai", "simulated")


def tier_of(settings: SynthesisSettings) -> str:
    """The price tier of the run's calls, as `Price.cost` takes it."""
    return "batch" if settings.batch_api else "standard"


def require_batches(endpoint: Endpoint, settings: SynthesisSettings) -> None:
    """Refuses `batch_api` where the provider has nothing of the kind.

    Raises:
        InputError: it has not.
    """
    if settings.batch_api and endpoint.provider.name not in BATCH_PROVIDERS:
        raise InputError(
            "{provider} has no batch endpoint that is spoken here. Leave out --batch-api, or choose one of {known}.",
            provider=endpoint.provider.name,
            known=", ".join(BATCH_PROVIDERS),
        )


def require_none_waiting(journal: Journal) -> None:
    """Refuses to ask one by one what an earlier process of the run has asked in a batch.

    Raises:
        InputError: a batch of the run has not been collected.
    """
    if batches := journal.open_batches():
        raise InputError(
            "{count} calls of this run wait in batches at the provider and will be billed there. Resume it with "
            "--batch-api, so that they are not paid for twice.",
            count=sum(len(batch.requests) for batch in batches),
        )
