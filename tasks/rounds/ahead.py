"""What the later steps of a run import, imported while the flow waits for Prefect and for the first replies."""

import contextlib
import importlib

from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.clients import import_sdk
from datasynth.tasks.llm.endpoints import PROVIDERS

LATER = ("datasketch", "matplotlib.figure", "matplotlib.backends.backend_svg", "jinja2")
"""Of the near-duplicate index and the report: three seconds. Each step imports them itself, should it come first."""


def import_ahead(settings: SynthesisSettings, *, calling: bool) -> None:
    """Imports what follows the calls, and first what makes them if `calling`. For a thread of its own."""
    with contextlib.suppress(ImportError):  # whoever needs it meets the same error, and says what it is for
        provider = PROVIDERS.get(settings.provider)
        if calling and provider:
            import_sdk(provider.protocol)
    for name in LATER:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
