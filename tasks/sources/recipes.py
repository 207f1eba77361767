"""Recipes: what a run is to make, from whichever source the settings name."""

import os
import posixpath
from collections.abc import Sequence
from typing import Any

from datasynth.schemas.errors import InputError, StorageError
from datasynth.schemas.recipe import Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.detect.language import language_of
from datasynth.tasks.detect.shapes import SPEAKERS, message_keys
from datasynth.tasks.sources.dialects import parse_record_schema
from datasynth.tasks.sources.documents import is_absent, plain_json, read_json, read_text, unreadable
from datasynth.tasks.sources.guidelines import Guidelines, readable_guidelines
from datasynth.tasks.sources.records import named, named_records
from datasynth.tasks.sources.seeds import Named, usable_seeds, without_nulls
from datasynth.tasks.sources.templates import given_guidelines
from datasynth.tasks.sources.tested import tested_note, untested
from datasynth.tasks.storage.store import Store

SCHEMA = "04_复刻指南/DATA_SCHEMA.json"
SAMPLES = "09_样例数据/samples.json"
GUIDELINES = "03_标注规范/ANNOTATION_SPEC.md"
SUMMARY = "recipe_summary.json"
"""The files of a DataRecipe analysis; all but the schema may be missing."""

INLINE = "record_schema"


def read_recipe(settings: SynthesisSettings) -> Recipe:
    """The recipe that `settings` name, with only those seeds that a prompt may show.

    Seeds come from `seeds`, else from `seeds_file`, else from the analysis; without any, the recipe has none.
    Guidelines in the settings take the place of the analysis's own, and are used to the letter.

    Raises:
        InputError: a file or folder is missing, unreadable, malformed or no DataRecipe analysis; the schema has no
            field to ask for; seeds or guidelines are given twice; a template cannot be filled.
    """
    analysis = _Analysis(settings.analysis_dir) if settings.analysis_dir else None
    where, document = _document(settings, analysis)
    schema = parse_record_schema(document, where)
    if not schema.asked:
        raise InputError(
            '{path}: no field for a model to fill (found: {found}; "id" is given by DataSynth). Describe the fields of '
            "a record.",
            path=where,
            found=", ".join(field.name for field in schema.fields),
        )
    if analysis and not schema.description:
        schema = schema.model_copy(update={"description": analysis.purpose()})
    given, notes = without_nulls(_seeds(settings, schema, analysis), schema)
    seeds, problems = usable_seeds(given, schema)
    every = seeds
    if settings.decontaminate and given:
        left, tested = untested(given, schema, settings.decontaminate)
        if tested:
            seeds, problems = usable_seeds(left, schema)
            problems = tested + problems
            notes = (*notes, tested_note(len(tested)))
    guidelines = analysis.guidelines() if analysis else Guidelines()
    if (instead := given_guidelines(settings)) is not None:
        guidelines = Guidelines(instead)
    return Recipe(
        name=_name(settings, schema, analysis),
        record_schema=schema,
        schema_document={"fields": document} if isinstance(document, list) else document,
        seeds=seeds,
        seeds_with_tested=every if len(every) > len(seeds) else (),
        seed_problems=problems,
        seed_notes=notes,
        guidelines=guidelines.text,
        guidelines_left_out=guidelines.left_out,
        language=_language(schema, every, guidelines.text),
        source=analysis.store.url() if analysis else where,
        analysis_dir=analysis.store.url() if analysis else "",
    )


def _document(settings: SynthesisSettings, analysis: "_Analysis | None") -> tuple[str, Any]:
    """Where the schema stands, and the JSON value that is there."""
    if settings.record_schema is not None:
        return INLINE, plain_json(settings.record_schema, INLINE)
    where = analysis.store.url(SCHEMA) if analysis else str(settings.schema_file)
    return where, read_json(where)


