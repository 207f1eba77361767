"""What the reports for people say of the same facts, whether in Markdown or in HTML."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from datasynth.schemas.measures import DiversityReport, NicheMeasures, TextMeasures
from datasynth.schemas.messages import Message, say
from datasynth.schemas.recipe import DataKind
from datasynth.schemas.report import Counts, Estimate, RunReport
from datasynth.tasks.report.summary import dollars, forbidding_sentence, unknown_meaning_sentence

SEED_ROWS = 50
"""Left-out seeds that are listed; the rest are counted, and whole in report.json."""
DUPLICATES = ("dedup.exact_duplicate", "dedup.near_duplicate", "dedup.semantic")


def sum_sentence(counts: Counts) -> Message:
    """The funnel's sum, written out."""
    return say(
        "The sum: {asked} asked + {unasked} unasked - {missing} missing - {rejected} rejected = {accepted} accepted.",
        asked=f"{counts.asked:,}",
        unasked=f"{counts.unasked:,}",
        missing=f"{sum(counts.missing.values()):,}",
        rejected=f"{sum(counts.rejected.values()):,}",
        accepted=f"{counts.accepted:,}",
    )


def further_counts(report: RunReport) -> list[Message]:
    """What the funnel does not show: records taken out or taken over, values repaired."""
    sentences = []
    if report.removed:
        sentences.append(
            say(
                "{removed} records were taken out since they were made, for they repeat one of an earlier run.",
                removed=f"{report.removed:,}",
            )
        )
    if report.carried_over:
        sentences.append(
            say(
                "With {carried} records taken over from an earlier output, the data set holds {total}.",
                carried=f"{report.carried_over:,}",
                total=f"{report.total:,}",
            )
        )
    if report.counts.repairs:
        repairs = f"{report.counts.repairs:,}"
        sentences.append(say("Values changed without loss before validation: {count}.", count=repairs))
    if report.semantically_unknown:
        sentences.append(unknown_meaning_sentence(report.semantically_unknown))
    return sentences


def price(amount: float | None) -> Message | str:
    """An amount of money, or that it is unknown."""
    return say("unknown price") if amount is None else dollars(amount)


def difference(expected: float | None, actual: float | None) -> str:
    """How far the actual is off the expected, in per cent; empty where nobody can say."""
    return "" if not expected or actual is None else f"{(actual / expected - 1) * 100:+.1f} %"


@dataclass(frozen=True)
class Compared:
    """A line of the comparison of estimate and actual."""

    name: Message
    expected: Message | str
    actual: Message | str
    difference: str


def estimate_lines(report: RunReport) -> list[Compared]:
    """The estimate beside what was spent; none without an estimate."""
    estimate, spend = report.estimate, report.spend
    if estimate is None:
        return []
    pairs = (
        (say("calls"), estimate.calls, spend.calls),
        (say("input tokens"), estimate.input_tokens, spend.usage.total - spend.usage.output),
        (say("output tokens"), estimate.output_tokens, spend.usage.output),
    )
    lines = [Compared(name, f"{n:,}", f"{actual:,}", difference(n, actual)) for name, n, actual in pairs]
    off = difference(estimate.cost_usd, spend.cost_usd)
    return [*lines, Compared(say("cost"), price(estimate.cost_usd), price(spend.cost_usd), off)]


def basis(estimate: Estimate) -> Message:
    """What an estimate was made from."""
    if estimate.basis == "pilot":
        return say("The estimate was made from the replies of the pilot round.")
    return say("The estimate was made from the prompts, before the first call.")


def thousand_sentences(report: RunReport) -> list[Message]:
    """What a thousand accepted records cost; none where nobody can say, or nothing was paid."""
    cost, accepted = report.spend.cost_usd, report.counts.accepted
    if not cost or not accepted:
        return []
    return [say("A thousand accepted records cost {cost}.", cost=dollars(cost / accepted * 1000))]


