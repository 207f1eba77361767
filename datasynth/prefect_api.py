"""The Prefect API that somebody configured, for what makes no sense on a server that ends with this process."""

from datasynth.prefect_setup import check_answers, configured_api, set_environment
from datasynth.schemas.errors import InputError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.blocks.naming import names_blocks, with_endpoint


def require_api(*, verbose: bool) -> None:
    """Makes sure that a Prefect API is configured and answers. Call it before Prefect is imported.

    Raises:
        InputError: none is configured.
        RunError: it does not answer.
    """
    set_environment(verbose=verbose)
    url = configured_api()
    if url == "":
        from prefect.settings import PREFECT_API_URL  # noqa: PLC0415 - only Prefect can read the settings files here

        url = PREFECT_API_URL.value()
    if not url:
        raise InputError(
            "No Prefect API is configured. Start a server (prefect server start) and set PREFECT_API_URL to its "
            "address, such as http://127.0.0.1:4200/api."
        )
    check_answers(url)


def with_blocks(settings: SynthesisSettings, *, verbose: bool = False) -> SynthesisSettings:
    """`settings` with what their ModelEndpoint says, but for its key; as they are where they name no block.

    Raises:
        InputError: no Prefect API is configured, it has no such block, or the two say different things.
        RunError: it does not answer.
    """
    if not names_blocks(settings):
        return settings
    require_api(verbose=verbose)
    return with_endpoint(settings)
