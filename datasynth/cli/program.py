"""The program as a whole: its commands, and what becomes of every way a command can end."""

import gc
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from datasynth import early
from datasynth.cli.commands import CommandTable, version_option
from datasynth.cli.speech import err, speech
from datasynth.schemas.errors import DataSynthError
from datasynth.schemas.messages import Message, say
from datasynth.version import __version__

FAILED, BAD_INPUT = 1, 2

MODULES = {
    "generate": "datasynth.cli.generate:generate",
    "create": "datasynth.cli.create:create",
    "proportional": "datasynth.cli.proportional:proportional",
    "prepare": "datasynth.cli.prepare:prepare",
    "parse": "datasynth.cli.parse:parse",
    "validate": "datasynth.cli.validate:validate",
    "estimate": "datasynth.cli.estimate:estimate",
    "init": "datasynth.cli.init:init",
    "convert": "datasynth.cli.convert:convert",
    "runs": "datasynth.cli.runs:runs",
    "preview": "datasynth.cli.preview:preview",
    "export": "datasynth.cli.export:export",
    "dedup": "datasynth.cli.dedup:dedup",
    "evaluate": "datasynth.cli.evaluate:evaluate",
    "simulate": "datasynth.cli.simulate:simulate",
    "deploy": "datasynth.cli.deploy:deploy",
    "notify": "datasynth.cli.notify:notify",
}


class Program(CommandTable):
    """The command group whose every error is one clear message and an exit code: 1 failed, 2 bad input."""

    def main(  # pyright: ignore[reportIncompatibleMethodOverride] - click overloads it, and calls it by keyword
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> Any:
        """Runs a command and exits with its code: what it returns, 0 for nothing."""
        # A command is short and what it imports stays: looking for garbage among it takes a fifth of the start.
        gc.set_threshold(200_000, 100, 100)
        words = list(sys.argv[1:] if args is None else args)
        speech.begin(words)
        extra["standalone_mode"] = False
        try:
            code = super().main(words, prog_name, **extra)
        except DataSynthError as error:
            code = _failed(error.message, error.exit_code)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = BAD_INPUT
        except click.UsageError as error:
            code = _failed(usage_message(error), BAD_INPUT)
        except click.Abort:
            code = _failed(say("Stopped."), FAILED)
        except Exception as error:  # noqa: BLE001 - the last door: a person gets a sentence, -v the traceback
            code = _failed(
                say(
                    "Internal error: {kind}: {error}. This is a fault of DataSynth: run again with -v for a traceback.",
                    kind=type(error).__name__,
                    error=str(error),
                ),
                FAILED,
            )
        early.discard()
        # What is left goes with the process: walking over a million objects first would take a second.
        gc.freeze()
        sys.exit(code or 0)


def _failed(message: Message, code: int) -> int:
    if speech.verbose:
        traceback.print_exc()
    err(message)
    return code


def usage_message(error: click.UsageError) -> Message:
    """What the command line got wrong, where, and where to look."""
    program = error.ctx.command_path if error.ctx else "datasynth"
    match error:
        case click.NoSuchOption():
            near = error.possibilities
            return say(
                "{command} has no option {option}. {hint}See {command} --help.",
                command=program,
                option=error.option_name,
                hint=say("Did you mean {nearest}? ", nearest=near[0]) if near else "",
            )
        case click.MissingParameter():
            return say("{command} needs {name}. See {command} --help.", command=program, name=_name(error))
        case click.BadOptionUsage() if _is_flag(error):
            return say("{option} takes no value. See {command} --help.", command=program, option=error.option_name)
        case click.BadOptionUsage():
            return say("{option} needs a value. See {command} --help.", command=program, option=error.option_name)
        case _:
            return say("{problem} See {command} --help.", command=program, problem=error.format_message())


def _name(error: click.MissingParameter) -> str:
    if error.param is None or error.ctx is None:
        return str(error)
    if isinstance(error.param, click.Argument):
        return error.param.make_metavar(error.ctx)
    return max(error.param.opts, key=len)


def _is_flag(error: click.BadOptionUsage) -> bool:
    params = error.ctx.command.params if error.ctx else []
    return any(isinstance(p, click.Option) and p.is_flag and error.option_name in p.opts for p in params)


main = Program(
    name="datasynth",
    modules=MODULES,
    params=[version_option("datasynth", __version__)],
    help="DataSynth makes as many training records as you ask for from about 50 seed records and a schema: each valid "
    "against the schema, none a near-duplicate, the price known before and accounted for after.",
    epilog=None,
)
