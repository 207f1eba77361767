"""The settings of a run: one Pydantic model, the flow's only parameter and its form in the Prefect UI."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from datasynth.schemas.as_written import attribute_shares, words
from datasynth.schemas.errors import InputError
from datasynth.schemas.form import PROVIDER_NAMES, form
from datasynth.schemas.record import content_digest, plain_document, plain_records

DataKindChoice = Literal["auto", "instruction_response", "preference", "multi_turn", "generic"]
OutputFormat = Literal["json", "jsonl"]
StructuredOutput = Literal["auto", "on", "off"]
ContentCheck = Literal[
    "refusal",
    "boilerplate",
    "placeholder",
    "prompt_leak",
    "language",
    "echo",
    "repetition",
    "preference",
    "sensitive",
    "personal_data",
]
"""What makes a record that fits its schema bad training data; `tasks/quality` has a module for each."""

PREVIEWED = 10
"""Records of a pilot that are shown to the person who is asked whether the run may go on."""

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]
OneOrMore = BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
"""One name is as good as a list of one."""
Names = Annotated[tuple[str, ...], OneOrMore]
Checks = Annotated[tuple[ContentCheck, ...], OneOrMore]

REDIS_ADDRESS = re.compile(
    r"(?P<scheme>rediss?)://((?P<user>[^:@/?#\s]+)@)?(?P<host>\[[0-9a-fA-F:.]+\]|[^:@/?#\[\]\s]+)"
    r"(:(?P<port>\d{1,5}))?(/(?P<db>\d{1,4})?)?"
)
"""Where a Redis is: with a user and a database, never with a password, which would stand in reports."""
FIRST = ("analysis_dir", "target_count", "endpoint", "provider", "model", "max_cost", "dataset", "store", "output")
"""The settings that stand first in the form, for a first run needs no others. The rest follow as they are defined."""
ABOUT = (
    "Where the records come from (an analysis, or a schema with seeds), how many, by which model, for how much. The "
    "fields that a first run needs come first; all others may stay as they are. No key is typed here: it comes from "
    "the ModelEndpoint block, or from the environment of the worker."
)


class SynthesisSettings(BaseModel):
    """What to make, with which model, within which limits.

    The source is one of `analysis_dir`, `schema_file` (with `seeds_file`) or `record_schema` (with `seeds`). Keys are
    never a setting: they come from the block that `endpoint` names, or from the environment variable that the
    provider's preset, or `api_key_env`, names.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True, json_schema_extra=form(*FIRST, about=ABOUT))

    analysis_dir: str | None = Field(
        None,
        title="DataRecipe analysis",
        description="Its folder, or an address such as s3://bucket/analysis. In its place: a schema, below.",
    )
    schema_file: str | None = Field(
        None, title="Schema file", description="In place of an analysis: a JSON Schema, or a list of fields."
    )
    seeds_file: str | None = Field(
        None, title="Seeds file", description="Examples to learn from, JSON or JSON Lines; beats the analysis' own."
    )
    record_schema: Annotated[dict[str, Any] | None, BeforeValidator(plain_document)] = Field(
        None,
        title="Schema, inline",
        description='In place of a file: a JSON Schema, or {"fields": [...]}; from Python also a Pydantic model class.',
    )
    seeds: Annotated[list[dict[str, Any]] | None, BeforeValidator(plain_records)] = Field(
        None, title="Seeds, inline", description="Examples to learn from, in place of a file."
    )
    guidelines: str | None = Field(
        None, title="Guidelines", description="What the model is told of the records, in place of the source's own."
    )
    template: str | None = Field(
        None,
        title="Instruction template",
        description="Name of an InstructionTemplate block, whose text takes the place of the guidelines.",
    )
    template_values: Annotated[dict[str, str], BeforeValidator(words)] = Field(
        {}, title="Values for the template", description='What stands for its {{variables}}: {"role": "teller"}.'
    )
    target_count: Positive = Field(
        100, title="Records wanted", description="Each valid, and none like another. A resumed run may want more."
    )
    data_type: DataKindChoice = Field(
        "auto", title="Kind of data", description="auto finds it out, and the report says why."
    )
    dataset: str | None = Field(None, title="Data set", description="Its name in the store; default: the recipe's.")

    endpoint: str | None = Field(
        None,
        title="Endpoint",
        description="Name of a ModelEndpoint block, which brings provider, model, address, key, prices and limits.",
    )
    provider: str = Field(
        "anthropic",
        title="Provider",
        description="Whose model it is; for another OpenAI-compatible endpoint: openai, with a base URL.",
        json_schema_extra={"enum": list(PROVIDER_NAMES)},
    )
    model: str | None = Field(None, title="Model", description="Default: the provider's, where it has one.")
    base_url: str | None = Field(
        None, title="Base URL", description="Address of an OpenAI-compatible endpoint, where it is not the provider's."
    )
    api_key_env: str | None = Field(
        None,
        title="Key variable",
        description="Name of the environment variable that holds the key on the worker; default: the provider's.",
    )
    temperature: Annotated[float, Field(ge=0, le=2)] = Field(
        0.8, title="Temperature", description="0 to 2. Models that take none are asked without."
    )
    structured_output: StructuredOutput = Field(
        "auto",
        title="Structured output",
        description="Whether the endpoint is sent the schema to hold the model to; auto: where it is known to take it.",
    )
    batch_size: Positive = Field(
        5, title="Records asked for in a call", description="Fewer are asked for where replies get too long."
    )
    max_tokens_per_sample: Positive = Field(
        2000, title="Output tokens allowed for a record", description="What a model writes beyond is lost."
    )
    seed_sample_count: Annotated[int, Field(ge=0)] = Field(
        3, title="Seeds shown in a prompt", description="They change from call to call."
    )
    diversity_factor: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5,
        title="Distance from the seeds",
        description="0 stays close, 1 goes far; also how hard the run is steered to what is rare.",
    )
    attributes: Annotated[dict[str, dict[str, Share]], BeforeValidator(attribute_shares)] = Field(
        {},
        title="Attributes to spread over",
        description='Values by name, with their shares: {"difficulty": {"easy": 3, "hard": 1}}.',
    )
    random_seed: int = Field(
        0, title="Random seed", description="Another one makes another plan: which seeds are shown, what is aimed at."
    )

    concurrency: Positive = Field(
        16, title="Calls in flight, at most", description="It starts here and adapts to what the endpoint takes."
    )
    max_retries: Annotated[int, Field(ge=0)] = Field(
        3, title="Retries of a call", description="Of one that failed in passing, or brought no record."
    )
    retry_delay: Annotated[float, Field(ge=0)] = Field(
        2.0, title="First wait before a retry, seconds", description="It grows from there."
    )
    request_timeout: Annotated[float, Field(gt=0)] = Field(
        600.0, title="Time allowed for a call, seconds", description="What takes longer is given up and tried again."
    )
    requests_per_minute: Positive | None = Field(
        None, title="Requests a minute, at most", description="Default: as many as the endpoint takes."
    )
    tokens_per_minute: Positive | None = Field(
        None, title="Tokens a minute, at most", description="Input and output; default: as many as the endpoint takes."
    )
    concurrency_limit: str | None = Field(
        None,
        title="Shared concurrency limit",
        description="Name of a Prefect global concurrency limit that each call takes a slot of, over all runs.",
    )

    max_cost: Annotated[float, Field(ge=0)] | None = Field(
        None, title="Budget, USD", description="The run stops before it costs more, and keeps what it made."
    )
    max_tokens: Positive | None = Field(
        None, title="Tokens at most", description="Input and output; the run stops before it takes more."
    )
    max_calls: Positive | None = Field(None, title="Calls at most", description="The run stops there.")
    max_minutes: Annotated[float, Field(gt=0)] | None = Field(
        None, title="Minutes at most", description="No call starts later; those in flight are awaited."
    )
    input_price: Annotated[float, Field(ge=0)] | None = Field(
        None,
        title="USD per million input tokens",
        description="Where the model's price is unknown or yours is another; with the next field.",
    )
    output_price: Annotated[float, Field(ge=0)] | None = Field(
        None, title="USD per million output tokens", description="With the field before."
    )
    pilot: Annotated[int, Field(ge=0)] = Field(
        0, title="Calls in the pilot round", description="Made first, to correct the estimate; 0: no pilot."
    )
    approve_over: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = Field(
        None,
        title="Ask a person above, USD",
        description="Makes a pilot; where its estimate is higher, a deployed run waits for a person's yes.",
    )
    approval_hours: Annotated[float, Field(gt=0, le=8760)] = Field(
        24.0, title="Hours to wait for the yes", description="Then the run ends, and keeps what it made."
    )
    batch_api: bool = Field(False, title="Use the provider's batch endpoint", description="Half price, hours late.")

    judge_model: str | None = Field(
        None, title="Judge", description="Model that scores each record; default: the one that writes them."
    )
    judge_provider: str | None = Field(
        None,
        title="Judge's provider",
        description=f"Default: the same as that of the model. Else one of {', '.join(PROVIDER_NAMES)}.",
    )
    judge_base_url: str | None = Field(None, title="Judge's base URL", description="Its address, if another.")
    judge_api_key_env: str | None = Field(
        None,
        title="Judge's key variable",
        description="Name of the environment variable that holds its key where the worker runs, if another.",
    )
    judge_input_price: Annotated[float, Field(ge=0)] | None = Field(
        None,
        title="Judge: USD per million input tokens",
        description="Where its price is unknown; with the next field.",
    )
    judge_output_price: Annotated[float, Field(ge=0)] | None = Field(
        None, title="Judge: USD per million output tokens", description="With the field before."
    )
    judges: Annotated[int, Field(ge=1, le=9)] = Field(
        1, title="Judgements of a record", description="Their median is its score."
    )
    min_quality: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, title="Least quality", description="0 to 1; records that the judge scores lower are left out."
    )

    validate_records: bool = Field(
        True, title="Validate and deduplicate", description="Without, every record that can be read is kept."
    )
    skip_checks: Checks = Field((), title="Content checks left out", description="The others are made.")
    sensitive_words: Names = Field(
        (), title="Sensitive words", description="Files with a word a line, UTF-8; a record that holds one is rejected."
    )
    personal_data: bool = Field(
        False, title="Reject personal data", description="E-mail addresses, phone, card and ID numbers; extra pii."
    )
    dedup_threshold: Annotated[float, Field(gt=0, le=1)] = Field(
        0.7,
        title="Near-duplicates: Jaccard from",
        description="Similarity of the wording, 0 to 1, from which the later of two records is left out.",
    )
    dedup_on: Names | None = Field(
        None,
        title="Fields that must not repeat",
        description="Each alone makes a duplicate; default: what asks, by the kind of data.",
    )
    decontaminate: Names = Field(
        (),
        title="Evaluation sets",
        description="Files whose items no record may repeat; JSON or JSON Lines, any address.",
    )
    index_storage: str | None = Field(
        None,
        title="Near-duplicate index in Redis",
        description="For several workers: redis://host:port/db. A password comes from DATASYNTH_REDIS_PASSWORD.",
    )
    semantic_threshold: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None, title="Semantic duplicates: cosine from", description="Off unless given; needs an embedding model."
    )
    embedding_model: str | None = Field(
        None,
        title="Embedding model",
        description="Of an OpenAI-compatible endpoint, or local:NAME for sentence-transformers.",
    )
    embedding_base_url: str | None = Field(
        None, title="Address of the embedding endpoint", description="Default: OpenAI's."
    )
    embedding_api_key_env: str | None = Field(
        None,
        title="Key variable of the embedding endpoint",
        description="Name of the environment variable that holds its key; default: OPENAI_API_KEY.",
    )
    embedding_price: Annotated[float, Field(ge=0)] | None = Field(
        None,
        title="Embedding: USD per million tokens",
        description="Where the model's price is unknown or yours differs.",
    )

    store: str | None = Field(
        None,
        title="Store",
        description="Where data sets live: a folder, an s3:// address, or block:NAME for a DatasetStore block.",
    )
    run_id: str | None = Field(None, title="Run", description="Its id; default: a new one. The same id resumes.")
    resume: bool = Field(
        False, title="Resume", description="Go on with the latest run of this recipe and these settings, if any."
    )
    output: str | None = Field(
        None,
        title="Output file",
        description="Where the records go, beside the store; default: into the analysis' folder.",
    )
    output_format: OutputFormat = Field("json", title="Form of the output file", description="json or jsonl.")
    language: Literal["en", "zh"] = Field(
        "en", title="Language of the report", description="The records have the language of the seeds."
    )
    stats: bool = Field(False, title="Field statistics", description="Also write <output>.stats.json.")
    post_hook: str | None = Field(
        None,
        title="Command after success",
        description="Run where the worker is, without a shell; {analysis_dir}, {output_path}, {count} are filled in.",
    )
    simulation: dict[str, Any] = Field(
        default_factory=dict,
        title="Knobs of the simulated provider",
        description='For trials without a model, such as {"latency": 0.2}.',
    )

    @field_validator("index_storage")
    @classmethod
    def _no_password(cls, value: str | None) -> str | None:
        if value is not None and not REDIS_ADDRESS.fullmatch(value):
            # No ValidationError, for that shows the value.
            raise InputError(
                "index_storage is no address such as redis://localhost:6379/0. A password does not belong in it: set "
                "the environment variable DATASYNTH_REDIS_PASSWORD."
            )
        return value

    @model_validator(mode="after")
    def _one_source(self) -> "SynthesisSettings":
        if sum(map(bool, (self.analysis_dir, self.schema_file, self.record_schema))) != 1:
            raise ValueError("give exactly one of analysis_dir, schema_file and record_schema")
        return self

    @property
    def judging(self) -> bool:
        """Whether records are scored by a model."""
        named = (self.judge_model, self.judge_provider, self.judge_base_url, self.min_quality)
        return self.judges > 1 or any(value is not None for value in named)

    @property
    def pilot_calls(self) -> int:
        """Calls of the first round where it is a pilot, else 0: a person is asked with a preview of its records."""
        return self.pilot or (-(-PREVIEWED // self.batch_size) if self.approve_over is not None else 0)

    @property
    def fingerprint(self) -> str:
        """Digest of the settings that shape replies; limits, paths and counts may change between resumes."""
        return content_digest(self.model_dump(mode="json", include=set(SHAPING)))


SHAPING = (
    "provider",
    "model",
    "data_type",
    "temperature",
    "structured_output",
    "max_tokens_per_sample",
    "seed_sample_count",
    "diversity_factor",
    "attributes",
    "random_seed",
    "judge_model",
    "judge_provider",
    "judges",
    "min_quality",
    "validate_records",
    "skip_checks",
    "sensitive_words",
    "personal_data",
    "dedup_threshold",
    "dedup_on",
    "decontaminate",
    "semantic_threshold",
    "embedding_model",
)
"""Settings that change what a model answers or which answers are kept: with another value it is another run."""
