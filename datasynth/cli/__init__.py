"""The command line: `datasynth`, also installed as `knowlyr-datasynth`."""

from datasynth.cli.program import main

__all__ = ["main"]
