"""A run while it goes on, for a page that shows Markdown and tables and is not ours, such as the Prefect UI.

Text of models, seeds and users is shown, never interpreted, also by renderers that make a link of an address which was
escaped (remark-gfm) or let HTML through.
"""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from datasynth.schemas.measures import Coverage
from datasynth.schemas.messages import Language, Message, say
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.report import Counts, RunReport, Spend
from datasynth.tasks.report import charts, facts
from datasynth.tasks.report.cells import code, plain, table
from datasynth.tasks.report.markdown import render_markdown
from datasynth.tasks.report.parts import read_part, read_records
from datasynth.tasks.report.reasons import reason_in_words
from datasynth.tasks.report.records import laid_out
from datasynth.tasks.report.summary import cost_sentence, funnel, simulated_warning
from datasynth.tasks.rounds.sizing import NO_REPLY, answered
from datasynth.tasks.storage.store import Store

LINES = 12
"""Lines of one value that are shown."""

_CODE_OR_ESCAPE = re.compile(r"(?<![\\`])(`+)(?!`).*?(?<!`)\1(?!`)|\\(.)")
"""A code span, or an escape."""

COLOURS = "--muted:#5f6b76;--line:#dfe3e7;--accent:#2c6e91;--seed:#c9700f;color:#1b2126;background:#fff"
"""Of report.html by day: a picture has no page to take them from."""


def unlinked(markdown: str) -> str:
    """`markdown` for renderers that look for addresses after they have removed the escapes.

    An empty comment ends the text before an address is one. In a code span nothing is looked for, and it would be seen.
    """
    return _CODE_OR_ESCAPE.sub(
        lambda found: f"<!-- -->{found[0]}" if found[2] in ("@", ":", ".") else found[0], markdown
    )


def progress_line(total: int, target: int, rounds: int, spend: Spend, budget: float | None) -> Message:
    """How far a run is, in a sentence."""
    return say(
        "{total} of {target} records, rounds so far: {rounds}; cost {cost}, budget {budget}.",
        total=f"{total:,}",
        target=f"{target:,}",
        rounds=f"{rounds:,}",
        cost=facts.price(spend.cost_usd),
        budget=say("none") if budget is None else facts.price(budget),
    )


def count_rows(counts: Counts, spend: Spend, language: Language) -> list[dict[str, str]]:
    """The funnel and the money as the rows of a table, each with the same titles.

    The cost of a row is its share of the records that replies held or should have held.
    """
    what, why, number, cost = (
        title.text(language) for title in (say("Records"), say("Reason"), say("Number"), say("Cost, shared out"))
    )
    paid_for = answered(counts) + counts.unasked

    def share(records: int) -> str:
        known = spend.cost_usd is not None and paid_for > 0
        return _text(facts.price((spend.cost_usd or 0) * abs(records) / paid_for), language) if known else ""

    whole = _text(facts.price(spend.cost_usd), language)
    rows = [{what: say("cost").text(language), why: cost_sentence(spend).text(language), number: "", cost: whole}]
    steps = funnel(counts)
    for row in steps:
        words = reason_in_words(row.reason) if row.reason else None
        free = row.reason in NO_REPLY or (not row.reason and row is not steps[-1])
        rows.append(
            {
                what: row.label.text(language),
                why: f"{row.reason}: {words.text(language)}" if words else row.reason,
                number: f"{row.records:,}",
                cost: "" if free else share(row.records),
            }
        )
    return rows


def newest_records(folder: Store, parts: Sequence[str], schema: RecordSchema, most: int) -> list[dict[str, Any]]:
    """The last `most` records of a run, in order; no part is read that they do not need.

    Args:
        folder: The run's.
        parts: Paths of its data parts, in order.
        schema: That the parts are typed by.
        most: Records wanted.
    """
    found: list[dict[str, Any]] = []
    for path in reversed(parts):
        found = read_records(read_part(folder.read(path)).tail(most - len(found)), schema) + found
        if len(found) >= most:
            break
    return found


def records_markdown(records: Sequence[dict[str, Any]], language: Language, *, simulated: bool = False) -> str:
    """Records one below the other, a table each, with names and values escaped; first of all, if they are simulated."""
    if not records:
        return plain(say("There is no record yet.").text(language))
    header = [plain(title.text(language)) for title in (say("Field"), say("Value"))]
    tables = [f"> **{plain(simulated_warning().text(language))}**"] if simulated else []
    for record in records:
        # What JSON cannot write is shown as Python does; it is for eyes alone.
        rows = laid_out(json.dumps(record, ensure_ascii=False, default=str))
        tables.append("\n".join(table(header, [[code(row.name), _value(row.text)] for row in rows])))
    return unlinked("\n\n".join(tables)) + "\n"


def _value(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    shown = [plain(line, longest=len(line)) for line in lines[:LINES]]
    return "<br>".join([*shown, "…"] if len(lines) > LINES else shown)


def report_markdown(report: RunReport, language: Language) -> str:
    """The report for a page that is not ours."""
    return unlinked(render_markdown(report, language))


def places_markdown(report: RunReport, language: Language) -> str:
    """Where the files of a finished run are; what a browser can open is a link."""
    places = [(say("report"), f"{report.run_url.rstrip('/')}/report.html"), *facts.places(report)]
    header = [plain(title.text(language)) for title in (say("What"), say("Where"))]
    return "\n".join(table(header, [[plain(name.text(language)), _address(place)] for name, place in places])) + "\n"


def _address(place: str) -> str:
    """A link where a browser would follow it from a page; else the address, to be copied."""
    if re.fullmatch(r"https?://[A-Za-z0-9._~:/%-]+", place):
        return f"[{unlinked(plain(place, longest=len(place)))}]({place})"
    return code(place)


def coverage_markdown(report: RunReport, language: Language) -> str:
    """The heat maps of report.html as pictures that hold themselves; empty where nothing was measured.

    No script runs in a picture, whatever it is made of.
    """
    niches = report.diversity.niches if report.diversity else None
    if niches is None or not niches.grids:
        return ""
    filled = unlinked(plain(facts.niche_sentence(niches).text(language)))
    return "\n\n".join([filled, *_pictures(niches.grids, language)]) + "\n"


def _pictures(grids: Sequence[Coverage], language: Language) -> Iterator[str]:
    for grid in grids:
        svg = str(charts.coverage_svg(grid, say("other").text(language), ""))
        box = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', svg)
        size = f' width="{float(box[1]) * 2:.0f}" height="{float(box[2]) * 2:.0f}"' if box else ""
        start = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"{size} '
            f'style="{COLOURS}" font-family="sans-serif" '
        )
        whole = svg.replace("<svg ", start, 1)
        name = " × ".join(filter(None, (grid.row_name, grid.column_name)))
        yield unlinked(plain(name))
        yield f"![](data:image/svg+xml;base64,{base64.b64encode(whole.encode()).decode()})"


def _text(words: Message | str, language: Language) -> str:
    return words.text(language) if isinstance(words, Message) else words
