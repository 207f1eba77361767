"""The options of `datasynth evaluate`. Each stands for a field of `EvaluationSettings`."""

from datasynth.cli.judge_options import judge_prices, where_and_how_often
from datasynth.cli.options import content_options, data_type, decontaminate, listed
from datasynth.cli.setting import Setting


def evaluation_options() -> tuple[Setting, ...]:
    """Every setting of an evaluation that has an option, in the order of the help."""
    return (
        *_source_options(),
        *listed(data_type(), *content_options(), decontaminate(), *_duplicate_options(), group="What is looked for"),
        *listed(*_judge_options(), group="A judge of quality"),
        *listed(*_limit_options(), group="Limits and prices"),
        *listed(*_gate_options(), group="Gates: with any of them there is a verdict"),
    )


def _source_options() -> tuple[Setting, ...]:
    return (
        Setting(
            "--analysis",
            field="analysis_dir",
            metavar="DIR",
            help="The DataRecipe analysis that a file's records are held against; of a run, in place of its own.",
        ),
        Setting("--schema", field="schema_file", metavar="FILE", help="A schema in place of an analysis."),
        Setting("--seeds", field="seeds_file", metavar="FILE", help="Seeds that no record may repeat, with a schema."),
        Setting(
            "--store", field="store", metavar="URL", help="The store, where DATA is a run's id or a data set's name."
        ),
        Setting("--dataset", field="dataset", metavar="NAME", help="The data set of the run whose id is given."),
        Setting("--id", field="id", metavar="ID", help="The evaluation's id; the same id writes it anew."),
    )


def _duplicate_options() -> tuple[Setting, ...]:
    return (
        Setting(
            "--dedup-threshold",
            field="dedup_threshold",
            metavar="J",
            help="Jaccard similarity from which two records are near-duplicates; by default the run's, else 0.7.",
        ),
        Setting(
            "--dedup-on",
            field="dedup_on",
            metavar="FIELD",
            multiple=True,
            help="A field that alone makes a duplicate, in place of the one that asks; may be repeated.",
        ),
    )


def _judge_options() -> tuple[Setting, ...]:
    return (
        Setting(
            "--judge-provider",
            field="judge_provider",
            metavar="NAME",
            help="Have a model of this provider score records from 0 to 1; with any option of the judge anthropic is "
            "asked unless another is named. simulated needs no key and asks no model.",
        ),
        Setting(
            "--judge-model", field="judge_model", metavar="NAME", help="The judge; by default the provider's, if any."
        ),
        *where_and_how_often(),
        Setting(
            "--sample",
            field="sample",
            metavar="N",
            shown="200",
            help="Records that are judged, drawn from the valid ones, always the same; 0: all.",
        ),
    )


def _limit_options() -> tuple[Setting, ...]:
    return (
        Setting("--max-cost", field="max_cost", metavar="USD", help="Stop judging before it costs more."),
        Setting("--max-tokens", field="max_tokens", metavar="N", help="Stop at so many tokens, input and output."),
        Setting("--max-calls", field="max_calls", metavar="N", help="Stop at so many calls."),
        *judge_prices(),
        Setting("--concurrency", field="concurrency", metavar="N", shown="16", help="Calls in flight, at most."),
    )


def _gate_options() -> tuple[Setting, ...]:
    return (
        Setting("--min-valid", field="min_valid", metavar="SHARE", help="Least share of valid records, 0 to 1."),
        Setting("--min-quality", field="min_quality", metavar="Q", help="Least mean score by the judge, 0 to 1."),
        Setting(
            "--max-near-duplicates",
            field="max_near_duplicates",
            metavar="SHARE",
            help="Greatest share of records that repeat an earlier one, 0 to 1.",
        ),
    )
