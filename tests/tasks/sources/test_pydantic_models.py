"""A Pydantic model as the schema: what DataSynth accepts is what the model reads, and the other way round."""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any, Literal

import orjson
import pytest
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic import Field as Constrained

from datasynth.schemas.errors import InputError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.sources.recipes import read_recipe
from datasynth.tasks.validate.validator import RecordValidator


class Level(StrEnum):
    EASY = "easy"
    HARD = "hard"


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: Annotated[int, Constrained(ge=1, le=9)]


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str] = []


Pet = Annotated[Cat | Dog, Constrained(discriminator="kind")]


class Address(BaseModel):
    model_config = ConfigDict(extra="forbid")

    street: str
    code: Annotated[str, StringConstraints(pattern="^[0-9]{4}$")]


class Person(BaseModel):
    name: Annotated[str, Constrained(min_length=1, max_length=20)]
    level: Level
    nickname: str | None = None
    favourite: Level | None
    home: Address
    second_home: Address | None = None
    pet: Pet
    others: Annotated[list[Pet], Constrained(max_length=2)] = []
    score: Annotated[float, Constrained(gt=0, le=1)]
    answer: int | str
    state: Literal["open", "closed", None]
    family: str = Constrained("", alias="familyName")


PERSON: dict[str, Any] = {
    "name": "Kim",
    "level": "easy",
    "favourite": None,
    "home": {"street": "High Street", "code": "1234"},
    "pet": {"kind": "cat", "lives": 9},
    "score": 0.5,
    "answer": "yes",
    "state": None,
}
CHANGES: list[dict[str, Any]] = [
    {},
    *({"name": value} for value in ("", "x" * 21, 3, None)),
    *({"level": value} for value in ("hard", "middling", None)),
    *({"nickname": value} for value in ("K", None, 1)),
    *({"favourite": value} for value in ("hard", "no", ...)),
    *({"home": value} for value in (None, {}, {"street": "a", "code": "12"}, {**PERSON["home"], "more": 1})),
    *({"second_home": value} for value in (None, PERSON["home"], {"street": "a"})),
    *({"pet": value} for value in ({"kind": "dog"}, {"kind": "dog", "tricks": [1]}, {"kind": "cow"})),
    *({"pet": value} for value in ({"lives": 3}, {"kind": "cat", "lives": 10}, {"kind": "cat"}, None)),
    *({"others": value} for value in ([], [PERSON["pet"]] * 3, [{"kind": "dog"}, PERSON["pet"]], [{"lives": 1}], None)),
    *({"score": value} for value in (0, 1, 1.5, "0.5", True)),
    *({"answer": value} for value in (3, "", 3.5, None, [])),
    *({"state": value} for value in ("open", "ajar", ...)),
    *({"familyName": value} for value in ("Kim", None)),
]


def person(change: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (PERSON | change).items() if value is not ...}


def read_by(model: type[BaseModel], record: Any) -> bool:
    try:
        model.model_validate_json(orjson.dumps(record), strict=True)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_record_fits_where_the_model_reads_it(change):
    recipe = read_recipe(SynthesisSettings.model_validate({"record_schema": Person}))
    validator = RecordValidator(recipe.record_schema, repair=False)
    assert validator.check([person(change)]).valid == [read_by(Person, person(change))]


def test_the_model_gives_the_recipe_its_name_and_its_schema():
    recipe = read_recipe(SynthesisSettings.model_validate({"record_schema": Person}))
    assert recipe.record_schema.name == "Person"
    assert recipe.schema_document == Person.model_json_schema()


def test_seeds_may_be_objects_of_the_model():
    seeds = [Person.model_validate(person({"familyName": "Lee"})), person({"name": "Lu"})]
    recipe = read_recipe(SynthesisSettings.model_validate({"record_schema": Person, "seeds": seeds}))
    assert [(seed["name"], seed.get("familyName")) for seed in recipe.seeds] == [("Kim", "Lee"), ("Lu", None)]
    assert recipe.seed_problems == ()


def test_settings_with_a_model_survive_their_own_json():
    settings = SynthesisSettings.model_validate({"record_schema": Person})
    assert SynthesisSettings.model_validate_json(settings.model_dump_json()) == settings


class WithFunction(BaseModel):
    check: Callable[[str], bool]


class Unfinished(BaseModel):
    part: "NoSuchModel"  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


@pytest.mark.parametrize("model", [WithFunction, Unfinished])
def test_a_model_that_json_schema_cannot_say_is_named(model):
    with pytest.raises(InputError, match=f"the model {model.__name__} has no JSON Schema"):
        SynthesisSettings.model_validate({"record_schema": model})
