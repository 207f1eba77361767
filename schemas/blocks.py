"""What a person keeps by name on a Prefect server, for runs to name: the fields of blocks, without Prefect.

`datasynth.flows.blocks` makes block types of them, whose forms the Prefect UI shows.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from datasynth.schemas.form import PROVIDER_NAMES, form

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[int, Field(ge=1)]


class BlockFields(BaseModel):
    """What all of them share: no value is shown in an error, for it may be a secret."""

    model_config = ConfigDict(hide_input_in_errors=True, json_schema_extra=form())


class EndpointFields(BlockFields):
    """A model at an address, with its key, its prices and how hard it may be asked."""

    provider: str = Field(
        default="anthropic",
        title="Provider",
        description="Whose model it is. For any other OpenAI-compatible endpoint: openai, with a base URL.",
        json_schema_extra={"enum": list(PROVIDER_NAMES)},
    )
    model: str | None = Field(
        default=None,
        title="Model",
        description="Its name, as the provider writes it. Empty: the provider's default, if any.",
    )
    base_url: str | None = Field(
        default=None,
        title="Base URL",
        description="Address of the endpoint, where it is not the provider's own. Never with a password in it.",
        examples=["http://10.0.0.7:8000/v1"],
    )
    api_key: SecretStr | None = Field(
        default=None,
        title="Key",
        description="Kept encrypted by the Prefect server. Empty: the key comes from the worker's environment.",
    )
    input_price: Price | None = Field(
        default=None,
        title="USD per million input tokens",
        description="Where nobody lists the model's price, or yours is another. Only together with the next.",
    )
    output_price: Price | None = Field(
        default=None, title="USD per million output tokens", description="Only together with the one above."
    )
    concurrency: Positive | None = Field(
        default=None,
        title="Calls in flight, at most",
        description="Of one run. It starts here and adapts to the endpoint.",
    )
    requests_per_minute: Positive | None = Field(
        default=None,
        title="Requests a minute, at most",
        description="Of one run. Empty: the endpoint's own limits decide.",
    )
    tokens_per_minute: Positive | None = Field(
        default=None, title="Tokens a minute, at most", description="Of one run, input and output."
    )
    concurrency_limit: str | None = Field(
        default=None,
        title="Shared concurrency limit",
        description="Name of a Prefect global concurrency limit: all runs together keep to it.",
    )


class StoreFields(BlockFields):
    """Where data sets live, and how to get there."""

    address: str = Field(
        title="Address",
        description="A folder that all workers share, or an address such as s3://bucket/folder.",
        min_length=1,
    )
    key_id: str | None = Field(
        default=None,
        title="S3 access key ID",
        description="Empty: the keys come from the worker's environment, a profile or a role.",
    )
    secret: SecretStr | None = Field(
        default=None, title="S3 secret access key", description="Kept encrypted by the Prefect server."
    )
    endpoint_url: str | None = Field(
        default=None,
        title="S3 endpoint URL",
        description="For a store that is not Amazon's, such as MinIO.",
        examples=["http://minio:9000"],
    )
    region: str | None = Field(default=None, title="S3 region", description="Such as eu-central-1.")

    @property
    def options(self) -> dict[str, Any]:
        """What fsspec's S3 is opened with; empty where it finds everything itself. Holds the secret."""
        given = {
            "key": self.key_id,
            "secret": self.secret.get_secret_value() if self.secret else None,
            "endpoint_url": self.endpoint_url,
            "client_kwargs": {"region_name": self.region} if self.region else None,
        }
        return {name: value for name, value in given.items() if value}


class TemplateFields(BlockFields):
    """Instructions with places for values."""

    text: str = Field(
        title="Instructions",
        description="What the model is told of the records, in place of the analysis' guidelines. {{name}} stands for "
        "a value that each run gives.",
        min_length=1,
        examples=["Write as a {{role}} of a bank would. Never name a product."],
    )
