"""The options of a run. Each stands for a field of `SynthesisSettings`, which alone has types, bounds, defaults."""

from datasynth.cli.judge_options import judge_options
from datasynth.cli.setting import (
    AttributeAxes,
    Decorator,
    Setting,
    SimulationKnobs,
    TemplateValues,
    settings_options,
)


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


def dedup_threshold() -> Setting:
    return Setting(
        "--dedup-threshold",
        field="dedup_threshold",
        metavar="J",
        shown="0.7",
        help="Jaccard similarity from which two records are near-duplicates.",
    )


def no_validate() -> Setting:
    return Setting(
        "--no-validate",
        field="validate_records",
        value=False,
        help="Skip validation and deduplication.",
        file_help="Validate and deduplicate.",
    )


def _model_options() -> tuple[Setting, ...]:
    return (
        model(),
        provider(),
        Setting(
            "--endpoint",
            field="endpoint",
            metavar="NAME",
            help="A ModelEndpoint block of the Prefect server, which brings provider, model, address, key, prices and "
            "limits.",
        ),
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
            help="Distance from the seeds: 0 stays close, 1 goes far; also how hard it is steered to what is rare.",
        ),
        AttributeAxes(
            "--attribute",
            field="attributes",
            metavar="NAME=VALUES",
            multiple=True,
            help="What to spread the records over, such as difficulty=easy,medium,hard or, for shares, easy:3,hard:1; "
            "may be repeated.",
        ),
        Setting(
            "--template",
            field="template",
            metavar="NAME",
            help="An InstructionTemplate block of the Prefect server, in place of the source's guidelines.",
        ),
        TemplateValues(
            "--template-value",
            field="template_values",
            metavar="NAME=TEXT",
            multiple=True,
            help="What stands in the template for a variable; may be repeated.",
        ),
        Setting("--seed", field="random_seed", metavar="N", shown="0", help="Seed of the run's random choices."),
    )


def _duplicate_options() -> tuple[Setting, ...]:
    return (
        dedup_threshold(),
        Setting(
            "--dedup-on",
            field="dedup_on",
            metavar="FIELD",
            multiple=True,
            help="A field that alone makes a duplicate, in place of those that ask; may be repeated.",
        ),
        decontaminate(),
        Setting(
            "--semantic",
            field="semantic_threshold",
            metavar="COSINE",
            help="Leave out records that say in other words what one before them said: cosine of their vectors from "
            "this on. Needs --embedding-model.",
        ),
        Setting(
            "--embedding-model",
            field="embedding_model",
            metavar="NAME",
            help="Model for the vectors: of an OpenAI-compatible endpoint, or local:NAME for sentence-transformers.",
        ),
        Setting(
            "--embedding-base-url",
            field="embedding_base_url",
            metavar="URL",
            help="Address of the endpoint for the vectors; by default OpenAI's.",
        ),
        Setting(
            "--embedding-api-key-env",
            field="embedding_api_key_env",
            metavar="NAME",
            help="Environment variable that holds the key of the endpoint for the vectors.",
        ),
        Setting(
            "--embedding-price",
            field="embedding_price",
            metavar="USD",
            help="Price of a million tokens of the embedding model, where unknown.",
        ),
    )


def decontaminate() -> Setting:
    return Setting(
        "--decontaminate",
        field="decontaminate",
        metavar="FILE",
        multiple=True,
        help="An evaluation set (JSON or JSON Lines, any address) whose items no record may repeat; may be repeated.",
    )


def content_options() -> tuple[Setting, ...]:
    """What is looked for in records that fit their schema."""
    return (
        Setting(
            "--skip-check",
            field="skip_checks",
            metavar="NAME",
            multiple=True,
            help="A content check to leave out: refusal, boilerplate, placeholder, prompt_leak, language, echo, "
            "repetition, preference, sensitive or personal_data; may be repeated.",
        ),
        Setting(
            "--sensitive-words",
            field="sensitive_words",
            metavar="FILE",
            multiple=True,
            help="Words that no record may hold, one a line; may be repeated, such as once a language.",
        ),
        Setting(
            "--personal-data",
            field="personal_data",
            value=True,
            help="Also reject records with e-mail addresses, phone, card or ID numbers; needs the extra pii.",
            file_help="Reject records with e-mail addresses, phone, card or ID numbers; needs the extra pii.",
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
        Setting(
            "--approve-over",
            field="approve_over",
            metavar="USD",
            help="Make a pilot, and go on only where its estimate is no higher; a deployed run asks a person then.",
        ),
        Setting(
            "--approval-hours",
            field="approval_hours",
            metavar="HOURS",
            shown="24.0",
            help="How long a deployed run waits for the person's yes.",
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
            help="Where data sets live: a folder, an address such as s3://bucket/folder, or block:NAME for a "
            "DatasetStore block of the Prefect server.",
        ),
        Setting("--dataset", field="dataset", metavar="NAME", help="The data set's name in the store."),
        Setting(
            "--index-storage",
            field="index_storage",
            metavar="URL",
            help="A Redis that holds the near-duplicate index, for several workers: redis://host:port/db. Its password "
            "comes from DATASYNTH_REDIS_PASSWORD.",
        ),
    )


def run_settings(*, output_help: str) -> tuple[Setting, ...]:
    """Every setting of a run that has an option, in the order of the help."""
    return (
        output(output_help),
        count("100"),
        *_model_options(),
        data_type(),
        *listed(*_prompt_options(), group="What is asked"),
        *listed(no_validate(), *_duplicate_options(), *content_options(), group="What is kept"),
        *listed(*judge_options(), group="A judge of quality"),
        *listed(*_limit_options(), group="Limits and prices"),
        *listed(*_call_options(), group="How calls are made"),
        *listed(*_result_options(), group="Where it goes, and going on"),
    )


def listed(*options: Setting, group: str) -> tuple[Setting, ...]:
    """`options`, which the help lists under a heading."""
    for one in options:
        one.group = group
    return options


def run_options(*, output_help: str) -> Decorator:
    """Adds every option of a run."""
    return settings_options(*run_settings(output_help=output_help))
