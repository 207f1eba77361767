"""The report as one HTML page that needs nothing else, written from the facts of `report.json` alone.

Everything that a model, a seed or a user wrote is escaped, and the page's content security policy allows neither
scripts nor anything from elsewhere.
"""

import functools
from importlib import resources
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from datasynth.schemas.measures import Coverage, Distribution, DiversityReport
from datasynth.schemas.messages import Language, Message, say
from datasynth.schemas.report import Counts, RunReport
from datasynth.tasks.report import charts, facts
from datasynth.tasks.report.reasons import reason_in_words
from datasynth.tasks.report.records import laid_out, shortened, visible
from datasynth.tasks.report.summary import (
    check_counts,
    cost_sentence,
    dollars,
    duration,
    embedding_sentence,
    funnel,
    judging_sentence,
    possible_sentences,
    simulated_warning,
)

if TYPE_CHECKING:
    from jinja2 import Environment

WORDS = {
    "way": say("From asked to accepted, and what it took"),
    "funnel": say("From asked to accepted"),
    "estimate": say("Estimate beside actual"),
    "no_estimate": say("There was no estimate."),
    "rounds": say("Over the rounds"),
    "rounds_plot": say("Share of the candidates, by round"),
    "no_round": say("No round was finished."),
    "diversity": say("Quality and diversity"),
    "measure": say("Measure"),
    "seeds": say("Seeds"),
    "like_seeds": say("Output, as many as the seeds"),
    "output": say("Output, all"),
    "not_measured": say("There are no records to measure."),
    "coverage": say("Coverage: records by niche"),
    "distributions": say("Lengths and categories, beside the seeds"),
    "key_output": say("share of the output"),
    "key_seeds": say("share of the seeds"),
    "samples": say("Samples, each with its nearest seed"),
    "record": say("New record"),
    "nearest": say("Nearest seed"),
    "no_sample": say("No record was accepted."),
    "rejected": say("Rejected candidates"),
    "no_rejected": say("No candidate was rejected for what it is."),
    "origin": say("Where it comes from and where it is"),
    "seeds_title": say("Seeds"),
    "kind": say("Kind of data"),
    "places": say("Where things are"),
    "fields": say("Fields"),
    "settings": say("Settings"),
    "footer": say("Written by DataSynth. The same facts, for programs, are in report.json."),
}


def render_html(report: RunReport, language: Language = "en") -> str:
    """The run's report as a page of its own: no script, nothing loaded, light and dark.

    Raises:
        RunError: the counts do not add up.
    """
    check_counts(report.counts)
    page: dict[str, Any] = {"page_language": "zh-CN" if language == "zh" else "en", "words": WORDS, "css": _css()}
    for section in (_head, _funnel, _money, _rounds, _diversity, _samples, _origin):
        page |= section(report)
    page |= _plots(report, language)
    return _environment(language).get_template("page.html").render(page)


