"""What the later steps of a run import, imported while the flow waits for Prefect and for the first replies."""

import contextlib
import importlib

from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import PROVIDERS

LATER = ("datasketch", "matplotlib.figure", "matplotlib.backends.backend_svg", "jinja2")
"""Of the near-duplicate index and the report: three seconds. Each step imports them itself, should it come first."""


def import_ahead(settings: SynthesisSettings) -> None:
    """Imports the SDK that `settings` need and what follows the calls. For a thread of its own."""
    provider = PROVIDERS.get(settings.provider)
    sdk = provider and f"datasynth.tasks.llm.{provider.protocol}_client"
    for name in (sdk, *LATER):
        if name:
            # Whoever needs it meets the same error, and says what it is for.
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
