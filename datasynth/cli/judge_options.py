"""The options of the judge."""

from datasynth.cli.setting import Setting


def judge_options() -> tuple[Setting, ...]:
    """Who scores records, how often, and what is left out."""
    return (
        Setting(
            "--judge-model",
            field="judge_model",
            metavar="NAME",
            help="Have a model score each record from 0 to 1; by default the one that wrote it, where any option of "
            "the judge is given.",
        ),
        Setting("--judge-provider", field="judge_provider", metavar="NAME", help="The judge's provider, if another."),
        *where_and_how_often(),
        Setting(
            "--min-quality",
            field="min_quality",
            metavar="Q",
            help="Leave out records that the judge scores below this, 0 to 1.",
        ),
        *judge_prices(),
    )


def where_and_how_often() -> tuple[Setting, ...]:
    """Where the judge is asked, and how many times for each record."""
    return (
        Setting("--judge-base-url", field="judge_base_url", metavar="URL", help="The judge's address, if another."),
        Setting(
            "--judge-api-key-env",
            field="judge_api_key_env",
            metavar="NAME",
            help="Environment variable that holds the judge's key, if another.",
        ),
        Setting(
            "--judges",
            field="judges",
            metavar="N",
            shown="1",
            help="Judgements of each record, 1 to 9; their median is its score.",
        ),
    )


def judge_prices() -> tuple[Setting, ...]:
    """What the judge costs, where nobody knows."""
    return (
        Setting(
            "--judge-input-price",
            field="judge_input_price",
            metavar="USD",
            help="Price of a million input tokens of the judge, where unknown.",
        ),
        Setting(
            "--judge-output-price",
            field="judge_output_price",
            metavar="USD",
            help="Price of a million output tokens of the judge.",
        ),
    )
