"""Where the earlier tool kept its synthesizers; they live in `datasynth.api`."""

from datasynth.api import DataSynthesizer, InteractiveSynthesizer, SynthesisResult

__all__ = ["DataSynthesizer", "InteractiveSynthesizer", "SynthesisResult"]
