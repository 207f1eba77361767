"""The plan of `datasynth proportional`, read from its file; and what it would draw, make and cost."""

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from datasynth.amounts import records
from datasynth.cli.plan import model_in_words, price_line
from datasynth.cli.speech import in_words, out
from datasynth.cli.which_run import on_one_line
from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say
from datasynth.schemas.proportions import Part, ProportionalSettings
from datasynth.schemas.report import Estimate
from datasynth.settings_input import checked_settings, named_settings, parsed_file
from datasynth.source import endpoint_without_key
from datasynth.tasks.llm.prices import price_of
from datasynth.tasks.proportions.checking import ReadPart
from datasynth.tasks.report.summary import dollars
from datasynth.tasks.rounds.estimate import estimate_run
from datasynth.tasks.storage.named import is_named

PATHS = ("analysis_dir", "schema_file", "seeds_file", "sensitive_words", "decontaminate")
"""Settings of a run that name files."""
SHOWN = 60
"""Characters of a wrong value that are shown."""


def read_plan(path: str, options: Mapping[str, Any]) -> ProportionalSettings:
    """The plan in the file `path`, with what was given on the command line in place of what it says.

    Relative paths in it are relative to its folder.

    Raises:
        InputError: no such file; a key or a value that cannot be used. Says which part and what is allowed.
    """
    document = parsed_file(path)
    if not isinstance(document, dict):
        raise InputError("{path}: holds no plan. Write name, target_count and a list of parts.", path=path)
    values = _known(document, ProportionalSettings, path)
    folder = "" if "://" in path else os.path.dirname(os.path.abspath(path))
    if isinstance(values.get("store"), str):
        values["store"] = _beside(values["store"], folder)
    if not isinstance(values.get("parts"), list) or not values["parts"]:
        raise InputError(
            "{path}: parts is no list of parts. Write each with a name, a share, and data or synthesize.", path=path
        )
    values["parts"] = [_part(given, number, path, folder) for number, given in enumerate(values["parts"], start=1)]
    given = {name: value for name, value in options.items() if value is not None}
    values |= given
    try:
        return ProportionalSettings.model_validate(values)
    except InputError as error:
        raise InputError("{path}: {problem}", path=path, problem=error.message) from error
    except ValidationError as error:
        raise _explained(error.errors()[0], values, path, given) from error


def _known(given: Mapping[Any, Any], model: type[BaseModel], where: Message | str) -> dict[str, Any]:
    """`given` with names as fields have them; refuses what is no field."""
    known = {}
    for key, value in given.items():
        name = str(key).replace("-", "_")
        if name not in model.model_fields:
            near = get_close_matches(name, model.model_fields, 1, 0.5)
            raise InputError(
                "{where}: there is no {key} in a plan. {hint}Known are: {known}.",
                where=where,
                key=str(key),
                hint=say("Did you mean {nearest}? ", nearest=near[0]) if near else "",
                known=", ".join(model.model_fields),
            )
        known[name] = value
    return known


