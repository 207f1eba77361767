"""Commands whose help is translated, whose errors are ours, and whose modules are loaded when they are called."""

import importlib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import click

from datasynth.cli.speech import out, speech, translated
from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import say


class Translated(click.Command):
    """A command that shows its help in the reader's language and takes `-v` and `--lang`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings = {
            **self.context_settings,
            "allow_extra_args": True,
            "help_option_names": ["-h", "--help"],
        }
        self.params += [_verbose_option(), _language_option()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            rest = super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # click forgets it for some
            raise
        if ctx.args and not isinstance(self, click.Group):
            raise InputError(
                "{command} takes no further argument: {words}. See {command} --help.",
                command=ctx.command_path,
                words=" ".join(map(str, ctx.args)),
            )
        return rest

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(
            ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), prefix=translated("Usage:") + " "
        )

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(translated(self.help or ""))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {"": []}
        for param in self.get_params(ctx):
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx)):
                lines = groups.setdefault(getattr(param, "group", ""), [])
                lines.append((record[0], translated(record[1])))
        for group, lines in groups.items():
            with formatter.section(translated(group) if group else translated("Options")):
                formatter.write_dl(lines)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def get_short_help_str(self, limit: int = 45) -> str:
        return translated(self.short_help or "")


class Option(click.Option):
    """An option whose help names its default in the reader's language."""

    group = ""
    """Heading that the help lists it under; by default with the options that come first."""

    def __init__(self, *args: Any, shown: str | None = None, **kwargs: Any) -> None:
        """`shown`: the default as the help shows it; the default itself lives in `SynthesisSettings`."""
        super().__init__(*args, **kwargs)
        self.shown = shown

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        if record is None or self.shown is None:
            return record
        return record[0], f"{translated(record[1])} [{translated('default:')} {self.shown}]"


class CommandTable(Translated, click.Group):
    """The commands by name, each in a module of its own that is imported when it is called."""

    def __init__(self, *args: Any, modules: Mapping[str, str], **kwargs: Any) -> None:
        """`modules`: command name to `module:attribute`."""
        super().__init__(*args, **kwargs)
        self.modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.modules:
            return None
        module, _, attribute = self.modules[cmd_name].partition(":")
        return getattr(importlib.import_module(module), attribute)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = str(args[0])
        if name not in self.modules:
            near = get_close_matches(name, self.modules, 1)
            raise InputError(
                "There is no command {name}. {hint}See {program} --help.",
                name=name,
                hint=say("Did you mean {nearest}? ", nearest=near[0]) if near else "",
                program=ctx.command_path,
            )
        return name, self.get_command(ctx, name), args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section(translated("Commands")):
            formatter.write_dl([(name, command.get_short_help_str()) for name, command in commands if command])


def command(name: str, *, short: str, help: str, **kwargs: Any) -> Callable[[Callable[..., Any]], Translated]:
    """A command of the table; its texts are English and translated when shown."""
    return click.command(name, cls=Translated, short_help=short, help=help, **kwargs)


def option(*names: str, help: str, **kwargs: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option of one command; its text is English and translated when shown."""
    return click.option(*names, cls=Option, help=help, **kwargs)


def _verbose_option() -> Option:
    def take(_ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        speech.verbose = speech.verbose or value

    return Option(
        ["-v", "--verbose"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=take,
        help="Show log lines, and a traceback with an error.",
    )


def _language_option() -> Option:
    def take(_ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
        if value is not None:
            speech.set_language(value)

    return Option(
        ["--lang"],
        metavar="en|zh",
        expose_value=False,
        is_eager=True,
        callback=take,
        help="Language of messages; by default that of the locale.",
    )


def version_option(program: str, version: str) -> Option:
    """`--version`, in the earlier tool's form."""

    def show(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            out(f"{program}, version {version}")
            ctx.exit()

    return Option(
        ["--version"], is_flag=True, expose_value=False, is_eager=True, callback=show, help="Show the version and exit."
    )
