"""What a proportional run says of itself: its report for people, the table of its parts, and the event of its end."""

from collections.abc import Sequence

from datasynth.schemas.announcement import Announcement
from datasynth.schemas.messages import Language, Message, say
from datasynth.schemas.proportions import PartReport, ProportionalReport
from datasynth.tasks.report.announcements import report_written
from datasynth.tasks.report.cells import code, plain, table
from datasynth.tasks.report.summary import cost_sentence, dollars, duration, possible_sentences, simulated_warning


def explanation_of(parts: Sequence[PartReport], made: int, target: int) -> Message:
    """Why the run ended as it did."""
    if made >= target:
        return say("All {target} records were put together.", target=f"{target:,}")
    short = ", ".join(part.name for part in parts if part.fell_short)
    return say(
        "{made} of {target} records were put together, for these parts could not deliver: {parts}.",
        made=f"{made:,}",
        target=f"{target:,}",
        parts=short,
    )


def part_rows(parts: Sequence[PartReport], language: Language) -> tuple[list[str], list[list[str]]]:
    """Titles and cells of the table of parts, as plain texts."""
    titles = [say("Part"), say("From"), say("Asked"), say("Made"), say("Share"), say("Cost"), say("Shortfall")]
    total = sum(part.made for part in parts)
    rows = [
        [
            part.name,
            (say("existing records") if part.kind == "data" else say("synthesis")).text(language),
            f"{part.asked:,}",
            f"{part.made:,}",
            f"{part.made / total:.1%}" if total else "-",
            _cost(part, language),
            f"{part.missing:,}" if part.missing else "-",
        ]
        for part in parts
    ]
    return [title.text(language) for title in titles], rows


def _cost(part: PartReport, language: Language) -> str:
    if part.kind == "data":
        return "-"
    cost = part.spend.cost_usd
    return say("price unknown").text(language) if cost is None else dollars(cost)


def shortfall_sentences(parts: Sequence[PartReport]) -> list[Message]:
    """Of every part that lacks records, how many and why."""
    sentences = []
    for part in parts:
        if part.fell_short and part.why is not None:
            missing = part.asked - part.made - part.cut
            sentences.append(
                say("{part}: {missing} missing. {why}", part=part.name, missing=f"{missing:,}", why=part.why)
            )
        if part.cut:
            sentences.append(
                say(
                    "{part}: {cut} left out again, so that the proportions hold. They stay in {source}.",
                    part=part.name,
                    cut=f"{part.cut:,}",
                    source=part.source,
                )
            )
    return sentences


def duplicate_sentences(parts: Sequence[PartReport]) -> list[Message]:
    """Of every part some records of which repeat an earlier part's, how many."""
    return [
        say(
            "{part}: left out as repeats of records of earlier parts: {count}.",
            part=part.name,
            count=f"{part.duplicates:,}",
        )
        for part in parts
        if part.duplicates
    ]


def parts_markdown(parts: Sequence[PartReport], language: Language) -> str:
    """The table of the parts as Markdown; names, which people gave, are escaped."""
    titles, rows = part_rows(parts, language)
    cells = [[plain(cell) for cell in row] for row in rows]
    lines = table([plain(title) for title in titles], cells, numbers=[2, 3, 4, 5, 6])
    notes = (*duplicate_sentences(parts), *shortfall_sentences(parts))
    # A sentence holds names and addresses: whole, and escaped as one text.
    lines += [f"\n{plain(note.text(language), longest=2000)}" for note in notes]
    return "\n".join(lines) + "\n"


def render_proportions(report: ProportionalReport, language: Language) -> str:
    """The report for people, as Markdown."""
    lines = []
    if report.simulated:
        lines += [f"> **{plain(simulated_warning().text(language))}**", ""]
    title = say("{dataset}: report of run {run}", dataset=report.dataset, run=report.run_id)
    lines += [f"# {plain(title.text(language))}", ""]
    facts = (
        report.explanation,
        cost_sentence(report.spend),
        *possible_sentences(report.spend),
        say("Time: {duration} (the run's last process).", duration=duration(report.duration_seconds)),
        say("Started at {time} (UTC).", time=report.started_at),
    )
    lines += [f"- {plain(fact.text(language), longest=2000)}" for fact in facts]
    lines += ["", f"## {plain(say('Parts').text(language))}", "", parts_markdown(report.parts, language)]
    lines += [f"## {plain(say('Where').text(language))}", ""]
    places = ((part.name, part.source) for part in report.parts if part.source)
    rows = [
        [plain(name), code(place)] for name, place in ((say("data (Parquet)").text(language), report.data_url), *places)
    ]
    lines += table([plain(say("What").text(language)), plain(say("Where").text(language))], rows)
    return "\n".join(lines) + "\n"


def proportions_ended(report: ProportionalReport) -> Announcement:
    """The announcement of a proportional run that wrote its report: complete, or short of its count."""
    own = {
        "proportional": True,
        "parts": [
            {"name": part.name, "asked": part.asked, "made": part.made, "source": part.source} for part in report.parts
        ],
        "missing": 0,
        "stopped_by": report.verdict,
        "output": None,
    }
    return report_written(report, own)
