"""Making records by hand: a prompt to paste into any chat, and what became of the reply, judged as a run judges it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.index import index_for
from datasynth.tasks.generate.parse import parse_reply
from datasynth.tasks.quality.screening import checks_for
from datasynth.tasks.report.export import Identified, export_records
from datasynth.tasks.sources.documents import names_json_lines
from datasynth.tasks.validate.content import ContentRules
from datasynth.tasks.validate.validator import RecordValidator, describe, with_content
from datasynth.version import __version__


@dataclass(frozen=True)
class Pasted:
    """What a pasted reply held."""

    kept: tuple[dict[str, Any], ...]
    """Valid and new, in the reply's order, lossless repairs applied."""
    invalid: tuple[Message, ...]
    """A sentence for each record that the schema or the content rules refused."""
    duplicates: tuple[Message, ...]
    """A sentence for each record that is like a seed or an earlier one of the reply."""
    lost: int
    """Records that were begun and cannot be read."""
    trouble: str = ""
    """What was wrong with the reply itself, for people."""

    @property
    def total(self) -> int:
        return len(self.kept) + len(self.invalid) + len(self.duplicates) + self.lost


def read_pasted(text: str, recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> Pasted:
    """The records of a reply, parsed, validated and compared with the seeds and each other as in a run."""
    schema = recipe.record_schema
    parsed = parse_reply(text, schema, cut=False)
    if not settings.validate_records:
        return Pasted(parsed.records, (), (), parsed.lost, parsed.detail)
    asked = schema.only(schema.asked)
    ours = {field.name for field in schema.fields} - {field.name for field in asked.fields}
    verdicts = RecordValidator(asked, uncounted=ours).check(parsed.records)
    verdicts = with_content(verdicts, ContentRules(asked, detection.roles))
    verdicts = with_content(verdicts, checks_for(recipe, detection, settings))
    numbered = [(number, record) for number, record in enumerate(verdicts.records, 1) if record is not None]
    kept, duplicates = _screened(numbered, recipe, detection, settings)
    return Pasted(tuple(kept), tuple(describe(verdicts)), tuple(duplicates), parsed.lost, parsed.detail)


def _screened(
    numbered: Sequence[tuple[int, dict[str, Any]]], recipe: Recipe, detection: Detection, settings: SynthesisSettings
) -> tuple[list[dict[str, Any]], list[Message]]:
    index = index_for(recipe.record_schema, detection, settings)
    names: dict[str, Message] = {f"seed-{n}": say("seed {number}", number=n) for n in range(1, len(recipe.seeds) + 1)}
    index.add(recipe.seeds, list(names))
    names |= {f"record-{n}": say("record {number}", number=n) for n, _ in numbered}
    matches = index.screen([record for _, record in numbered], [f"record-{n}" for n, _ in numbered])
    kept, duplicates = [], []
    for (number, record), match in zip(numbered, matches, strict=True):
        if match is None:
            kept.append(record)
        else:
            duplicates.append(
                say(
                    "Record {number}: a duplicate of {other} (similarity {similarity}).",
                    number=number,
                    other=names[match.id],
                    similarity=f"{match.similarity:.2f}",
                )
            )
    return kept, duplicates


def save_pasted(pasted: Pasted, recipe: Recipe, target: str) -> int:
    """Writes the records kept to `target`, as JSON with metadata or, by its ending, as JSON Lines; returns how many.

    Raises:
        StorageError: it cannot be written.
    """
    return export_records(
        target,
        _identified(pasted.kept, recipe),
        output_format="jsonl" if names_json_lines(target) else "json",
        metadata={
            "generated_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "generator": "DataSynth (Interactive)",
            "version": __version__,
            "generated_count": len(pasted.kept),
        },
        schema_document=recipe.schema_document or recipe.record_schema.json_schema(),
    )


def _identified(records: Sequence[dict[str, Any]], recipe: Recipe) -> list[Identified]:
    identity = recipe.record_schema.identity
    named = []
    for number, record in enumerate(records, 1):
        name = f"SYNTH_{number:04d}"
        own = number if identity and identity.type in ("integer", "number") else name
        named.append((name, {"id": own, **record} if identity else record))
    return named


def require_something(pasted: Pasted) -> None:
    """Refuses a reply without anything like a record in it.

    Raises:
        InputError: with what was found instead.
    """
    if not pasted.total:
        raise InputError(
            "The reply holds no record: {trouble}. Paste the whole answer, with its JSON.",
            trouble=pasted.trouble or say("an empty list"),
        )
