"""One data set put together from several parts in given proportions: what is asked for, and what became of it."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from datasynth.schemas.errors import InputError
from datasynth.schemas.form import form
from datasynth.schemas.messages import Message
from datasynth.schemas.record import Frozen, content_digest
from datasynth.schemas.report import Counts, RoundOutcome, Spend, StopReason
from datasynth.schemas.settings import SynthesisSettings

Scalar = str | bool | int | float | None
Shortfall = Literal["keep", "scale"]
PartKind = Literal["data", "synthesis"]
Verdict = Literal["complete", "fell_short"]

OF_THE_WHOLE = ("target_count", "run_id", "resume", "store", "output", "output_format", "post_hook", "approve_over")
"""Settings of a run that a part's own run gets from the whole, or cannot have: a part waits for nobody's yes."""

_DATASET = re.compile(r"\w(?:[\w.\-]{0,58}\w)?")
_PART = re.compile(r"\w(?:[\w .\-]{0,98}[\w.\-])?")
_ABOUT = (
    "One data set from several parts, each with its share: existing records, or a synthesis run. No key is typed here: "
    "keys come from ModelEndpoint blocks, or from the environment of the worker."
)


def _in_a_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


class Part(BaseModel):
    """Records of one origin, and how many of them."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=form("name", "share", "count", "data", "where"))

    name: str = Field(title="Name", description="Unlike that of any other part; it stands in each record's lineage.")
    share: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, title="Share", description="A weight: 3 and 1 are three quarters and one. In its place: a count."
    )
    count: Annotated[int, Field(ge=1)] | None = Field(
        None, title="Count", description="So many records, whatever the others have. In place of a share."
    )
    data: str | None = Field(
        None,
        title="Existing records",
        description="Address of a finished run, of a data set in a store, or of a file: JSON, JSON Lines, Parquet.",
    )
    where: dict[str, Annotated[tuple[Scalar, ...], BeforeValidator(_in_a_list)]] = Field(
        {}, title="Only where", description='Field and value, or list of values: {"difficulty": ["easy", "medium"]}.'
    )
    synthesize: dict[str, Any] | None = Field(
        None, title="Settings of a synthesis run", description="In place of existing records; as the flow synthesize."
    )

    @model_validator(mode="after")
    def _whole(self) -> "Part":
        if not _PART.fullmatch(self.name):
            raise InputError(
                "The part {name} cannot be called so. Use up to 100 letters, digits, spaces and . - _, with a letter "
                "or a digit first.",
                name=repr(self.name),
            )
        if (self.data is None) == (self.synthesize is None):
            raise InputError(
                "Part {name}: give exactly one of data (the address of existing records) and synthesize (settings of "
                "a run).",
                name=self.name,
            )
        if (self.share is None) == (self.count is None):
            raise InputError("Part {name}: give exactly one of share and count.", name=self.name)
        if self.where and self.data is None:
            raise InputError("Part {name}: where is for existing records (data) alone. Leave it out.", name=self.name)
        if self.synthesize is not None:
            self._require_no_setting_of_the_whole(self.synthesize)
            SynthesisSettings.model_validate(self.synthesize)
        return self

    def _require_no_setting_of_the_whole(self, given: dict[str, Any]) -> None:
        if taken := [name for name in OF_THE_WHOLE if given.get(name) not in (None, False)]:
            raise InputError(
                "Part {name}: {settings} cannot be set for a part; the whole decides it. Leave it out under "
                "synthesize.",
                name=self.name,
                settings=", ".join(taken),
            )

    @property
    def kind(self) -> PartKind:
        return "data" if self.synthesize is None else "synthesis"

    def of_run(self, **changes: Any) -> SynthesisSettings:
        """The settings of the run that makes this part, with `changes`."""
        return SynthesisSettings.model_validate({**(self.synthesize or {}), **changes})


