"""The report for people, written from the facts of `report.json` alone."""

from datasynth.schemas.messages import Language, Message, say
from datasynth.schemas.report import RunReport
from datasynth.tasks.report import facts
from datasynth.tasks.report.cells import code, plain, table
from datasynth.tasks.report.reasons import reason_in_words
from datasynth.tasks.report.summary import check_counts, cost_sentence, funnel, headline, simulated_warning


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
        _diversity_section(report, language),
        _seeds_section(report, language),
        _kind_section(report, language),
        _fields_section(report, language),
        _places_section(report, language),
        _settings_section(report, language),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _word(message: Message | str, language: Language) -> str:
    return plain(message.text(language) if isinstance(message, Message) else message)


def _heading(title: Message, language: Language) -> list[str]:
    return [f"## {_word(title, language)}", ""]


def _head(report: RunReport, language: Language) -> list[str]:
    lines = []
    if report.simulated:
        lines += [f"> **{_word(simulated_warning(), language)}**", ""]
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
    for sentence in (facts.sum_sentence(counts), *facts.further_counts(report)):
        lines += [_word(sentence, language), ""]
    return lines[:-1]


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
    for sentence in facts.thousand_sentences(report):
        lines += ["", _word(sentence, language)]
    return lines


def _estimate_section(report: RunReport, language: Language) -> list[str]:
    if report.estimate is None:
        return []
    titles = (say("What"), say("Estimated"), say("Actual"), say("Difference"))
    rows = [
        [_word(line.name, language), _word(line.expected, language), _word(line.actual, language), line.difference]
        for line in facts.estimate_lines(report)
    ]
    lines = [*_heading(say("Estimate beside actual"), language)]
    lines += table([_word(title, language) for title in titles], rows, numbers=[1, 2, 3])
    return [*lines, "", _word(facts.basis(report.estimate), language)]


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
        rows.append([str(outcome.round), *(f"{n:,}" for n in figures), _word(facts.price(spend.cost_usd), language)])
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
    troubles = facts.troubles(report)
    return [*lines, "", *(f"- {_word(trouble, language)}" for trouble in troubles)] if troubles else lines


def _diversity_section(report: RunReport, language: Language) -> list[str]:
    diversity = report.diversity
    if diversity is None or not diversity.output.records:
        return []
    sentences = [*facts.effective_sentences(diversity), *facts.measured_sentences(diversity)]
    if diversity.niches is not None:
        sentences[:0] = [facts.niche_sentence(diversity.niches), *facts.seed_niche_sentences(diversity)]
    titles = (
        say("Measure"),
        say("Which is better"),
        say("Seeds"),
        say("Output, as many as the seeds"),
        say("Output, all"),
    )
    rows = [
        [_word(line.name, language), _word(line.better, language), line.seeds, line.like_seeds, line.output]
        for line in facts.measure_lines(diversity)
    ]
    lines = [*_heading(say("Quality and diversity"), language)]
    lines += [f"- {_word(sentence, language)}" for sentence in sentences]
    if rows:
        lines += ["", *table([_word(title, language) for title in titles], rows, numbers=[2, 3, 4])]
    return [*lines, "", _word(say("Distributions, samples and plots are in report.html."), language)]


def _seeds_section(report: RunReport, language: Language) -> list[str]:
    problems = report.seed_problems
    lines = _heading(say("Seeds"), language)
    for sentence in facts.seed_sentences(report):
        lines += [_word(sentence, language), ""]
    lines.pop()
    if not problems:
        return lines
    rows = [[code(p.seed), code(p.field), _word(p.reason, language)] for p in problems[: facts.SEED_ROWS]]
    header = [_word(say("Seed"), language), _word(say("Field"), language), _word(say("Why it was left out"), language)]
    lines += ["", *table(header, rows)]
    if len(problems) > facts.SEED_ROWS:
        more = say("{count} more are in report.json.", count=f"{len(problems) - facts.SEED_ROWS:,}")
        lines += ["", _word(more, language)]
    return lines


def _kind_section(report: RunReport, language: Language) -> list[str]:
    lines = _heading(say("Kind of data"), language)
    lines.append(f"{code(report.kind)} {_word(facts.kind_in_words(report.kind), language)}")
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
            _word(facts.extent(figures), language),
            plain(facts.spread(figures)),
        ]
        for name, figures in report.fields.items()
    ]
    titles = (say("Field"), say("Present"), say("Missing"), say("Type"), say("Extent"), say("Distribution"))
    header = [_word(title, language) for title in titles]
    return [*_heading(say("Fields"), language), *table(header, rows, numbers=[1, 2])]


def _places_section(report: RunReport, language: Language) -> list[str]:
    rows = [[_word(name, language), code(place)] for name, place in facts.places(report)]
    header = [_word(say("What"), language), _word(say("Where"), language)]
    return [*_heading(say("Where things are"), language), *table(header, rows)]


def _settings_section(report: RunReport, language: Language) -> list[str]:
    rows = [[code(name), code(value)] for name, value in facts.settings_of(report)]
    header = [_word(say("Setting"), language), _word(say("Value"), language)]
    return [*_heading(say("Settings"), language), *table(header, rows)]
