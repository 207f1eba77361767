"""How a command is told which run of a store it is about, and how a run's texts are shown on a terminal."""

import re
from collections.abc import Callable
from typing import Any

import click

from datasynth.cli.commands import option
from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say

Command = Callable[..., Any]

STATES: dict[str, Message] = {
    "finished": say("finished"),
    "fell_short": say("fell short"),
    "unfinished": say("unfinished"),
    "unreadable": say("unreadable"),
}
UNSEEN = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What JSON may hold as it is and a terminal might obey, or show in another order."""


def run_argument(function: Command) -> Command:
    """Adds RUN, `--store` and `--dataset` to a command."""
    function = option("--dataset", metavar="NAME", help="The data set's name in the store.")(function)
    function = option(
        "--store",
        metavar="URL",
        help="Where data sets live: a folder or an address such as s3://bucket/folder.",
    )(function)
    return click.argument("run")(function)


def on_one_line(text: str) -> str:
    """`text`, which somebody else wrote, as part of a line on a terminal."""
    from datasynth.tasks.report.records import visible  # noqa: PLC0415 - `--help` needs nothing but click

    return " ".join(visible(text).split())


def terminal_json(text: str) -> str:
    """JSON text with the same meaning and nothing in it that a terminal obeys."""
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def whole_number(name: str, text: str) -> int:
    """The value of an option that counts something.

    Raises:
        InputError: it is no whole number, or below 1.
    """
    # `isdecimal` alone would take digits of other scripts, which `int` reads too; that is as good.
    if not text.isdecimal() or not int(text):
        raise InputError(
            "{option}: {value} is not allowed. Give a whole number of at least 1.", option=name, value=text
        )
    return int(text)
