"""The figures that every face of a run shows: the funnel, which must add up, and the headline."""

from dataclasses import dataclass

from datasynth.schemas.errors import RunError
from datasynth.schemas.messages import Message, say
from datasynth.schemas.report import Counts, Judging, RunReport, Spend


@dataclass(frozen=True)
class FunnelRow:
    """One line of the funnel, from asked to accepted."""

    label: Message
    records: int
    """As it enters the sum: what was lost is negative."""
    reason: str = ""
    """The `MissReason`, or `step.reason` of a rejection; empty for totals."""


def check_counts(counts: Counts, round_number: int | None = None) -> None:
    """Makes sure that the funnel adds up and that nothing in it is negative.

    `accepted` counts only records that came from replies; those taken over from an earlier output file are
    `RunReport.carried_over`.

    Raises:
        RunError: "counts do not add up", with the figures.
    """
    rejected, missing = sum(counts.rejected.values()), sum(counts.missing.values())
    figures = (counts.asked, counts.unasked, counts.accepted, *counts.rejected.values(), *counts.missing.values())
    if counts.asked + counts.unasked != counts.accepted + rejected + missing or min(figures) < 0:
        raise RunError(
            "The counts of {where} do not add up: {asked} asked + {unasked} unasked is not {accepted} accepted + "
            "{rejected} rejected + {missing} missing. The records are kept; please report this.",
            where=say("the run") if round_number is None else say("round {number}", number=round_number),
            asked=counts.asked,
            unasked=counts.unasked,
            accepted=counts.accepted,
            rejected=rejected,
            missing=missing,
        )


def funnel(counts: Counts) -> tuple[FunnelRow, ...]:
    """The funnel in order: asked, unasked, missing by reason, rejected by reason, accepted.

    The rows before the last sum to the last. Reasons come most frequent first, then by name.
    """
    rows = [FunnelRow(say("asked for"), counts.asked)]
    if counts.unasked:
        rows.append(FunnelRow(say("in replies, beyond what was asked for"), counts.unasked))
    rows += [FunnelRow(say("missing from replies"), -n, reason) for reason, n in _by_frequency(counts.missing)]
    rows += [FunnelRow(say("rejected"), -n, reason) for reason, n in _by_frequency(counts.rejected)]
    return (*rows, FunnelRow(say("accepted"), counts.accepted))


def _by_frequency(reasons: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(((r, n) for r, n in reasons.items() if n), key=lambda item: (-item[1], item[0]))


def headline(report: RunReport) -> tuple[Message, ...]:
    """What a person wants to know first, a sentence each: records, cost, possible extra cost, time."""
    total = report.total
    sentences = [
        say("{total} of {target} records made.", total=f"{total:,}", target=f"{report.target:,}")
        if total < report.target
        else say("All {target} records made.", target=f"{report.target:,}")
    ]
    if report.carried_over:
        sentences.append(
            say("{count} of them were taken over from an earlier output.", count=f"{report.carried_over:,}")
        )
    sentences.append(cost_sentence(report.spend))
    if report.judging.scored:
        sentences.append(judging_sentence(report.judging))
    if report.embedding.calls:
        sentences.append(embedding_sentence(report.embedding))
    sentences += possible_sentences(report.spend)
    sentences.append(say("Time: {duration} (the run's last process).", duration=duration(report.duration_seconds)))
    return tuple(sentences)


def simulated_warning() -> Message:
    """What stands first of all where no language model wrote the records."""
    return say(
        "Simulated: no language model wrote these records. The simulated model server made them, to try the "
        "machinery with; do not train on them."
    )


def forbidding_sentence(rule: str) -> Message:
    """That the source's guidelines hold a `rule` against what is being done."""
    return say(
        "The guidelines forbid data made by a model (“{rule}”). No prompt shows this rule: make sure that such "
        "data may be used.",
        rule=rule,
    )


def possible_sentences(spend: Spend) -> list[Message]:
    """What may have been billed beyond the cost; none where nothing may."""
    if spend.possible_usd <= 0:
        return []
    return [
        say(
            "Up to {cost} more is possible: calls of which nobody said what they cost may have been billed.",
            cost=dollars(spend.possible_usd),
        )
    ]


def cost_sentence(spend: Spend) -> Message:
    """What was paid, or that nobody can say."""
    tokens, calls = f"{spend.usage.total:,}", f"{spend.calls:,}"
    if spend.cost_usd is None:
        return say("Cost: unknown price ({tokens} tokens in {calls} calls).", tokens=tokens, calls=calls)
    cost = dollars(spend.cost_usd)
    return say("Cost: {cost} ({tokens} tokens in {calls} calls).", cost=cost, tokens=tokens, calls=calls)


def judging_sentence(judging: Judging) -> Message:
    """What the judge found, took and, where there were several, how far they were apart."""
    values = {
        "scored": f"{judging.scored:,}",
        "mean": f"{judging.mean_quality or 0:.2f}",
        "cost": say("price unknown") if judging.spend.cost_usd is None else dollars(judging.spend.cost_usd),
        "tokens": f"{judging.spend.usage.total:,}",
        "calls": f"{judging.spend.calls:,}",
    }
    if judging.mean_spread is None:
        return say(
            "Judged: {scored} records, mean quality {mean}; this took {cost} of the cost ({tokens} tokens in {calls} "
            "calls).",
            **values,
        )
    return say(
        "Judged: {scored} records, mean quality {mean}, judges {spread} apart on average; this took {cost} of the cost "
        "({tokens} tokens in {calls} calls).",
        **values,
        spread=f"{judging.mean_spread:.2f}",
    )


def embedding_sentence(embedding: Spend) -> Message:
    """What the vectors of records took."""
    return say(
        "Vectors: {cost} of the cost ({tokens} tokens in {calls} calls).",
        cost=say("price unknown") if embedding.cost_usd is None else dollars(embedding.cost_usd),
        tokens=f"{embedding.usage.total:,}",
        calls=f"{embedding.calls:,}",
    )


def unknown_meaning_sentence(count: int) -> Message:
    """That records of earlier runs were compared by their words alone."""
    return say(
        "{count} records of earlier runs have no vectors by this embedding model, for they were made without "
        "--semantic or with another model: what says the same as they in other words was not found.",
        count=f"{count:,}",
    )


def dollars(amount: float) -> str:
    """US dollars with at least the digits that tell small bills apart: `$0.001234`, `$0.1234`, `$5.00`, `$1,234.56`."""
    digits = 2 if amount >= 100 else 4 if amount >= 0.01 else 6
    if round(amount, digits) == round(amount, 2):
        digits = 2
    return f"${amount:,.{digits}f}"


def duration(seconds: float) -> Message:
    """A span of time as people say it."""
    if seconds < 10:
        return say("{seconds} s", seconds=f"{seconds:.1f}")
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return say("{seconds} s", seconds=rest)
    if minutes < 60:
        return say("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    return say("{hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)
