"""The parts of a proportional run, read and checked: what can be wrong with them is found before anything is made."""

from collections.abc import Sequence
from dataclasses import dataclass

from datasynth.schemas.errors import InputError
from datasynth.schemas.proportions import Part, ProportionalSettings
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.blocks.naming import with_endpoint
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.proportions.apportion import whole_numbers
from datasynth.tasks.proportions.drawing import drawn
from datasynth.tasks.proportions.records import Existing, Sourced, read_existing
from datasynth.tasks.rounds.commit import stored_schema
from datasynth.tasks.rounds.runs import default_store
from datasynth.tasks.sources.recipes import read_recipe
from datasynth.tasks.storage.store import Store


@dataclass(frozen=True)
class ReadPart:
    """A part, and what it will take its records from."""

    part: Part
    wanted: int
    schema: RecordSchema
    records: Sequence[Sourced] = ()
    """Of a data part: all that may be drawn, in that order."""
    existing: Existing | None = None
    settings: SynthesisSettings | None = None
    """Of a synthesis part: for its share, without a run id."""
    recipe: Recipe | None = None
    detection: Detection | None = None

    @property
    def typed(self) -> RecordSchema | None:
        """The schema that its records are stored by, if it is said and not found from their values."""
        return self.schema if self.existing is None or self.existing.typed else None


def root_of(settings: ProportionalSettings) -> Store:
    """The store that `settings` name."""
    return Store(settings.store or default_store())


def read_parts(settings: ProportionalSettings) -> list[ReadPart]:
    """All parts of `settings`, in order.

    Raises:
        InputError: the records of a part are not there or do not fit its filter; the recipe or the settings of a
            synthesis part cannot be used. Says which part.
    """
    own = root_of(settings).at(settings.name).url().rstrip("/")
    numbers = whole_numbers(settings)
    return [_read(part, wanted, settings, own) for part, wanted in zip(settings.parts, numbers, strict=True)]


def _read(part: Part, wanted: int, settings: ProportionalSettings, own: str) -> ReadPart:
    try:
        if part.data is not None:
            return _read_data(part, part.data, wanted, settings, own)
        told = part_settings(part, settings, wanted)
        recipe = read_recipe(told)
    except InputError as error:
        raise _of_part(part, error) from error
    detection = detect_kind(recipe.record_schema, recipe.seeds, told.data_type)
    return ReadPart(part, wanted, stored_schema(recipe, told), settings=told, recipe=recipe, detection=detection)


def _of_part(part: Part, error: InputError) -> InputError:
    named = str(error).startswith(f"Part {part.name}:")
    return error if named else InputError("Part {name}: {problem}", name=part.name, problem=error.message)


def _read_data(part: Part, address: str, wanted: int, settings: ProportionalSettings, own: str) -> ReadPart:
    if Store(address).url().rstrip("/") == own:
        raise InputError(
            "{data} is the data set that is being made. Draw from one of its runs, or give the new one another name.",
            data=address,
        )
    existing = read_existing(address)
    records = drawn(existing.records, part, settings.random_seed)
    return ReadPart(part, wanted, existing.schema, records, existing)


def part_settings(part: Part, settings: ProportionalSettings, wanted: int) -> SynthesisSettings:
    """The settings of the run of a synthesis part, for `wanted` records; without run id and budget of the whole."""
    told = part.of_run(target_count=max(wanted, 1), store=settings.store or default_store(), language=settings.language)
    dataset = told.dataset or f"{settings.name}-{part.name}"
    if dataset == settings.name:
        raise InputError(
            "{dataset} is the data set that is being made. Give the run of the part another one.", dataset=dataset
        )
    return with_endpoint(told.model_copy(update={"dataset": dataset}))


def require_startable(parts: Sequence[ReadPart], max_cost: float | None) -> None:
    """Makes sure that the run of every synthesis part could start now: key, model, price, libraries.

    Raises:
        InputError: one could not; says which part.
    """
    # A dry run does not need it, and it brings the engines.
    from datasynth.tasks.rounds import opening  # noqa: PLC0415

    for one in parts:
        if one.settings is not None and one.recipe is not None and one.detection is not None and one.wanted:
            limited = one.settings if max_cost is None else one.settings.model_copy(update={"max_cost": max_cost})
            try:
                opening.require_startable(limited, one.recipe, one.detection)
            except InputError as error:
                raise _of_part(one.part, error) from error
