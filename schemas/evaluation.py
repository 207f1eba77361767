"""Quality control of a data set that exists: what is asked, and what was found."""

import copy
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from datasynth.schemas.form import form
from datasynth.schemas.measures import DiversityReport
from datasynth.schemas.messages import Message
from datasynth.schemas.record import Frozen
from datasynth.schemas.report import Spend, StopReason
from datasynth.schemas.settings import Checks, DataKindChoice, Names, Positive, SynthesisSettings

Portion = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Price = Annotated[float, Field(ge=0)]

ABOUT = (
    "Which data, and what must hold of them. A run of a store knows its own schema; for a file of records give the "
    "analysis, or a schema. Without a judge nothing is paid. No key is typed here: it comes from the environment of "
    "the worker."
)
FIRST = ("data", "analysis_dir", "schema_file", "judge_provider", "judge_model", "sample", "max_cost", "min_valid")


def _same(name: str) -> Any:
    """The field of a run's settings that means the same: its title, description, bounds and default."""
    return copy.copy(SynthesisSettings.model_fields[name])


class EvaluationSettings(BaseModel):
    """What to evaluate, against what, by which judge, within which limits."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, json_schema_extra=form(*FIRST, about=ABOUT))

    data: Annotated[str, Field(min_length=1)] = Field(
        title="Data",
        description="A run's folder, a data set's in its store, or a file of records: JSON, JSON Lines or Parquet.",
    )
    store: str | None = Field(
        None, title="Store", description="Where the data are named by a run's id or a data set's name: its store."
    )
    dataset: str | None = Field(None, title="Data set", description="Of the run whose id is given, if several have it.")
    id: str | None = Field(
        None, title="Evaluation", description="Its id; default: the flow run's. The same id writes it anew."
    )

    analysis_dir: str | None = Field(
        None,
        title="DataRecipe analysis",
        description="What the records of a file are held against; of a run, in place of its own.",
    )
    schema_file: str | None = Field(
        None, title="Schema file", description="In place of an analysis: a JSON Schema, or a list of fields."
    )
    seeds_file: str | None = Field(
        None, title="Seeds file", description="With a schema file: examples that no record may repeat."
    )
    data_type: DataKindChoice = _same("data_type")
    skip_checks: Checks = _same("skip_checks")
    sensitive_words: Names = _same("sensitive_words")
    personal_data: bool = _same("personal_data")
    decontaminate: Names = _same("decontaminate")
    dedup_threshold: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, title="Near-duplicates: Jaccard from", description="Default: that of the run, else 0.7."
    )
    dedup_on: Names | None = _same("dedup_on")

    judge_provider: str | None = Field(
        None,
        title="Judge's provider",
        description="With any field of the judge a model scores a sample. Default: anthropic.",
    )
    judge_model: str | None = Field(
        None, title="Judge", description="Model that scores records from 0 to 1; default: the provider's, if any."
    )
    judge_base_url: str | None = _same("judge_base_url")
    judge_api_key_env: str | None = Field(
        None,
        title="Judge's key variable",
        description="Name of the environment variable that holds its key on the worker; default: the provider's.",
    )
    judge_input_price: Price | None = _same("judge_input_price")
    judge_output_price: Price | None = _same("judge_output_price")
    judges: Annotated[int, Field(ge=1, le=9)] = _same("judges")
    sample: Annotated[int, Field(ge=0)] = Field(
        200, title="Records judged", description="Drawn from the valid ones, always the same; 0: all."
    )

    concurrency: Positive = _same("concurrency")
    max_retries: Annotated[int, Field(ge=0)] = _same("max_retries")
    retry_delay: Annotated[float, Field(ge=0)] = _same("retry_delay")
    request_timeout: Annotated[float, Field(gt=0)] = _same("request_timeout")
    requests_per_minute: Positive | None = _same("requests_per_minute")
    tokens_per_minute: Positive | None = _same("tokens_per_minute")
    concurrency_limit: str | None = _same("concurrency_limit")
    max_cost: Price | None = Field(
        None, title="Budget, USD", description="The judge stops before it costs more; what it said is kept."
    )
    max_tokens: Positive | None = Field(
        None, title="Tokens at most", description="Input and output; the judge stops before it takes more."
    )
    max_calls: Positive | None = Field(None, title="Calls at most", description="The judge stops there.")

    min_valid: Portion | None = Field(
        None, title="Gate: valid records, at least", description="As a share, 0 to 1. Below it the verdict is failed."
    )
    min_quality: Portion | None = Field(
        None, title="Gate: mean score, at least", description="By the judge, 0 to 1. Below it the verdict is failed."
    )
    max_near_duplicates: Portion | None = Field(
        None,
        title="Gate: near-duplicates, at most",
        description="Records that repeat an earlier one of the data, as a share, 0 to 1.",
    )
    language: Literal["en", "zh"] = Field(
        "en", title="Language of the report", description="The records have the language that they have."
    )

    @property
    def judging(self) -> bool:
        """Whether a model scores records."""
        named = (self.judge_model, self.judge_provider, self.judge_base_url, self.min_quality)
        return self.judges > 1 or any(value is not None for value in named)


Verdict = Literal["passed", "failed", "measured"]
"""All gates were met; one was not; there was none."""


class Gate(Frozen):
    """What had to hold, and what was found."""

    name: Literal["min_valid", "min_quality", "max_near_duplicates"]
    wanted: float
    found: float | None
    """None where it could not be measured; the gate is not met then."""
    met: bool


class Example(Frozen):
    """A record that something is wrong with."""

    record: str
    """Which: `<run>/<id>` in a data set, else its id, or `#3` for the third of a file without ids."""
    field: str = ""
    detail: str


class Reason(Frozen):
    """A check that records failed."""

    check: str
    """As in `rejected` of a run: `type`, `enum`, ... of the schema, or a content check such as `refusal`."""
    records: int
    examples: tuple[Example, ...] = ()


class Validity(Frozen):
    """What the checks found."""

    records: int
    fit: int
    """Records that fit their schema."""
    valid: int
    """Those of them that pass the content checks too: what `generate` would accept."""
    reasons: tuple[Reason, ...] = ()
    """Most frequent first; a record that fails several checks counts at each."""

    @property
    def share(self) -> float | None:
        return self.valid / self.records if self.records else None


class Repeats(Frozen):
    """Near-duplicates, exact ones among them."""

    records: int
    """Compared."""
    repeating: int = 0
    """Records that repeat an earlier one of the data."""
    exact: int = 0
    """Those of them that are the same, but for case, width and punctuation."""
    seeds: int | None = None
    """Records that repeat a seed; None where no seed was to be had."""
    threshold: float
    examples: tuple[Example, ...] = ()

    @property
    def share(self) -> float | None:
        return self.repeating / self.records if self.records else None


class QualityOf(Frozen):
    """Scores of the records that have one value of an attribute."""

    attribute: str
    value: str
    """Empty for any value that is not listed."""
    records: int
    mean: float


class Scored(Frozen):
    """A record with its score."""

    record: str
    score: float
    reason: str
    content: str
    """The record as JSON text."""


class Judged(Frozen):
    """What the judge said."""

    provider: str
    model: str
    judges: int
    sampled: int
    """Records that it was to be shown."""
    scored: int
    mean: float | None
    """Of all scores, 0 to 1."""
    spread: float | None
    """Mean difference between a record's highest and lowest score; None for a single judge."""
    histogram: tuple[int, ...]
    """Records by tenths of the score, lowest first; 1.0 is in the last one."""
    by_value: tuple[QualityOf, ...] = ()
    """By attribute in the schema's order, then by value, lowest mean first."""
    lowest: tuple[Scored, ...] = ()
    stopped_by: StopReason | None = None
    """The limit that kept records of the sample from being judged."""
    trouble: str = ""
    """What the endpoint said of calls without an answer."""
    simulated: bool = False
    """True when no language model gave the scores."""
    spend: Spend
    """What all of these judgements cost, whenever they were paid for."""


class Evaluation(Frozen):
    """The facts of an evaluation, as `evaluation.json` holds them."""

    id: str
    data: str
    """Address of what was evaluated."""
    kind: Literal["run", "dataset", "file"]
    name: str
    """Of the data set, or of the file."""
    runs: tuple[str, ...] = ()
    verdict: Verdict
    gates: tuple[Gate, ...] = ()
    validity: Validity
    repeats: Repeats
    judged: Judged | None = None
    diversity: DiversityReport | None = None
    """Of the valid records, beside the seeds; None where none is valid."""
    paid: Spend = Spend()
    """By this evaluation, retries included; less than `judged.spend` where an earlier one had asked the same."""
    source: str
    """Where the schema came from."""
    recipe_fingerprint: str
    data_type: str
    simulated: bool = False
    """True when no language model wrote the records."""
    notes: tuple[Message, ...] = ()
    """What a reader must know of how it was measured."""
    evaluated_at: str
    """ISO 8601, UTC: when it first came out so."""
    url: str
    """Address of the folder with `evaluation.json`, `evaluation.md` and `records.parquet`."""
    settings: dict[str, Any] = {}