def troubles(report: RunReport) -> list[Message]:
    """What the endpoint said, for each round in which something went wrong."""
    return [
        say("In round {number} the endpoint said: {trouble}", number=outcome.round, trouble=outcome.trouble)
        for outcome in report.rounds
        if outcome.trouble
    ]


def seed_sentences(report: RunReport) -> list[Message]:
    """How many seeds were used, what was read otherwise in them, and rules that no prompt shows."""
    left_out = len({problem.seed for problem in report.seed_problems})
    counted = say("{used} seeds used, {left_out} left out.", used=f"{report.seeds_used:,}", left_out=f"{left_out:,}")
    return [counted, *report.seed_notes, *map(forbidding_sentence, report.guidelines_left_out)]


def kind_in_words(kind: DataKind) -> Message:
    kinds = {
        "instruction_response": say("instructions with responses"),
        "preference": say("preferences: a chosen and a rejected answer"),
        "multi_turn": say("conversations of several turns"),
        "generic": say("records of their own form"),
    }
    return kinds[kind]


def extent(figures: dict[str, Any]) -> Message | str:
    """From where to where the values of a field go; empty where there is nothing to say."""
    match figures.get("type"):
        case "text":
            low, high, mean = figures["min_length"], figures["max_length"], figures["avg_length"]
            return say("{low} to {high} characters, {mean} on average", low=low, high=high, mean=mean)
        case "numeric":
            low, high, mean = figures["min"], figures["max"], figures["avg"]
            return say("{low} to {high}, {mean} on average", low=low, high=high, mean=mean)
        case "list":
            low, high, mean = figures["min_items"], figures["max_items"], figures["avg_items"]
            return say("{low} to {high} items, {mean} on average", low=low, high=high, mean=mean)
        case _:
            return ""


def spread(figures: dict[str, Any]) -> str:
    """The distribution of a field's values, written out."""
    return ", ".join(f"{value}: {count:,}" for value, count in figures.get("distribution", {}).items())


def places(report: RunReport) -> list[tuple[Message, str]]:
    """Where the files of a run are."""
    found = (
        (say("data (Parquet)"), report.data_url),
        (say("run"), report.run_url),
        (say("output file"), report.output),
        (say("source"), report.source),
    )
    return [(name, place) for name, place in found if place]


def settings_of(report: RunReport) -> list[tuple[str, str]]:
    """The settings that differ from their defaults, and what identifies the run."""
    found: list[tuple[str, Any]] = [
        ("provider", report.provider),
        ("model", report.model),
        ("language", report.language),
        ("recipe_fingerprint", report.recipe_fingerprint),
        *((name, value) for name, value in report.settings.items() if name not in ("provider", "model")),
    ]
    return [(name, _value(value)) for name, value in found if value not in (None, {}, [], "")]


