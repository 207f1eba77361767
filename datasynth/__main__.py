"""`python -m datasynth`: the command line."""

from datasynth.cli import main

main(prog_name="datasynth")