def _part(given: Any, number: int, path: str, folder: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InputError(
            "{path}: part {number} is no part. Write each with a name, a share, and data or synthesize.",
            path=path,
            number=number,
        )
    where = say("{path}, part {part}", path=path, part=str(given.get("name", number)))
    part: dict[str, Any] = {"name": None, **_known(given, Part, where)}
    if isinstance(part.get("data"), str):
        part["data"] = _beside(part["data"], folder)
    if isinstance(part.get("synthesize"), dict):
        part["synthesize"] = _settings(part["synthesize"], in_words(where), folder)
    return part


def _settings(given: Mapping[str, Any], where: str, folder: str) -> dict[str, Any]:
    """Settings of a part's run, judged, with what they name found beside the plan."""
    values = named_settings(given, where=where)
    for name in PATHS:
        match values.get(name):
            case str() as address:
                values[name] = _beside(address, folder)
            case list() as addresses:
                values[name] = [_beside(one, folder) if isinstance(one, str) else one for one in addresses]
            case _:
                pass
    try:
        checked_settings(values, named=lambda field: f"{where}: {field}")
    except InputError as error:
        if str(error).startswith(where):
            raise
        raise InputError("{where}: {problem}", where=where, problem=error.message) from error
    return values


def _beside(address: str, folder: str) -> str:
    if not folder or not address or "://" in address or is_named(address) or os.path.isabs(address):
        return address
    return os.path.normpath(os.path.join(folder, os.path.expanduser(address)))


def _explained(error: ErrorDetails, values: Mapping[str, Any], path: str, options: Mapping[str, Any]) -> InputError:
    where: Message | str = path
    match error["loc"]:
        case ("parts", int() as number, *rest):
            where = say("{path}, part {part}", path=path, part=str(values["parts"][number]["name"] or number + 1))
            name = str(rest[0]) if rest else ""
        case (str() as first, *_) if first in options:
            where, name = say("the command line"), first
        case (first, *_):
            name = str(first)
        case _:
            name = ""
    value = str(error["input"])
    return InputError(
        "{where}: {name}: {value} is not allowed. Give {allowed}.",
        where=where,
        name=name,
        value=value if len(value) <= SHOWN else f"{value[: SHOWN - 1]}…",
        allowed=_allowed(name),
    )


def _allowed(name: str) -> Message:
    match name:
        case "share":
            return say("a number above {low}", low=0)
        case "count" | "target_count":
            return say("a whole number of at least {low}", low=1)
        case "max_cost":
            return say("a number of at least {low}", low=0)
        case "dedup_threshold":
            return say("a number above {low}, at most {high}", low=0, high=1)
        case "random_seed":
            return say("a whole number")
        case "shortfall":
            return say("one of {choices}", choices="keep, scale")
        case "language":
            return say("one of {choices}", choices="en, zh")
        case "where" | "synthesize":
            return say("names with their values")
        case "resume":
            return say("true or false")
        case _:
            return say("a text")


def show_plan(settings: ProportionalSettings, parts: Sequence[ReadPart]) -> None:
    """Says what each part would get, what there is to draw from, and what its run would cost. No model is asked.

    Raises:
        InputError: provider or model of a part cannot be used; a missing key is only mentioned.
    """
    titles = [say("Part"), say("From"), say("Wanted"), say("There are"), say("Estimated cost")]
    rows, notes, costs = [], [], []
    for one in parts:
        estimate, words, more = _estimated(one)
        notes += more
        costs.append(estimate)
        held = f"{len(one.records):,}" if one.existing else ""
        rows.append([one.part.name, in_words(origin(one)), f"{one.wanted:,}", held, in_words(words)])
    out(opening_line(settings))
    show_table([[in_words(title) for title in titles], *rows], right=(2, 3, 4))
    for note in (*notes, *part_notes(parts)):
        out(note)
    _show_budget(settings, costs)
    out(say("Dry run: no model was asked."))


def _estimated(one: ReadPart) -> tuple[float | None, Message | str, list[Message]]:
    """Dollars, the same in words, and what is to be said of it."""
    if one.settings is None or one.recipe is None or one.detection is None or not one.wanted:
        return 0.0, "", []
    endpoint, missing_key = endpoint_without_key(one.settings)
    price = price_of(endpoint, one.settings)
    found: Estimate = estimate_run(one.recipe, one.detection, one.settings, endpoint.model, price)
    line = price_line(found, price, endpoint, batch=one.settings.batch_api)
    notes = [say("{part}: about {calls} calls. {price}", part=one.part.name, calls=f"{found.calls:,}", price=line)]
    if missing_key:
        notes.append(
            say(
                "{part}: the environment variable {variable} is not set; the run will need it.",
                part=one.part.name,
                variable=missing_key,
            )
        )
    cost = found.cost_usd
    return cost, say("unknown") if cost is None else dollars(cost), notes


def _show_budget(settings: ProportionalSettings, costs: Sequence[float | None]) -> None:
    known = sum(cost for cost in costs if cost is not None)
    if None in costs:
        out(say("Estimated cost in all: unknown."))
    else:
        out(say("Estimated cost in all: {cost}.", cost=dollars(known)))
    if settings.max_cost is not None and known > settings.max_cost:
        limit = dollars(settings.max_cost)
        out(say("  More than --max-cost allows ({limit}): the run would stop there.", limit=limit))


def opening_line(settings: ProportionalSettings) -> Message:
    """What will be put together."""
    return say(
        "{name}: {records} from parts: {parts}",
        name=settings.name,
        records=records(settings.total),
        parts=on_one_line(", ".join(part.name for part in settings.parts)),
    )


def origin(one: ReadPart) -> Message:
    """Where a part's records come from."""
    if one.settings is None:
        return say("existing records")
    endpoint, _ = endpoint_without_key(one.settings)
    return say("synthesis, by {model}", model=model_in_words(endpoint))


def part_notes(parts: Sequence[ReadPart]) -> list[Message]:
    """What is to be known of the existing records before anything is made."""
    notes = []
    for one in parts:
        if one.existing and len(one.records) < one.wanted:
            notes.append(
                say(
                    "{part}: only {held} of {wanted} records are there; the data set will fall short.",
                    part=one.part.name,
                    held=f"{len(one.records):,}",
                    wanted=f"{one.wanted:,}",
                )
            )
        if one.existing and one.existing.left_out:
            runs = ", ".join(one.existing.left_out)
            notes.append(
                say("{part}: these runs are not finished and are left out: {runs}", part=one.part.name, runs=runs)
            )
        if not one.wanted:
            notes.append(say("{part}: its share comes to no record at all.", part=one.part.name))
    return notes


def show_table(rows: Sequence[Sequence[str]], right: Sequence[int]) -> None:
    """Columns of equal width; those in `right` are flush right."""
    from rich.cells import cell_len  # noqa: PLC0415 - `--help` needs nothing but click

    shown = [[on_one_line(cell) for cell in row] for row in rows]
    # Chinese characters are two cells wide.
    widths = [max(map(cell_len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = []
        for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - cell_len(cell))
            cells.append(space + cell if number in right else cell + space)
        out("  ".join(cells).rstrip())