@functools.cache
def _environment(language: Language) -> "Environment":
    # Not needed by any other face of the program.
    from jinja2 import DictLoader, Environment, StrictUndefined  # noqa: PLC0415

    def shown(value: Any) -> Any:
        """What is put into the page: words in its language, and text that a page can hold. It is escaped after this."""
        if isinstance(value, Markup):
            return value
        if isinstance(value, Message):
            value = value.text(language)
        return visible(value) if isinstance(value, str) else value

    pages = DictLoader({"page.html": _own("page.html")})
    return Environment(
        loader=pages, autoescape=True, finalize=shown, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _own(name: str) -> str:
    return resources.files("datasynth.tasks.report").joinpath(name).read_text(encoding="utf-8")


def _css() -> Markup:
    return Markup(_own("page.css"))  # noqa: S704 (a file of ours)


def _head(report: RunReport) -> dict[str, Any]:
    started = say(
        "Run {run}, started at {time} (UTC). Model: {model}.",
        run=report.run_id,
        time=report.started_at.removesuffix("Z").removesuffix("+00:00").replace("T", " "),
        model=report.model if report.provider in report.model else f"{report.provider} {report.model}".strip(),
    )
    return {
        "title": say("{dataset}: report of run {run}", dataset=report.dataset, run=report.run_id),
        "simulated": simulated_warning() if report.simulated else "",
        "dataset": report.dataset,
        "run_line": started,
        "short": report.explanation if report.fell_short else "",
        "tiles": _tiles(report),
    }


def _tiles(report: RunReport) -> list[dict[str, Any]]:
    diversity, cost = report.diversity, report.spend.cost_usd
    accepted = facts.acceptance(report.counts)
    estimate = report.estimate.cost_usd if report.estimate else None
    tiles = [
        _tile(say("Records"), f"{report.total:,}", say("of {target} asked for", target=f"{report.target:,}")),
        _tile(
            say("Cost"),
            say("unknown") if cost is None else dollars(cost),
            say("estimated: {cost}", cost=facts.price(estimate)) if report.estimate else "",
        ),
    ]
    if diversity and diversity.effective_records is not None:
        count = f"{diversity.effective_records:,.0f}"
        if diversity.effective_per_dollar is not None:
            per_dollar = f"{diversity.effective_per_dollar:,.0f}"
            more = say("{count} effective records in all", count=count)
            tiles.append(_tile(say("Effective records per dollar"), per_dollar, more, key=True))
        else:
            by_vectors = diversity.output.vendi is not None
            more = say("by the Vendi score") if by_vectors else say("records less their likeness to one another")
            tiles.append(_tile(say("Effective records"), count, more, key=True))
    tiles.append(
        _tile(
            say("Acceptance"),
            "–" if accepted is None else f"{accepted:.1%}",
            say("of the candidates judged") if accepted is not None else say("no candidate was judged"),
        )
    )
    if diversity and diversity.mean_quality is not None:
        tiles.append(_tile(say("Mean quality"), f"{diversity.mean_quality:.2f}", say("by the judge, 0 to 1")))
    calls = say("{calls} calls", calls=f"{report.spend.calls:,}")
    return [*tiles, _tile(say("Time"), duration(report.duration_seconds), calls)]


def _tile(name: Message, figure: Message | str, more: Message | str, *, key: bool = False) -> dict[str, Any]:
    return {"name": name, "figure": figure, "more": more, "key": key}


def _funnel(report: RunReport) -> dict[str, Any]:
    rows = funnel(report.counts)
    most = max((abs(row.records) for row in rows), default=0) or 1
    shown = []
    for i, row in enumerate(rows):
        words = reason_in_words(row.reason) if row.reason else None
        last = i == len(rows) - 1
        shown.append(
            {
                "label": words or row.reason or row.label,
                "lost": row.label if row.reason else "",
                "figure": f"{row.records:,}" if i == 0 or last else f"{row.records:+,}".replace("-", "−"),
                "width": round(100 * abs(row.records) / most, 1),
                "look": "kept" if last else "lost" if row.records < 0 else "asked",
            }
        )
    return {"funnel": shown, "further": facts.further_counts(report)}


def _money(report: RunReport) -> dict[str, Any]:
    money = [cost_sentence(report.spend), *possible_sentences(report.spend), *facts.thousand_sentences(report)]
    if report.judging.scored:
        money.append(judging_sentence(report.judging))
    if report.embedding.calls:
        money.append(embedding_sentence(report.embedding))
    return {
        "estimate_titles": (say("What"), say("Estimated"), say("Actual"), say("Difference")),
        "estimate": [
            (line.name, line.expected, line.actual, line.difference.replace("-", "−"))
            for line in facts.estimate_lines(report)
        ],
        "basis": facts.basis(report.estimate) if report.estimate else "",
        "money": money,
    }


def _rounds(report: RunReport) -> dict[str, Any]:
    return {
        "round_titles": (
            say("Round"),
            say("Calls"),
            say("Asked"),
            say("Accepted"),
            say("Rejected"),
            say("Duplicates"),
            say("Missing"),
            say("Cost"),
        ),
        "rounds": [
            (
                outcome.round,
                f"{outcome.calls:,}",
                f"{outcome.counts.asked:,}",
                f"{outcome.counts.accepted:,}",
                f"{sum(outcome.counts.rejected.values()):,}",
                _duplicates(outcome.counts),
                f"{sum(outcome.counts.missing.values()):,}",
                facts.price(outcome.spend.cost_usd),
            )
            for outcome in report.rounds
        ],
        "troubles": facts.troubles(report),
    }


def _duplicates(counts: Counts) -> str:
    found = facts.duplicates(counts)
    share = facts.near_duplicates(counts)
    return f"{found:,}" if not found or share is None else f"{found:,} ({share:.1%})"


def _diversity(report: RunReport) -> dict[str, Any]:
    diversity = report.diversity
    if diversity is None or not diversity.output.records:
        return {"measures": [], "effective": [], "measured": [], "niche": "", "seed_niches": []}
    return {
        "measures": facts.measure_lines(diversity),
        "effective": facts.effective_sentences(diversity),
        "measured": facts.measured_sentences(diversity),
        "niche": facts.niche_sentence(diversity.niches) if diversity.niches else "",
        "seed_niches": facts.seed_niche_sentences(diversity),
    }


def _samples(report: RunReport) -> dict[str, Any]:
    samples = report.diversity.samples if report.diversity else ()
    rejected = report.diversity.rejected_samples if report.diversity else ()
    return {
        "samples": [
            {
                "name": sample.record_id,
                "round": say("round {number}", number=sample.round) if sample.round else "",
                "aim": ", ".join(f"{name}: {value}" for name, value in sample.aim.items()),
                "similarity": ""
                if sample.similarity is None
                else say("similarity {figure}", figure=f"{sample.similarity:.2f}"),
                # Its id stands above it.
                "record": [row for row in laid_out(sample.record) if row.text != sample.record_id],
                "seed": laid_out(sample.seed) if sample.seed is not None else [],
            }
            for sample in samples
        ],
        "rejected": [
            {
                "why": reason_in_words(f"{one.step}.{one.reason}") or one.reason,
                "reason": f"{one.step}.{one.reason}",
                "detail": shortened(one.detail),
                "record": shortened(one.record),
            }
            for one in rejected
        ],
    }


def _origin(report: RunReport) -> dict[str, Any]:
    problems = report.seed_problems
    more = len(problems) - facts.SEED_ROWS
    return {
        "seeds": facts.seed_sentences(report),
        "problem_titles": (say("Seed"), say("Field"), say("Why it was left out")),
        "problems": [(p.seed, p.field, p.reason) for p in problems[: facts.SEED_ROWS]],
        "more_problems": say("{count} more are in report.json.", count=f"{more:,}") if more > 0 else "",
        "kind": facts.kind_in_words(report.kind),
        "kind_reasons": report.kind_reasons,
        "place_titles": (say("What"), say("Where")),
        "places": facts.places(report),
        "field_titles": (
            say("Field"),
            say("Present"),
            say("Missing"),
            say("Type"),
            say("Extent"),
            say("Distribution"),
        ),
        "fields": [
            (
                name,
                f"{figures.get('count', 0):,}",
                f"{figures.get('missing', 0):,}",
                str(figures.get("type", "")),
                facts.extent(figures),
                facts.spread(figures),
            )
            for name, figures in report.fields.items()
        ],
        "settings": facts.settings_of(report),
    }


def _plots(report: RunReport, language: Language) -> dict[str, Any]:
    diversity = report.diversity or DiversityReport.model_construct(niches=None, distributions=())
    other = say("other").text(language)
    accepted, duplicates = facts.shares_by_round([outcome.counts for outcome in report.rounds])
    names = say("Accepted").text(language), say("Duplicates").text(language)
    distributions = diversity.distributions if report.total else ()
    return {
        "rounds_plot": charts.rounds_svg(accepted, duplicates, names, WORDS["rounds_plot"].text(language))
        if len(accepted) > 1
        else "",
        "grids": [_grid(grid, other) for grid in (diversity.niches.grids if diversity.niches else ())],
        "distributions": [_distribution(one, other) for one in distributions],
        "has_seeds": any(sum(one.seeds) for one in distributions),
    }


def _grid(grid: Coverage, other: str) -> dict[str, Any]:
    names = [grid.row_name, grid.column_name] if grid.column_name else [grid.row_name]
    name = " × ".join(reversed(names) if charts.turned_upright(grid) else names)
    return {"name": name, "plot": charts.coverage_svg(grid, other, visible(name))}


def _distribution(one: Distribution, other: str) -> dict[str, Any]:
    whats = {
        "category": "",
        "number": "",
        "length": say("length in characters"),
        "items": say("number of items"),
    }
    return {"name": one.name, "what": whats[one.what], "plot": charts.distribution_svg(one, other, visible(one.name))}
