"""The settings of a run: one Pydantic model, the flow's only parameter and its form in the Prefect UI."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from datasynth.schemas.record import content_digest

DataKindChoice = Literal["auto", "instruction_response", "preference", "multi_turn", "generic"]
OutputFormat = Literal["json", "jsonl"]
StructuredOutput = Literal["auto", "on", "off"]

Positive = Annotated[int, Field(ge=1)]


class SynthesisSettings(BaseModel):
    """What to make, with which model, within which limits.

    The source is one of `analysis_dir`, `schema_file` (with `seeds_file`) or `record_schema` (with `seeds`). Keys are
    never a setting: they come from the environment variable that the provider's preset, or `api_key_env`, names.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    analysis_dir: str | None = Field(None, title="DataRecipe analysis", description="Folder or s3:// address.")
    schema_file: str | None = Field(None, title="Schema file", description="Instead of an analysis.")
    seeds_file: str | None = Field(None, title="Seeds file", description="JSON or JSON Lines; with a schema file.")
    record_schema: dict[str, Any] | None = Field(None, title="Schema", description="Inline, instead of a file.")
    seeds: list[dict[str, Any]] | None = Field(None, title="Seeds", description="Inline, with an inline schema.")
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

    validate_records: bool = Field(True, title="Validate and deduplicate")
    dedup_threshold: Annotated[float, Field(gt=0, le=1)] = Field(0.7, title="Near-duplicates: Jaccard from")

    store: str | None = Field(None, title="Store", description="Where data sets live: a folder or s3:// address.")
    run_id: str | None = Field(None, title="Run", description="The same id resumes.")
    resume: bool = Field(False, title="Resume", description="Go on with the latest fitting run.")
    output: str | None = Field(None, title="Output file")
    output_format: OutputFormat = "json"
    language: Literal["en", "zh"] = Field("en", title="Language of the report")
    stats: bool = Field(False, title="Field statistics", description="Also write <output>.stats.json.")
    post_hook: str | None = Field(None, title="Command after success")
    simulation: dict[str, Any] = Field(default_factory=dict, title="Knobs of the simulated provider")

    @model_validator(mode="after")
    def _one_source(self) -> "SynthesisSettings":
        if sum(map(bool, (self.analysis_dir, self.schema_file, self.record_schema))) != 1:
            raise ValueError("give exactly one of analysis_dir, schema_file and record_schema")
        return self

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
    "random_seed",
    "validate_records",
    "dedup_threshold",
)
"""Settings that change what a model answers or which answers are kept: with another value it is another run."""
