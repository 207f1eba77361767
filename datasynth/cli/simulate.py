"""`datasynth simulate`."""

import dataclasses
from collections.abc import Callable
from typing import Any

import click

from datasynth.cli.commands import Option, command, option
from datasynth.cli.speech import err
from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import say
from datasynth.tasks.llm.simulated.knobs import TYPES, Knobs


def knob_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds an option for each knob; `Knobs` judges the values."""
    for knob in reversed(dataclasses.fields(Knobs)):
        flag = {"is_flag": True, "default": None} if TYPES[knob.name] is bool else {"metavar": "X"}
        names = ["--" + knob.name.replace("_", "-"), knob.name]
        function = click.option(*names, cls=Option, help=str(knob.metadata["about"]), **flag)(function)
    return function


@command(
    "simulate",
    short="Run the simulated model server alone.",
    help="Runs the simulated model server alone, until interrupted: Anthropic's and OpenAI's protocols on a port of "
    "this machine. No language model answers; the options say how fast it is and what goes wrong how often (rates are "
    "probabilities, 0 to 1). It prints its address.\n\nFor OpenAI's protocol give ADDRESS/v1 as --base-url, for "
    "Anthropic's ADDRESS; any model and any key will do.",
)
@option("--port", metavar="N", default="0", help="Port on 127.0.0.1; 0 takes a free one.")
@knob_options
def simulate(port: str, **values: Any) -> None:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.tasks.llm.simulated.__main__ import serve_until_stopped  # noqa: PLC0415

    if not port.isdecimal() or int(port) > 65535:
        raise InputError("--port: {value} is not allowed. Give a whole number from 0 to 65535.", value=port)
    knobs = Knobs.of({name: value for name, value in values.items() if value is not None})
    err(say("The simulated model server; Ctrl-C ends it. Its address:"))
    serve_until_stopped(knobs, int(port))
