"""The settings of a command, from its options and the settings file."""

from typing import Any

import click

from datasynth.cli.setting import given
from datasynth.cli.speech import speech
from datasynth.prefect_api import with_blocks
from datasynth.schemas.settings import SynthesisSettings
from datasynth.settings_input import SOURCES, checked_settings, read_settings_file
from datasynth.tasks.sources.documents import names_json_lines


def settings_of(ctx: click.Context, source: dict[str, Any], config: str | None = None) -> SynthesisSettings:
    """The settings of a command: explicit options beat the settings file, which beats the defaults.

    Args:
        ctx: Holds the options given.
        source: What the command's arguments name; takes the place of any source in the file.
        config: The settings file.

    Raises:
        InputError: names the option, or the file and its key, and what is allowed; or a block that is not there.
    """
    options = given(ctx)
    in_file = read_settings_file(config) if config else {}
    values = {key: value for key, value in in_file.items() if key not in SOURCES}
    values |= {field: value for field, (_, value) in options.items()} | source
    if isinstance(knobs := in_file.get("simulation"), dict) and "simulation" in options:
        values["simulation"] = knobs | values["simulation"]
    if speech.chosen or "language" not in values:
        values["language"] = speech.language
    if "output_format" not in values and names_json_lines(str(values.get("output") or "")):
        values["output_format"] = "jsonl"

    def named(field: str) -> str:
        if field in options:
            return options[field][0]
        return f"{config}: {field}" if field in in_file else field

    return with_blocks(checked_settings(values, named=named), verbose=speech.verbose)


def kind_of_source(path: str) -> dict[str, str]:
    """The source at `path`, where a command takes an analysis folder or a schema file."""
    return {"schema_file": path} if path.lower().endswith(".json") else {"analysis_dir": path}
