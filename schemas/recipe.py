"""The recipe: everything a run knows of the data it is to make, whatever source it came from."""

from typing import Any, Literal

from datasynth.schemas.messages import Message
from datasynth.schemas.record import Frozen, RecordSchema, content_digest

DataKind = Literal["instruction_response", "preference", "multi_turn", "generic"]


class SeedProblem(Frozen):
    """Why a seed was left out."""

    seed: str
    """The seed's id where the source gives one, else its 1-based position such as `#3`."""
    field: str
    reason: Message


class Recipe(Frozen):
    """Name, record schema, seeds and guidelines of a data set to be made."""

    name: str
    record_schema: RecordSchema
    schema_document: dict[str, Any] = {}
    """The schema as its source wrote it, for the files that sibling tools read."""
    seeds: tuple[dict[str, Any], ...] = ()
    """Usable seeds only: each fits the schema, is no placeholder and repeats no item of an evaluation set."""
    seeds_with_tested: tuple[dict[str, Any], ...] = ()
    """Where some repeat such an item: these and the usable ones, in their order. For the fingerprint alone, which must
    not change with an evaluation set, so that a run whose set has changed is found, and refused, on resume."""
    seed_problems: tuple[SeedProblem, ...] = ()
    seed_notes: tuple[Message, ...] = ()
    """What was read otherwise than it was written, such as null for an empty text."""
    guidelines: str = ""
    guidelines_left_out: tuple[str, ...] = ()
    """Rules of the guidelines that no prompt shows because they forbid what is being done: data made by a model."""
    language: str = "en"
    """BCP 47 primary tag of the seeds' language, such as `en` or `zh`; prompts are written in it."""
    source: str = ""
    """The address it was read from, for people; not part of the fingerprint."""
    analysis_dir: str = ""
    """The DataRecipe analysis folder (path or fsspec URL), where there is one."""

    @property
    def fingerprint(self) -> str:
        """Digest of what shapes the data; a moved folder keeps it, a changed seed does not."""
        excluded = {"source", "analysis_dir", "seed_problems", "seed_notes", "schema_document", "guidelines_left_out"}
        every = self.model_copy(update={"seeds": self.seeds_with_tested or self.seeds})
        return content_digest(every.model_dump(mode="json", exclude=excluded | {"seeds_with_tested"}))


class Detection(Frozen):
    """The kind of data a recipe is for, and why."""

    kind: DataKind
    roles: dict[str, str] = {}
    """Field by role: `instruction`, `input`, `response`; `prompt`, `chosen`, `rejected`; `conversation`."""
    reasons: tuple[Message, ...] = ()
    """The evidence as sentences for people, strongest first."""
