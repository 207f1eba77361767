"""The settings of a run: one Pydantic model, the flow's only parameter and its form in the Prefect UI."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from datasynth.schemas.errors import InputError
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

Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def attribute_shares(given: Any) -> Any:
    """Attributes as people write them, `{"difficulty": "easy:3, hard:1"}` or with a list, as value to share.

    A value without a share counts once. What is neither is left for the settings to refuse.
    """
    if not isinstance(given, dict):
        return given
    return {str(name).strip(): _shares(values) for name, values in given.items()}


def _shares(values: Any) -> Any:
    if isinstance(values, str):
        shares = {}
        for part in filter(None, map(str.strip, re.split("[,，、]", values))):
            # Only a number after the last colon is a share: "12:30 pm" is a value.
            found = re.fullmatch(r"(.+?)\s*[:：]\s*(\d+(?:\.\d+)?)", part)
            shares[found[1] if found else part] = float(found[2]) if found else 1.0
    else:
        shares = {str(value): 1.0 for value in values} if isinstance(values, list | tuple) else values
    if isinstance(shares, dict) and not sum(share for share in shares.values() if isinstance(share, int | float)) > 0:
        raise ValueError("an attribute needs values")
    return shares


Names = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]
"""One name is as good as a list of one."""
Checks = Annotated[
    tuple[ContentCheck, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
]

REDIS_ADDRESS = re.compile(
    r"(?P<scheme>rediss?)://((?P<user>[^:@/?#\s]+)@)?(?P<host>\[[0-9a-fA-F:.]+\]|[^:@/?#\[\]\s]+)"
    r"(:(?P<port>\d{1,5}))?(/(?P<db>\d{1,4})?)?"
)
"""Where a Redis is: with a user and a database, never with a password, which would stand in reports."""


class SynthesisSettings(BaseModel):
    """What to make, with which model, within which limits.

    The source is one of `analysis_dir`, `schema_file` (with `seeds_file`) or `record_schema` (with `seeds`). Keys are
    never a setting: they come from the environment variable that the provider's preset, or `api_key_env`, names.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    analysis_dir: str | None = Field(None, title="DataRecipe analysis", description="Folder or s3:// address.")
    schema_file: str | None = Field(None, title="Schema file", description="Instead of an analysis.")
    seeds_file: str | None = Field(None, title="Seeds file", description="JSON or JSON Lines; with a schema file.")
    record_schema: Annotated[dict[str, Any] | None, BeforeValidator(plain_document)] = Field(
        None, title="Schema", description="Inline, instead of a file; from Python also a Pydantic model class."
    )
    seeds: Annotated[list[dict[str, Any]] | None, BeforeValidator(plain_records)] = Field(
        None, title="Seeds", description="Inline, with an inline schema."
    )
    guidelines: str | None = Field(None, title="Guidelines", description="In place of the source's own.")
    target_count: Positive = Field(100, title="Records wanted")
    data_type: DataKindChoice = Field("auto", title="Kind of data")
    dataset: str | None = Field(None, title="Data set", description="Its name in the store; default: the recipe's.")

    provider: str = Field("anthropic", title="Provider")
    model: str | None = Field(None, title="Model", description="Default: the provider's, where it has one.")
    base_url: str | None = Field(None, title="Base URL", description="For an OpenAI-compatible endpoint.")
    api_key_env: str | None = Field(None, title="Key variable", description="Environment variable holding the key.")
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.8
    structured_output: StructuredOutput = "auto"
    batch_size: Positive = Field(5, title="Records asked for in a call")
    max_tokens_per_sample: Positive = Field(2000, title="Output tokens allowed for a record")
    seed_sample_count: Annotated[int, Field(ge=0)] = Field(3, title="Seeds shown in a prompt")
    diversity_factor: Annotated[float, Field(ge=0, le=1)] = Field(0.5, title="Distance from the seeds")
    attributes: Annotated[dict[str, dict[str, Share]], BeforeValidator(attribute_shares)] = Field(
        {}, title="Attributes to spread over", description="Values by name, with shares if wanted."
    )
    random_seed: int = 0

    concurrency: Positive = Field(16, title="Calls in flight, at most")
    max_retries: Annotated[int, Field(ge=0)] = Field(3, title="Retries of a call")
    retry_delay: Annotated[float, Field(ge=0)] = Field(2.0, title="First wait before a retry, seconds")
    request_timeout: Annotated[float, Field(gt=0)] = Field(600.0, title="Time allowed for a call, seconds")
    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    concurrency_limit: str | None = Field(None, description="A Prefect global concurrency limit each call takes.")

    max_cost: Annotated[float, Field(ge=0)] | None = Field(None, title="Budget, USD")
    max_tokens: Positive | None = Field(None, title="Tokens at most, input and output")
    max_calls: Positive | None = Field(None, title="Calls at most")
    max_minutes: Annotated[float, Field(gt=0)] | None = Field(None, title="Minutes at most")
    input_price: Annotated[float, Field(ge=0)] | None = Field(None, title="USD per million input tokens")
    output_price: Annotated[float, Field(ge=0)] | None = Field(None, title="USD per million output tokens")
    pilot: Annotated[int, Field(ge=0)] = Field(0, title="Calls in the pilot round")
    batch_api: bool = Field(False, title="Use the provider's batch endpoint", description="Half price, hours late.")

    judge_model: str | None = Field(
        None, title="Judge", description="Model that scores each record; default: the one that writes them."
    )
    judge_provider: str | None = Field(None, title="Judge's provider", description="Default: the same.")
    judge_base_url: str | None = Field(None, title="Judge's base URL")
    judge_api_key_env: str | None = Field(None, title="Judge's key variable")
    judge_input_price: Annotated[float, Field(ge=0)] | None = Field(None, title="Judge: USD per million input tokens")
    judge_output_price: Annotated[float, Field(ge=0)] | None = Field(None, title="Judge: USD per million output tokens")
    judges: Annotated[int, Field(ge=1, le=9)] = Field(
        1, title="Judgements of a record", description="Their median is its score."
    )
    min_quality: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, title="Least quality", description="0 to 1; records that the judge scores lower are left out."
    )

    validate_records: bool = Field(True, title="Validate and deduplicate")
    skip_checks: Checks = Field((), title="Content checks left out", description="By name; the others are made.")
    sensitive_words: Names = Field(
        (), title="Sensitive words", description="Files with a word a line, UTF-8; a record that holds one is rejected."
    )
    personal_data: bool = Field(
        False, title="Reject personal data", description="E-mail addresses, phone, card and ID numbers; extra pii."
    )
    dedup_threshold: Annotated[float, Field(gt=0, le=1)] = Field(0.7, title="Near-duplicates: Jaccard from")
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
    embedding_base_url: str | None = Field(None, title="Address of the embedding endpoint")
    embedding_api_key_env: str | None = Field(
        None, title="Key variable of the embedding endpoint", description="Default: OPENAI_API_KEY."
    )

    store: str | None = Field(None, title="Store", description="Where data sets live: a folder or s3:// address.")
    run_id: str | None = Field(None, title="Run", description="The same id resumes.")
    resume: bool = Field(False, title="Resume", description="Go on with the latest fitting run.")
    output: str | None = Field(None, title="Output file")
    output_format: OutputFormat = "json"
    language: Literal["en", "zh"] = Field("en", title="Language of the report")
    stats: bool = Field(False, title="Field statistics", description="Also write <output>.stats.json.")
    post_hook: str | None = Field(None, title="Command after success")
    simulation: dict[str, Any] = Field(default_factory=dict, title="Knobs of the simulated provider")

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