class _Analysis:
    """A DataRecipe analysis folder at any fsspec address."""

    def __init__(self, url: str) -> None:
        """Looks for the schema, the one file that must be there.

        Raises:
            InputError: no folder, or not of an analysis.
        """
        self.store = Store(url)
        if self._has(SCHEMA):
            return
        names = self._names()
        nearby = [name for name in names[:20] if self._is_analysis(name)]
        if names == [posixpath.basename(self.store.root.rstrip("/"))] and not self._has(f"/{names[0]}"):
            raise InputError("{path}: a file, not a folder. Give the folder of the analysis.", path=self.store.url())
        if not names:
            raise InputError("{path}: no such folder, or nothing in it. Check the path.", path=self.store.url())
        raise InputError(
            "{path}: no DataRecipe analysis. Looked for {wanted} and found {found}. Give the folder that "
            "`knowlyr-datarecipe deep-analyze` or `analyze-spec` wrote{nearby}.",
            path=self.store.url(),
            wanted=SCHEMA,
            found=", ".join(names[:8]) + (" …" if len(names) > 8 else ""),
            nearby=f": {', '.join(nearby)}" if nearby else "",
        )

    def samples(self, schema: RecordSchema) -> list[Named]:
        if not self._has(SAMPLES):
            return []
        return named_records(self.store.url(SAMPLES), [field.name for field in schema.fields])

    def guidelines(self) -> Guidelines:
        return readable_guidelines(read_text(self.store.url(GUIDELINES))) if self._has(GUIDELINES) else Guidelines()

    def purpose(self) -> str:
        """What DataRecipe found the data to be for; its field list has no description of its own."""
        if not self._has(SUMMARY):
            return ""
        summary = read_json(self.store.url(SUMMARY))
        purpose = summary.get("purpose") if isinstance(summary, dict) else None
        return purpose.strip() if isinstance(purpose, str) else ""

    def _names(self) -> list[str]:
        try:
            names = self.store.names()
        except StorageError as error:
            if self.store.local and is_absent(error.__cause__):
                return []
            raise unreadable(self.store.url(), error) from error
        return [name for name in names if not name.startswith(".")]

    def _is_analysis(self, name: str) -> bool:
        try:
            return self.store.exists(f"{name}/{SCHEMA}")
        except StorageError:
            # Only a hint at where the analysis might be.
            return False

    def _has(self, path: str) -> bool:
        spot = self.store.at(path)
        try:
            if spot.exists():
                return True
            if spot.local:
                # fsspec says of what it may not look at that it is not there, and seeds would be missing silently.
                os.stat(spot.root)
        except (PermissionError, StorageError) as error:
            raise unreadable(spot.url(), error) from error
        except (OSError, ValueError) as error:
            if not is_absent(error):
                raise
        return False


def _seeds(settings: SynthesisSettings, schema: RecordSchema, analysis: _Analysis | None) -> list[Named]:
    known = [field.name for field in schema.fields]
    if settings.seeds is not None and settings.seeds_file:
        raise InputError("Seeds are given inline and as a file ({path}). Give one of them.", path=settings.seeds_file)
    if settings.seeds is not None:
        return named(plain_json(settings.seeds, "seeds"), known, where="seeds")
    if settings.seeds_file:
        return named_records(settings.seeds_file, known)
    return analysis.samples(schema) if analysis else []


def _name(settings: SynthesisSettings, schema: RecordSchema, analysis: _Analysis | None) -> str:
    folder = posixpath.basename(analysis.store.root.rstrip("/")) if analysis else ""
    stem = posixpath.basename(settings.schema_file.replace("\\", "/")) if settings.schema_file else ""
    return settings.dataset or folder or schema.name or stem.split(".", 1)[0] or "dataset"


def _language(schema: RecordSchema, seeds: Sequence[dict[str, Any]], guidelines: str) -> str:
    """The seeds' language; without seeds that of what the schema says of its fields, else of the guidelines."""
    texts = [text for seed in seeds for field in schema.asked for text in _free_texts(seed.get(field.name), field)]
    if not texts:
        texts = [text for field in schema.asked for text in _words_about(field)]
    return language_of(texts or [guidelines])


def _free_texts(value: Any, field: Field | None) -> list[str]:
    if isinstance(value, str):
        return [] if field and field.enum is not None else [value]
    if isinstance(value, list):
        return [text for item in value for text in _free_texts(item, field.items if field else None)]
    if isinstance(value, dict):
        members = {f.name: f for f in field.fields} if field else {}
        # Who speaks is said in English words ("user", "gpt") whatever the language of the conversation.
        skipped = SPEAKERS if message_keys(list(value)) else ()
        inside = [(name, inner) for name, inner in value.items() if name.casefold() not in skipped]
        return [text for name, inner in inside for text in _free_texts(inner, members.get(name))]
    return []


def _words_about(field: Field) -> list[str]:
    own = [field.description, *(example for example in field.examples if isinstance(example, str))]
    inner = [*field.fields, *([field.items] if field.items else [])]
    return [text for text in own if text] + [text for below in inner for text in _words_about(below)]