class ProportionalSettings(BaseModel):
    """What to put together, from which parts, in which proportions."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=form("name", "target_count", "parts", about=_ABOUT))

    name: str = Field(title="Data set", description="Its name in the store.")
    target_count: Annotated[int, Field(ge=1)] | None = Field(
        None,
        title="Records wanted",
        description="Of all parts together; need not be said where every part has a count.",
    )
    parts: Annotated[list[Part], Field(min_length=1)] = Field(
        title="Parts", description="In this order: of two records that are alike, the earlier part keeps its own."
    )
    store: str | None = Field(
        None,
        title="Store",
        description="Where data sets live: a folder, an s3:// address, or block:NAME for a DatasetStore block.",
    )
    shortfall: Shortfall = Field(
        "keep",
        title="When a part cannot deliver",
        description="keep: all that was made is kept; scale: all parts are cut until the proportions hold again.",
    )
    max_cost: Annotated[float, Field(ge=0)] | None = Field(
        None, title="Budget, USD", description="For all parts together: what is left goes to the next one."
    )
    dedup_threshold: Annotated[float, Field(gt=0, le=1)] = Field(
        0.7,
        title="Near-duplicates between parts: Jaccard from",
        description="Similarity of the wording, 0 to 1, from which the record of the later part is left out.",
    )
    random_seed: int = Field(0, title="Random seed", description="Another one draws and mixes the records otherwise.")
    run_id: str | None = Field(None, title="Run", description="Its id; default: a new one. The same id resumes.")
    resume: bool = Field(False, title="Resume", description="Go on with the latest run of these parts, if any.")
    language: Literal["en", "zh"] = Field("en", title="Language of the report", description="Records stay as they are.")

    @model_validator(mode="after")
    def _adds_up(self) -> "ProportionalSettings":
        if not _DATASET.fullmatch(self.name):
            raise InputError(
                "The data set {name} cannot be called so. Use up to 60 letters, digits and . - _, with a letter or a "
                "digit at both ends.",
                name=repr(self.name),
            )
        names = [part.name for part in self.parts]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InputError("Two parts are called {name}. Give each a name of its own.", name=twice[0])
        self._require_a_total()
        return self

    def _require_a_total(self) -> None:
        counted = sum(part.count or 0 for part in self.parts)
        if all(part.count for part in self.parts):
            if self.target_count not in (None, counted):
                raise InputError(
                    "The parts have counts that add up to {counted}, and {target} records are wanted. Give shares in "
                    "place of counts, or leave out the number of records.",
                    counted=f"{counted:,}",
                    target=f"{self.target_count:,}",
                )
        elif self.target_count is None:
            raise InputError("How many records in all? Give target_count, or -n on the command line.")
        elif counted >= self.target_count:
            raise InputError(
                "The counts of the parts add up to {counted}, which leaves nothing of {target} records for the shares. "
                "Raise target_count, or lower the counts.",
                counted=f"{counted:,}",
                target=f"{self.target_count:,}",
            )

    @property
    def total(self) -> int:
        """Records wanted in all."""
        return self.target_count or sum(part.count or 0 for part in self.parts)

    @property
    def plan_fingerprint(self) -> str:
        """Digest of what the parts are, but for counts and addresses: a run is gone on with by the same only.

        A moved folder changes nothing, for the run knows the records of its data parts; and the run of a synthesis part
        knows its recipe.
        """
        parts = [
            [part.name, part.kind, part.share, part.where, part.of_run().fingerprint if part.synthesize else None]
            for part in self.parts
        ]
        return content_digest(parts)

    @property
    def fingerprint(self) -> str:
        """Digest of the settings that decide which records are drawn and kept."""
        return content_digest([self.random_seed, self.dedup_threshold])


class PartReport(Frozen):
    """What became of a part."""

    name: str
    kind: PartKind
    source: str
    """Address of the records: a file, a run, a data set; for a synthesis part its run's."""
    asked: int
    made: int
    """Records in the data set."""
    held: int = 0
    """Records there were to choose from: after filter and copies, or made by the run."""
    duplicates: int = 0
    """Records looked at that repeat one of an earlier part, and so were left out."""
    cut: int = 0
    """Records left out again so that the proportions hold (`shortfall: scale`)."""
    extended: int = 0
    """Times that its run was asked for more, in place of duplicates."""
    spend: Spend = Spend()
    model: str = ""
    simulated: bool = False
    stopped_by: StopReason | None = None
    """Why its run ended, where that fell short."""
    why: Message | None = None
    """Why records are missing; None where none is."""

    @property
    def missing(self) -> int:
        return self.asked - self.made

    @property
    def fell_short(self) -> bool:
        """Whether it could not deliver, whatever was cut afterwards."""
        return self.made + self.cut < self.asked


class ProportionalReport(Frozen):
    """The facts of a proportional run, as `report.json` holds them beside what every run's report has."""

    run_id: str
    dataset: str
    target: int
    verdict: Verdict
    explanation: Message
    shortfall: Shortfall
    simulated: bool
    """True when no language model wrote some of the records."""
    parts: tuple[PartReport, ...]
    counts: Counts
    """`asked`: records looked at, of all parts."""
    spend: Spend
    """Of all parts together, which is also in the reports of their own runs."""
    provider: str = ""
    model: str = ""
    rounds: tuple[RoundOutcome, ...] = ()
    """One for each data part in Parquet."""
    started_at: str
    """ISO 8601, UTC."""
    duration_seconds: float
    """Of the run's last process."""
    run_url: str
    data_url: str
    settings: dict[str, Any] = {}

    @property
    def total(self) -> int:
        """Records in the data set."""
        return self.counts.accepted

    @property
    def fell_short(self) -> bool:
        return self.verdict == "fell_short"
