"""The forms of the Prefect UI: every field of every deployed flow is explained, and a stranger fills in few of them."""

import importlib
from typing import Any

import pytest
from prefect.utilities.schema_tools.validation import is_valid

from datasynth.flows.deployment_file import read_deployments
from datasynth.schemas.form import PROVIDER_NAMES
from datasynth.schemas.settings import FIRST, SynthesisSettings
from datasynth.tasks.llm.endpoints import PROVIDERS

ENTRYPOINTS = sorted({one["entrypoint"] for one in read_deployments()["deployments"]})
FORM: dict[str, Any] = SynthesisSettings.model_json_schema()


def parameters(entrypoint: str) -> dict[str, Any]:
    """The `parameter_openapi_schema` that a deployment of the flow is given."""
    module, _, name = entrypoint.rpartition(".")
    return getattr(importlib.import_module(module), name).parameters.model_dump()


def fields(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every field that the form shows, those of a settings model in place of the model."""
    found: dict[str, dict[str, Any]] = {}
    for name, field in schema["properties"].items():
        model = schema["definitions"].get(str(field.get("$ref", "")).rpartition("/")[2])
        if model is None:
            found[name] = field
        else:
            found |= {name: model | field} | {f"{name}.{inner}": one for inner, one in model["properties"].items()}
    return found


@pytest.mark.parametrize("entrypoint", ENTRYPOINTS)
def test_every_field_has_a_title_and_a_description(entrypoint: str) -> None:
    bare = {
        name for name, field in fields(parameters(entrypoint)).items() if not (field["title"] and field["description"])
    }
    assert not bare


def test_the_fields_that_matter_come_first_and_every_one_has_its_place() -> None:
    by_position = sorted(FORM["properties"], key=lambda name: FORM["properties"][name]["position"])
    assert by_position[:9] == list(FIRST)
    assert sorted(field["position"] for field in FORM["properties"].values()) == list(range(len(by_position)))


@pytest.mark.parametrize("name", ["provider", "data_type", "structured_output", "output_format", "language"])
def test_a_choice_is_a_list(name: str) -> None:
    assert len(FORM["properties"][name]["enum"]) > 1


def test_the_providers_that_can_be_chosen_are_those_that_there_are() -> None:
    assert list(PROVIDERS) == list(PROVIDER_NAMES) == FORM["properties"]["provider"]["enum"]


def test_no_field_asks_for_a_secret() -> None:
    assert not [name for name, field in FORM["properties"].items() if "password" in (field.get("format"), name)]
    named = [name for name in FORM["properties"] if any(word in name for word in ("key", "secret", "token"))]
    assert [name for name in named if not name.endswith("_env") and "tokens" not in name] == []


def test_a_field_that_may_be_left_out_is_a_plain_input() -> None:
    assert not [name for name, field in FORM["properties"].items() if "anyOf" in field]


@pytest.mark.parametrize("given", [{"model": None, "max_cost": None, "seeds": None, "record_schema": None}, {}])
def test_prefect_takes_null_where_a_field_may_be_left_out(given: dict[str, Any]) -> None:
    schema: Any = parameters("datasynth.flows.synthesize.synthesize")
    assert is_valid({"settings": {"analysis_dir": "a"} | given}, schema)


def test_all_settings_as_python_writes_them_are_parameters() -> None:
    schema: Any = parameters("datasynth.flows.synthesize.synthesize")
    assert is_valid(
        {"settings": SynthesisSettings.model_validate({"analysis_dir": "a"}).model_dump(mode="json")}, schema
    )


@pytest.mark.parametrize("given", [{"provider": "opnai"}, {"target_count": 0}, {"api_key": "sk-1"}])
def test_prefect_refuses_what_the_settings_would_refuse(given: dict[str, Any]) -> None:
    schema: Any = parameters("datasynth.flows.synthesize.synthesize")
    assert not is_valid({"settings": {"analysis_dir": "a"} | given}, schema)
