"""The report for people, written from the facts of `report.json` alone."""

from typing import Any

import orjson

from datasynth.schemas.messages import Language, Message, say
from datasynth.schemas.report import Counts, Estimate, RunReport
from datasynth.tasks.report.cells import code, plain, table
from datasynth.tasks.report.reasons import reason_in_words
from datasynth.tasks.report.summary import check_counts, cost_sentence, dollars, funnel, headline

SEED_ROWS = 50
"""Left-out seeds that are listed; the rest are counted, and whole in report.json."""


def render_markdown(report: RunReport, language: Language = "en") -> str:
    """The run's report as GitHub-flavoured Markdown; text of models, seeds and users is escaped.

    The first line says so when no language model wrote the records.

    Raises:
        RunError: the counts do not add up.
    """
    check_counts(report.counts)
    sections = [
        _head(report, language),
        _funnel_section(report, language),
        _spend_section(report, language),
        _estimate_section(report, language),
        _rounds_section(report, language),
        _seeds_section(report, language),
        _kind_section(report, language),
        _fields_section(report, language),
        _places_section(report, language),
        _settings_section(report, language),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _word(message: Message, language: Language) -> str:
    return plain(message.text(language))


def _heading(title: Message, language: Language) -> list[str]:
    return [f"## {_word(title, language)}", ""]


def _head(report: RunReport, language: Language) -> list[str]:
    lines = []
    if report.simulated:
        warning = say(
            "Simulated: no language model wrote these records. The simulated model server made them, to try the "
            "machinery with; do not train on them."
        )
        lines += [f"> **{_word(warning, language)}**", ""]
    title = say("{dataset}: report of run {run}", dataset=report.dataset, run=report.run_id)
    started = say("Started at {time} (UTC).", time=report.started_at)
    return [
        *lines,
        f"# {_word(title, language)}",
        "",
        *(f"- {_word(sentence, language)}" for sentence in headline(report)),
        # The headline says it already where the count was met.
        *([f"- {_word(report.explanation, language)}"] if report.fell_short else []),
        f"- {_word(started, language)}",
    ]


def _funnel_section(report: RunReport, language: Language) -> list[str]:
    counts, rows = report.counts, []
    steps = funnel(counts)
    for row in steps[:-1]:
        words = reason_in_words(row.reason) if row.reason else None
        because = " ".join([code(row.reason)] * bool(row.reason) + ([_word(words, language)] if words else []))
        rows.append([_word(row.label, language), because, f"{row.records:+,}" if rows else f"{row.records:,}"])
    rows.append([f"**{_word(steps[-1].label, language)}**", "", f"**{counts.accepted:,}**"])
    header = [_word(say("Records"), language), _word(say("Reason"), language), _word(say("Number"), language)]
    lines = [*_heading(say("From asked to accepted"), language), *table(header, rows, numbers=[2]), ""]
    lines.append(_word(_sum_sentence(counts), language))
    if report.carried_over:
        carried = say(
            "With {carried} records taken over from an earlier output, the data set holds {total}.",
            carried=f"{report.carried_over:,}",
            total=f"{report.total:,}",
        )
        lines += ["", _word(carried, language)]
    if counts.repairs:
        repairs = say("Values changed without loss before validation: {count}.", count=f"{counts.repairs:,}")
        lines += ["", _word(repairs, language)]
    return lines


def _sum_sentence(counts: Counts) -> Message:
    return say(
        "The sum: {asked} asked + {unasked} unasked - {missing} missing - {rejected} rejected = {accepted} accepted.",
        asked=f"{counts.asked:,}",
        unasked=f"{counts.unasked:,}",
        missing=f"{sum(counts.missing.values()):,}",
        rejected=f"{sum(counts.rejected.values()):,}",
        accepted=f"{counts.accepted:,}",
    )


def _spend_section(report: RunReport, language: Language) -> list[str]:
    usage = report.spend.usage
    kinds = [
        (say("input"), usage.input),
        (say("input read from the provider's cache"), usage.cache_read),
        (say("input written to the provider's cache"), usage.cache_write),
        (say("output"), usage.output),
    ]
    rows = [[_word(name, language), f"{tokens:,}"] for name, tokens in kinds]
    rows.append([f"**{_word(say('all'), language)}**", f"**{usage.total:,}**"])
    header = [_word(say("Tokens"), language), _word(say("Number"), language)]
    lines = [*_heading(say("Spent"), language), *table(header, rows, numbers=[1]), ""]
    lines.append(_word(cost_sentence(report.spend), language))
    accepted = report.counts.accepted
    if report.spend.cost_usd and accepted:
        each = say("A thousand accepted records cost {cost}.", cost=dollars(report.spend.cost_usd / accepted * 1000))
        lines += ["", _word(each, language)]
    return lines


def _estimate_section(report: RunReport, language: Language) -> list[str]:
    if report.estimate is None:
        return []
    estimate, spend = report.estimate, report.spend
    actual_input = spend.usage.total - spend.usage.output
    rows = [
        _compared(say("calls"), estimate.calls, spend.calls, language),
        _compared(say("input tokens"), estimate.input_tokens, actual_input, language),
        _compared(say("output tokens"), estimate.output_tokens, spend.usage.output, language),
        [
            _word(say("cost"), language),
            _price(estimate.cost_usd, language),
            _price(spend.cost_usd, language),
            _difference(estimate.cost_usd, spend.cost_usd),
        ],
    ]
    titles = (say("What"), say("Estimated"), say("Actual"), say("Difference"))
    lines = [*_heading(say("Estimate beside actual"), language)]
    lines += table([_word(title, language) for title in titles], rows, numbers=[1, 2, 3])
    return [*lines, "", _word(_basis(estimate), language)]


def _basis(estimate: Estimate) -> Message:
    if estimate.basis == "pilot":
        return say("The estimate was made from the replies of the pilot round.")
    return say("The estimate was made from the prompts, before the first call.")


def _compared(name: Message, expected: int, actual: int, language: Language) -> list[str]:
    return [_word(name, language), f"{expected:,}", f"{actual:,}", _difference(expected, actual)]


def _price(amount: float | None, language: Language) -> str:
    return _word(say("unknown price"), language) if amount is None else plain(dollars(amount))


def _difference(expected: float | None, actual: float | None) -> str:
    return "" if not expected or actual is None else f"{(actual / expected - 1) * 100:+.1f} %"


def _rounds_section(report: RunReport, language: Language) -> list[str]:
    if not report.rounds:
        return []
    rows = []
    for outcome in report.rounds:
        counts, spend = outcome.counts, outcome.spend
        figures = (
            outcome.calls,
            counts.asked,
            counts.accepted,
            sum(counts.rejected.values()),
            sum(counts.missing.values()),
            spend.usage.total,
        )
        rows.append([str(outcome.round), *(f"{n:,}" for n in figures), _price(spend.cost_usd, language)])
    titles = (
        say("Round"),
        say("Calls"),
        say("Asked"),
        say("Accepted"),
        say("Rejected"),
        say("Missing"),
        say("Tokens"),
        say("Cost"),
    )
    header = [_word(title, language) for title in titles]
    lines = [*_heading(say("Rounds"), language), *table(header, rows, numbers=range(len(titles)))]
    troubles = [
        say("In round {number} the endpoint said: {trouble}", number=outcome.round, trouble=outcome.trouble)
        for outcome in report.rounds
        if outcome.trouble
    ]
    return [*lines, "", *(f"- {_word(trouble, language)}" for trouble in troubles)] if troubles else lines


def _seeds_section(report: RunReport, language: Language) -> list[str]:
    problems = report.seed_problems
    left_out = len({problem.seed for problem in problems})
    counted = say("{used} seeds used, {left_out} left out.", used=f"{report.seeds_used:,}", left_out=f"{left_out:,}")
    lines = [*_heading(say("Seeds"), language), _word(counted, language), *_guidelines(report, language)]
    if not problems:
        return lines
    rows = [[code(p.seed), code(p.field), _word(p.reason, language)] for p in problems[:SEED_ROWS]]
    header = [_word(say("Seed"), language), _word(say("Field"), language), _word(say("Why it was left out"), language)]
    lines += ["", *table(header, rows)]
    if len(problems) > SEED_ROWS:
        more = say("{count} more are in report.json.", count=f"{len(problems) - SEED_ROWS:,}")
        lines += ["", _word(more, language)]
    return lines


def _guidelines(report: RunReport, language: Language) -> list[str]:
    return [
        line
        for rule in report.guidelines_left_out
        for line in (
            "",
            _word(
                say(
                    "The guidelines forbid data made by a model (“{rule}”). No prompt shows this rule: make sure that "
                    "such data may be used.",
                    rule=rule,
                ),
                language,
            ),
        )
    ]


def _kind_section(report: RunReport, language: Language) -> list[str]:
    kinds = {
        "instruction_response": say("instructions with responses"),
        "preference": say("preferences: a chosen and a rejected answer"),
        "multi_turn": say("conversations of several turns"),
        "generic": say("records of their own form"),
    }
    lines = _heading(say("Kind of data"), language)
    lines.append(f"{code(report.kind)} {_word(kinds[report.kind], language)}")
    reasons = [f"- {_word(reason, language)}" for reason in report.kind_reasons]
    return [*lines, "", *reasons] if reasons else lines


def _fields_section(report: RunReport, language: Language) -> list[str]:
    if not report.fields:
        return []
    rows = [
        [
            code(name),
            f"{figures.get('count', 0):,}",
            f"{figures.get('missing', 0):,}",
            plain(str(figures.get("type", ""))),
            _extent(figures, language),
            _distribution(figures.get("distribution", {})),
        ]
        for name, figures in report.fields.items()
    ]
    titles = (say("Field"), say("Present"), say("Missing"), say("Type"), say("Extent"), say("Distribution"))
    header = [_word(title, language) for title in titles]
    return [*_heading(say("Fields"), language), *table(header, rows, numbers=[1, 2])]


def _extent(figures: dict[str, Any], language: Language) -> str:
    match figures.get("type"):
        case "text":
            low, high, mean = figures["min_length"], figures["max_length"], figures["avg_length"]
            extent = say("{low} to {high} characters, {mean} on average", low=low, high=high, mean=mean)
        case "numeric":
            low, high, mean = figures["min"], figures["max"], figures["avg"]
            extent = say("{low} to {high}, {mean} on average", low=low, high=high, mean=mean)
        case "list":
            low, high, mean = figures["min_items"], figures["max_items"], figures["avg_items"]
            extent = say("{low} to {high} items, {mean} on average", low=low, high=high, mean=mean)
        case _:
            return ""
    return _word(extent, language)


def _distribution(distribution: dict[str, int]) -> str:
    return plain(", ".join(f"{value}: {count:,}" for value, count in distribution.items()))


def _places_section(report: RunReport, language: Language) -> list[str]:
    places = [
        (say("data (Parquet)"), report.data_url),
        (say("run"), report.run_url),
        (say("output file"), report.output),
        (say("source"), report.source),
    ]
    rows = [[_word(name, language), code(place)] for name, place in places if place]
    header = [_word(say("What"), language), _word(say("Where"), language)]
    return [*_heading(say("Where things are"), language), *table(header, rows)]


def _settings_section(report: RunReport, language: Language) -> list[str]:
    facts: list[tuple[str, Any]] = [
        ("provider", report.provider),
        ("model", report.model),
        ("language", report.language),
        ("recipe_fingerprint", report.recipe_fingerprint),
        *((name, value) for name, value in report.settings.items() if name not in ("provider", "model")),
    ]
    rows = [[code(name), code(_value(value))] for name, value in facts if value not in (None, {}, [], "")]
    header = [_word(say("Setting"), language), _word(say("Value"), language)]
    return [*_heading(say("Settings"), language), *table(header, rows)]


def _value(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
