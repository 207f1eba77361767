"""Which seeds a run can learn from, and why the others were left out."""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any

from datasynth.schemas.messages import Message, say
from datasynth.schemas.recipe import SeedProblem
from datasynth.schemas.record import Field, RecordSchema, content_digest
from datasynth.tasks.detect.roles import INPUT, called
from datasynth.tasks.sources.placeholders import counted, placeholders
from datasynth.tasks.validate.findings import path_text
from datasynth.tasks.validate.validator import RecordValidator

Named = tuple[str, dict[str, Any]]


def usable_seeds(
    named: Sequence[Named], schema: RecordSchema
) -> tuple[tuple[dict[str, Any], ...], tuple[SeedProblem, ...]]:
    """The seeds of `named` that a prompt may show, and one problem for each of the others, both in their order.

    A seed keeps the fields that a model is asked for (`RecordSchema.asked`), repaired where nothing is lost; the rest
    (an `id`, `metadata`, fields outside the schema) is the source's bookkeeping and would only be copied. A seed is
    left out for the first of: a placeholder in it, texts that only count up, a misfit with the schema, an equal seed
    before it.
    """
    asked = schema.only(schema.asked)
    bare = [{f.name: seed[f.name] for f in asked.fields if f.name in seed} for _, seed in named]
    problems = _placeholder_problems(bare, asked)
    fitting = [position for position in range(len(bare)) if position not in problems]
    repaired, misfits = _checked([bare[position] for position in fitting], asked)
    problems |= {fitting[row]: problem for row, problem in misfits.items()}
    seeds: list[dict[str, Any]] = []
    first: dict[str, str] = {}
    for row, record in enumerate(repaired):
        if record is None:
            continue
        name, digest = named[fitting[row]][0], content_digest(record)
        if digest in first:
            problems[fitting[row]] = ("", say("the same record as seed {other}.", other=first[digest]))
        else:
            first[digest] = name
            seeds.append(record)
    left_out = (
        SeedProblem(seed=named[at][0], field=problems[at][0], reason=problems[at][1]) for at in sorted(problems)
    )
    return tuple(seeds), tuple(left_out)


def without_nulls(named: Sequence[Named], schema: RecordSchema) -> tuple[list[Named], tuple[Message, ...]]:
    """`named` with "" for the nulls that say the same, and a sentence for each field in which there were any.

    An instruction without an input has null or "" there, as the tool that wrote the data set had it. So null is read
    as "" where the schema wants a text and takes an empty one, and either another seed has "" there, or the field is,
    by its name, the input or context that an example may do without. Any other null may be a value that is missing,
    and stays a misfit.
    """
    takers = [field for field in schema.asked if _takes_empty(field)]
    optional = {field.name for field in called(INPUT, takers)}
    optional |= {field.name for field in takers if any(seed.get(field.name) == "" for _, seed in named)}
    nulls = [[key for key, value in seed.items() if value is None and key in optional] for _, seed in named]
    filled = [(name, seed | dict.fromkeys(keys, "")) for (name, seed), keys in zip(named, nulls, strict=True)]
    counts = Counter(chain.from_iterable(nulls))
    return filled, tuple(
        say(
            "{field}: null is read as an empty text, for the schema wants a text (seeds: {count}).",
            field=field.name,
            count=f"{counts[field.name]:,}",
        )
        for field in takers
        if counts[field.name]
    )


def _takes_empty(field: Field) -> bool:
    """Whether "" is a value of the field and null is none, nor as good as leaving the field out."""
    limited = field.min_length or field.pattern is not None or field.format is not None
    listed = field.enum is None or "" in field.enum
    return field.type == "string" and field.required and not field.nullable and not limited and listed


def _placeholder_problems(seeds: Sequence[dict[str, Any]], schema: RecordSchema) -> dict[int, tuple[str, Message]]:
    problems = {
        position: ("", say("its texts only count up from seed to seed, so a program wrote them, not a person."))
        for position in counted(seeds, schema.fields)
    }
    for position, seed in enumerate(seeds):
        if found := next(placeholders(seed, schema.fields), None):
            path, text = found
            shown = text if len(text) <= 60 else text[:59] + "…"
            problems[position] = (path, say('a placeholder, "{text}", where content should be.', text=shown))
    return problems


def _checked(
    seeds: list[dict[str, Any]], schema: RecordSchema
) -> tuple[Sequence[dict[str, Any] | None], dict[int, tuple[str, Message]]]:
    if not seeds:
        return [], {}
    verdicts = RecordValidator(schema).check(seeds)
    first = ((row, problems[0]) for row, problems in verdicts.by_row())
    return verdicts.records, {row: (path_text(problem.keys), problem.sentence) for row, problem in first}
