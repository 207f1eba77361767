"""DataSynth: a few seed records and a schema become as many valid, new records as asked for, at a known price.

`import datasynth` is light: what is exported here is imported when it is first used (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from datasynth.version import __version__

if TYPE_CHECKING:
    from datasynth.api import DataSynthesizer, InteractiveSynthesizer, SynthEngine, SynthesisResult
    from datasynth.config import SynthesisConfig

__all__ = [
    "DataSynthesizer",
    "InteractiveSynthesizer",
    "SynthEngine",
    "SynthesisConfig",
    "SynthesisResult",
    "__version__",
]

_HOMES = {
    "DataSynthesizer": "datasynth.api",
    "InteractiveSynthesizer": "datasynth.api",
    "SynthEngine": "datasynth.api",
    "SynthesisConfig": "datasynth.config",
    "SynthesisResult": "datasynth.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
