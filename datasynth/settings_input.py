"""Settings as people give them: in a file, on a command line, as keywords; judged once, by `SynthesisSettings`."""

import tomllib
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.sources.documents import read_json, read_text

OLD_NAMES = {"validate": "validate_records"}
"""Keys of the earlier tool's settings file that have another name now."""

OPTION_NAMES = {
    "count": "target_count",
    "output_path": "output",
    "schema": "record_schema",
    "format": "output_format",
    "seed": "random_seed",
    "seed_samples": "seed_sample_count",
    "semantic": "semantic_threshold",
    "diversity": "diversity_factor",
    "attribute": "attributes",
    "rpm": "requests_per_minute",
    "tpm": "tokens_per_minute",
    "simulate": "simulation",
    "no_validate": "validate_records",
    "skip_check": "skip_checks",
}
"""Options whose field is called otherwise: what somebody may have meant who writes the option into a file."""

Settings = TypeVar("Settings", bound=BaseModel)
SOURCES = ("analysis_dir", "schema_file", "seeds_file", "record_schema", "seeds")


def read_settings_file(path: str) -> dict[str, Any]:
    """The settings in the file `path`: YAML, TOML or JSON by its ending.

    Returns:
        Field to value, not yet judged.

    Raises:
        InputError: no such file, not what its ending says, no mapping, or a key that is no setting.
    """
    values = parsed_file(path)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError("{path}: holds no settings. Write one setting a line, such as model: NAME.", path=path)
    return named_settings(values, where=path)


def named_settings(values: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Settings as a file has them under the names of their fields, not yet judged.

    Raises:
        InputError: a key is no setting.
    """
    settings = {settings_name(str(key), where=where): value for key, value in values.items()}
    if isinstance(choice := settings.get("structured_output"), bool):  # YAML 1.1 reads `on` and `off` as booleans
        settings["structured_output"] = "on" if choice else "off"
    return settings


def parsed_file(path: str) -> Any:
    """What the file `path` holds: YAML, TOML or JSON by its ending.

    Raises:
        InputError: no such file, or not what its ending says.
    """
    match PurePosixPath(path).suffix.lower():
        case ".json":
            return read_json(path)
        case ".yaml" | ".yml":
            text = read_text(path)
            try:
                return yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise _unreadable(path, "YAML", error) from error
        case ".toml":
            text = read_text(path)
            try:
                return tomllib.loads(text)
            except tomllib.TOMLDecodeError as error:
                raise _unreadable(path, "TOML", error) from error
        case _:
            raise InputError("{path}: what form is it in? Name it .yaml, .toml or .json.", path=path)


def _unreadable(path: str, form: str, error: Exception) -> InputError:
    return InputError(
        "{path}: not valid {form}: {error}. Mend it there.", path=path, form=form, error=" ".join(str(error).split())
    )


def settings_name(key: str, *, where: str) -> str:
    """The settings field that `key` means.

    Raises:
        InputError: none; names the nearest.
    """
    name = key.replace("-", "_")
    name = OLD_NAMES.get(name, name)
    if name in SynthesisSettings.model_fields:
        return name
    meant = OPTION_NAMES.get(name) or next(iter(get_close_matches(name, SynthesisSettings.model_fields, 1, 0.5)), None)
    raise InputError(
        "{where}: there is no setting {key}. {hint}",
        where=where,
        key=key,
        hint=say("Did you mean {nearest}?", nearest=meant) if meant else say("Remove it, or see datasynth init."),
    )


def checked_settings(
    values: Mapping[str, Any], *, named: Callable[[str], str] = lambda field: field
) -> SynthesisSettings:
    """The settings with `values`, and defaults for the rest.

    Args:
        values: Field to value; text is taken for numbers where it is one.
        named: What the user calls a field, for error messages.

    Raises:
        InputError: a value is of the wrong kind or out of range; says which and what is allowed.
    """
    return checked(SynthesisSettings, values, named=named)


def checked(model: type[Settings], values: Mapping[str, Any], *, named: Callable[[str], str]) -> Settings:
    """The same for the settings `model` of any flow; raises the same."""
    try:
        return model(**values)
    except ValidationError as error:
        raise _explained(error.errors()[0], named, model) from error


def _explained(error: ErrorDetails, named: Callable[[str], str], model: type[BaseModel]) -> InputError:
    if not error["loc"]:
        return InputError("Give exactly one source of records: analysis_dir, schema_file or record_schema.")
    field = str(error["loc"][0])
    value = str(error["input"])
    return InputError(
        "{name}: {value} is not allowed. Give {allowed}.",
        name=named(field),
        value=value if len(value) <= 60 else f"{value[:59]}…",
        allowed=allowed_values(field, model),
    )


def allowed_values(field: str, model: type[BaseModel] = SynthesisSettings) -> Message:
    """What a settings field takes, in words."""
    schema = _field_schema(field, model)
    if "enum" in schema:
        return say("one of {choices}", choices=", ".join(map(str, schema["enum"])))
    low, high = schema.get("minimum"), schema.get("maximum")
    above = schema.get("exclusiveMinimum")
    match schema.get("type"):
        case "integer" if low is not None and high is not None:
            return say("a whole number from {low} to {high}", low=f"{low:g}", high=f"{high:g}")
        case "integer" if low is not None:
            return say("a whole number of at least {low}", low=f"{low:g}")
        case "integer":
            return say("a whole number")
        case "number" if low is not None and high is not None:
            return say("a number from {low} to {high}", low=f"{low:g}", high=f"{high:g}")
        case "number" if above is not None and high is not None:
            return say("a number above {low}, at most {high}", low=f"{above:g}", high=f"{high:g}")
        case "number" if above is not None:
            return say("a number above {low}", low=f"{above:g}")
        case "number":
            return say("a number of at least {low}", low=f"{low or 0:g}")
        case "boolean":
            return say("true or false")
        case "object":
            return say("names with their values")
        case "array" if "enum" in schema.get("items", {}):
            return say("any of {choices}", choices=", ".join(map(str, schema["items"]["enum"])))
        case "array" if schema.get("items", {}).get("type") == "string":
            return say("a list of texts")
        case "array":
            return say("a list of records")
        case _:
            return say("a text")


def _field_schema(field: str, model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()["properties"][field]
    options = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    return options[0]
