"""What an option is that stands for a settings field, and how the command line keeps what was given."""

from collections.abc import Callable
from typing import Any

import click

from datasynth.cli.commands import Option
from datasynth.schemas.errors import InputError


class Setting(Option):
    """An option that stands for one settings field. Its value goes there as typed; the settings judge it."""

    def __init__(self, *names: str, field: str, value: Any = None, file_help: str | None = None, **kwargs: Any) -> None:
        """
        Args:
            names: As on the command line, short form first.
            field: The `SynthesisSettings` field.
            value: For a flag, what the field becomes.
            file_help: What the field means in a settings file, where that is not what the option means.
            kwargs: Of `Option`.
        """
        # The name of the field keeps `--format` and such from shadowing builtins, and cannot clash.
        super().__init__([*names, field], is_flag=True if value is not None else None, expose_value=False, **kwargs)
        self.field = field
        self.value = value
        self.file_help = file_help or self.help or ""
        self.callback = self._keep

    @property
    def long_name(self) -> str:
        return max(self.opts, key=len)

    def _keep(self, ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if ctx.get_parameter_source(str(param.name)) == click.core.ParameterSource.COMMANDLINE:
            kept: dict[str, tuple[str, Any]] = ctx.meta.setdefault(GIVEN, {})
            kept[self.field] = (self.long_name, value if self.value is None else self.value)
        return value


class SimulationKnobs(Setting):
    """`--simulate KEY=VALUE`, as often as needed."""

    def _keep(self, ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        return super()._keep(ctx, param, dict(map(_knob, value)))


def _knob(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError("--simulate: {text} is not KEY=VALUE. Write it like latency=0.2.", text=text)
    return name, value


class AttributeAxes(Setting):
    """`--attribute NAME=VALUES`, as often as needed."""

    def _keep(self, ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        return super()._keep(ctx, param, dict(map(_axis, value)))


def _axis(text: str) -> tuple[str, str]:
    name, equals, values = text.partition("=")
    if not equals or not name.strip():
        raise InputError(
            "--attribute: {text} is not NAME=VALUES. Write it like {example}.",
            text=text,
            example="difficulty=easy,medium,hard",
        )
    return name.strip(), values


class TemplateValues(Setting):
    """`--template-value NAME=TEXT`, as often as needed."""

    def _keep(self, ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        return super()._keep(ctx, param, dict(map(_template_value, value)))


def _template_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InputError("--template-value: {text} is not NAME=TEXT. Write it like role=teller.", text=text)
    return name.strip(), value


GIVEN = "datasynth.given"


def given(ctx: click.Context) -> dict[str, tuple[str, Any]]:
    """The settings given on the command line: field to option name and value."""
    return ctx.meta.get(GIVEN, {})


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def settings_options(*options: Setting) -> Decorator:
    """Adds `options` to a command, in this order."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        params: list[click.Parameter] = function.__dict__.setdefault("__click_params__", [])
        # click reverses the list that decorators leave, for they are applied bottom up.
        params.extend(reversed(options))
        return function

    return add
