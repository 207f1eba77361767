"""The options of a run. Each stands for a field of `SynthesisSettings`, which alone has types, bounds, defaults."""

from collections.abc import Callable
from typing import Any

import click

from datasynth.cli.commands import Option
from datasynth.schemas.errors import InputError


class Setting(Option):
    """An option that stands for one settings field. Its value goes there as typed; the settings judge it."""

    def __init__(self, *names: str, field: str, value: Any = None, file_help: str | None = None, **kwargs: Any) -> None:
        """
        Args:
            names: As on the command line, short form first.
            field: The `SynthesisSettings` field.
            value: For a flag, what the field becomes.
            file_help: What the field means in a settings file, where that is not what the option means.
            kwargs: Of `Option`.
        """
        # The name of the field keeps `--format` and such from shadowing builtins, and cannot clash.
        super().__init__([*names, field], is_flag=True if value is not None else None, expose_value=False, **kwargs)
        self.field = field
        self.value = value
        self.file_help = file_help or self.help or ""
        self.callback = self._keep

    @property
    def long_name(self) -> str:
        return max(self.opts, key=len)

    def _keep(self, ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        if ctx.get_parameter_source(str(param.name)) == click.core.ParameterSource.COMMANDLINE:
            kept: dict[str, tuple[str, Any]] = ctx.meta.setdefault(GIVEN, {})
            kept[self.field] = (self.long_name, value if self.value is None else self.value)
        return value


class SimulationKnobs(Setting):
    """`--simulate KEY=VALUE`, as often as needed."""

    def _keep(self, ctx: click.Context, param: click.Parameter, value: Any) -> Any:
        return super()._keep(ctx, param, dict(map(_knob, value)))


def _knob(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError("--simulate: {text} is not KEY=VALUE. Write it like latency=0.2.", text=text)
    return name, value


GIVEN = "datasynth.given"


def given(ctx: click.Context) -> dict[str, tuple[str, Any]]:
    """The settings given on the command line: field to option name and value."""
    return ctx.meta.get(GIVEN, {})


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def settings_options(*options: Setting) -> Decorator:
    """Adds `options` to a command, in this order."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        params: list[click.Parameter] = function.__dict__.setdefault("__click_params__", [])
        # click reverses the list that decorators leave, for they are applied bottom up.
        params.extend(reversed(options))
        return function

    return add


def count(shown: str) -> Setting:
    return Setting("-n", "--count", field="target_count", metavar="N", shown=shown, help="Records wanted.")


def output(help: str) -> Setting:
    return Setting("-o", "--output", field="output", metavar="FILE", help=help)


def data_type() -> Setting:
    return Setting(
        "--data-type",
        field="data_type",
        metavar="TYPE",
        shown="auto",
        help="Kind of data: auto, instruction_response, preference, multi_turn or generic.",
    )


def model() -> Setting:
    return Setting("-m", "--model", field="model", metavar="NAME", help="Model; by default the provider's, if any.")


def provider() -> Setting:
    return Setting(
        "-p",
        "--provider",
        field="provider",
        metavar="NAME",
        shown="anthropic",
        help="anthropic, openai, deepseek, dashscope, qianfan, moonshot, zhipu, ollama, vllm, or simulated, "
        "which needs no key and asks no model.",
    )


def batch_size() -> Setting:
    return Setting("--batch-size", field="batch_size", metavar="N", shown="5", help="Records asked for in one call.")


def _model_options() -> tuple[Setting, ...]:
    return (
        model(),
        provider(),
        Setting("--base-url", field="base_url", metavar="URL", help="Address of an OpenAI-compatible endpoint."),
        Setting("--api-key-env", field="api_key_env", metavar="NAME", help="Environment variable that holds the key."),
        Setting(
            "-t", "--temperature", field="temperature", metavar="T", shown="0.8", help="Sampling temperature, 0 to 2."
        ),
        Setting(
            "--structured-output",
            field="structured_output",
            metavar="auto|on|off",
            shown="auto",
            help="Send the schema with each request, so that the endpoint holds the model to it.",
        ),
        SimulationKnobs(
            "--simulate",
            field="simulation",
            metavar="KEY=VALUE",
            multiple=True,
            help="A knob of the simulated provider, such as latency=0.2; may be repeated.",
        ),
    )


def _prompt_options() -> tuple[Setting, ...]:
    return (
        batch_size(),
        Setting(
            "--max-tokens-per-sample",
            field="max_tokens_per_sample",
            metavar="N",
            shown="2000",
            help="Output tokens allowed for one record.",
        ),
        Setting("--seed-samples", field="seed_sample_count", metavar="N", shown="3", help="Seeds shown in one prompt."),
        Setting(
            "--diversity",
            field="diversity_factor",
            metavar="D",
            shown="0.5",
            help="Distance from the seeds: 0 stays close, 1 goes far.",
        ),
        Setting(
            "--dedup-threshold",
            field="dedup_threshold",
            metavar="J",
            shown="0.7",
            help="Jaccard similarity from which two records are near-duplicates.",
        ),
        Setting("--seed", field="random_seed", metavar="N", shown="0", help="Seed of the run's random choices."),
        Setting(
            "--no-validate",
            field="validate_records",
            value=False,
            help="Skip validation and deduplication.",
            file_help="Validate and deduplicate.",
        ),
    )


def _call_options() -> tuple[Setting, ...]:
    return (
        Setting("--concurrency", field="concurrency", metavar="N", shown="16", help="Calls in flight, at most."),
        Setting("--max-retries", field="max_retries", metavar="N", shown="3", help="Retries of a failed call."),
        Setting(
            "--retry-delay",
            field="retry_delay",
            metavar="SECONDS",
            shown="2.0",
            help="Wait before the first retry; it grows from there.",
        ),
        Setting(
            "--request-timeout",
            field="request_timeout",
            metavar="SECONDS",
            shown="600.0",
            help="Time allowed for one call.",
        ),
        Setting("--rpm", field="requests_per_minute", metavar="N", help="Requests a minute, at most."),
        Setting("--tpm", field="tokens_per_minute", metavar="N", help="Tokens a minute, at most."),
        Setting(
            "--concurrency-limit",
            field="concurrency_limit",
            metavar="NAME",
            help="A Prefect global concurrency limit that every call takes a slot of.",
        ),
        Setting(
            "--batch-api",
            field="batch_api",
            value=True,
            help="Use the provider's batch endpoint: half the price, up to a day late.",
        ),
    )


def _limit_options() -> tuple[Setting, ...]:
    return (
        Setting("--max-cost", field="max_cost", metavar="USD", help="Stop before the run costs more."),
        Setting("--max-tokens", field="max_tokens", metavar="N", help="Stop at so many tokens, input and output."),
        Setting("--max-calls", field="max_calls", metavar="N", help="Stop at so many calls."),
        Setting("--max-minutes", field="max_minutes", metavar="MINUTES", help="Stop after so much time."),
        Setting(
            "--input-price",
            field="input_price",
            metavar="USD",
            help="Price of a million input tokens, where the model's is unknown or yours differs.",
        ),
        Setting("--output-price", field="output_price", metavar="USD", help="Price of a million output tokens."),
        Setting(
            "--pilot",
            field="pilot",
            metavar="CALLS",
            shown="0",
            help="Make so many calls first and correct the estimate from them.",
        ),
    )


def _result_options() -> tuple[Setting, ...]:
    return (
        Setting("--format", field="output_format", metavar="json|jsonl", shown="json", help="Form of the output file."),
        Setting("--stats", field="stats", value=True, help="Also write field statistics, as <output>.stats.json."),
        Setting(
            "--post-hook",
            field="post_hook",
            metavar="COMMAND",
            help="Command to run after success; {analysis_dir}, {output_path} and {count} are filled in. No shell.",
        ),
        Setting(
            "--resume",
            field="resume",
            value=True,
            help="Go on with the latest run of this recipe and these settings, or extend it to a larger count.",
        ),
        Setting("--run-id", field="run_id", metavar="ID", help="The run's id; the same id resumes."),
        Setting(
            "--store",
            field="store",
            metavar="URL",
            help="Where data sets live: a folder or an address such as s3://bucket/folder.",
        ),
        Setting("--dataset", field="dataset", metavar="NAME", help="The data set's name in the store."),
    )


def run_settings(*, output_help: str) -> tuple[Setting, ...]:
    """Every setting of a run that has an option, in the order of the help."""
    return (
        output(output_help),
        count("100"),
        *_model_options(),
        data_type(),
        *_prompt_options(),
        *_call_options(),
        *_limit_options(),
        *_result_options(),
    )


def run_options(*, output_help: str) -> Decorator:
    """Adds every option of a run."""
    return settings_options(*run_settings(output_help=output_help))