def _value(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


@dataclass(frozen=True)
class Measured:
    """A measure of the seeds, and of the output over as many records and over all."""

    name: Message
    better: Message
    seeds: str
    like_seeds: str
    output: str


def measure_lines(diversity: DiversityReport) -> list[Measured]:
    """The measures that say something of the seeds or of the output, a line each."""
    more, less = say("higher is more varied"), say("lower is more varied")
    lines = (
        (say("different words (distinct-1)"), more, "distinct_1", ".3f"),
        (say("different pairs of words (distinct-2)"), more, "distinct_2", ".3f"),
        (say("compression ratio"), less, "compression_ratio", ".2f"),
        (say("records that repeat eight words of another"), less, "self_repetition", ".1%"),
        (say("Self-BLEU"), less, "self_bleu", ".3f"),
        (say("similarity to the nearest record"), less, "self_similarity", ".3f"),
        (say("Vendi score: effective number of records"), more, "vendi", ",.1f"),
    )
    sets = (diversity.seeds, diversity.like_seeds, diversity.output)
    return [
        Measured(name, better, *(_figure(one, field, form) for one in sets))
        for name, better, field, form in lines
        if any(_figure(one, field, form) for one in sets)
    ]


def _figure(measures: TextMeasures | None, field: str, form: str) -> str:
    value = getattr(measures, field, None)
    return "" if value is None else format(value, form)


def measured_sentences(diversity: DiversityReport) -> list[Message]:
    """Over how many records the measures go, and why there are two columns for the output."""
    output, like = diversity.output, diversity.like_seeds
    sentences = []
    if output.sampled < output.records:
        sentences.append(
            say(
                "The measures of the output are taken from a fixed random sample of {sampled} records.",
                sampled=f"{output.sampled:,}",
            )
        )
    if like is not None:
        sentences.append(
            say(
                "Most measures change with the number of records by themselves. So compare the seeds with draws of "
                "{count} records, averaged.",
                count=f"{like.sampled:,}",
            )
        )
    return sentences


def niche_sentence(niches: NicheMeasures) -> Message:
    """How much of the space of attributes is filled, and how evenly."""
    facts = {"filled": f"{niches.filled:,}", "niches": f"{niches.niches:,}", "names": _attributes(niches.attributes)}
    if niches.entropy is None:
        return say("{filled} of {niches} niches are filled ({names}).", **facts)
    return say(
        "{filled} of {niches} niches are filled ({names}); evenness {evenness}, where 100 % means as many in each.",
        **facts,
        evenness=f"{niches.entropy * 100:.0f} %",
    )


def seed_niche_sentences(diversity: DiversityReport) -> list[Message]:
    """The same of the seeds, where it is known of them."""
    niches = diversity.seed_niches
    if niches is None:
        return []
    return [
        say(
            "The seeds fill {filled} of {niches} niches ({names}).",
            filled=f"{niches.filled:,}",
            niches=f"{niches.niches:,}",
            names=_attributes(niches.attributes),
        )
    ]


def _attributes(attributes: dict[str, int]) -> str:
    return " × ".join(f"{name} {values}" for name, values in attributes.items())


def effective_sentences(diversity: DiversityReport) -> list[Message]:
    """How many different records the output amounts to, for what price, and of what quality."""
    sentences = []
    if diversity.effective_records is not None:
        counted = f"{diversity.effective_records:,.0f}"
        if diversity.output.vendi is None:
            sentences.append(
                say("Effective records: {count}, each counted less its similarity to the nearest one.", count=counted)
            )
        else:
            sentences.append(say("Effective records: {count}, by the Vendi score.", count=counted))
    if diversity.effective_per_dollar is not None:
        per_dollar = f"{diversity.effective_per_dollar:,.0f}"
        sentences.append(say("Effective records per dollar: {count}.", count=per_dollar))
    if diversity.mean_quality is not None:
        sentences.append(
            say("Mean quality of the accepted records, by the judge: {score}.", score=f"{diversity.mean_quality:.2f}")
        )
    return sentences


def acceptance(counts: Counts) -> float | None:
    """Accepted records over all candidates that were judged; those beyond the count are left out of it."""
    surplus = sum(n for reason, n in counts.rejected.items() if reason.startswith("surplus."))
    candidates = counts.accepted + sum(counts.rejected.values()) - surplus
    return counts.accepted / candidates if candidates else None


def duplicates(counts: Counts) -> int:
    """Candidates that said what a seed or another record says; what an evaluation set holds is none of these."""
    return sum(n for reason, n in counts.rejected.items() if reason in DUPLICATES)


def near_duplicates(counts: Counts) -> float | None:
    """Duplicates over the candidates that were compared: how fast the model runs dry."""
    compared = counts.accepted + duplicates(counts)
    return duplicates(counts) / compared if compared else None


def shares_by_round(counts: Sequence[Counts]) -> tuple[list[float], list[float]]:
    """Acceptance and near-duplicates of each round that had candidates."""
    rated = [one for one in counts if acceptance(one) is not None]
    return [acceptance(one) or 0.0 for one in rated], [near_duplicates(one) or 0.0 for one in rated]
