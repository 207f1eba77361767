"""What a run shows of itself on a page that is not ours: nothing that a model wrote comes alive there."""

import re
from collections import Counter
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from datasynth.schemas.measures import Coverage, DiversityReport, NicheMeasures, TextMeasures
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.report import Counts, Spend
from datasynth.tasks.report.live import (
    count_rows,
    coverage_markdown,
    newest_records,
    places_markdown,
    progress_line,
    records_markdown,
    unlinked,
)
from datasynth.tasks.report.parts import record_parquet
from datasynth.tasks.storage.store import Store

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
MARKDOWN.validateLink = lambda url: True  # pictures of type SVG too, as Prefect's page takes them
LINK = re.compile(r"https?://|www(?=\.)|[-.\w+]+@[-\w]+\.[-\w]+", re.IGNORECASE)
"""What remark-gfm makes a link of, looking at text after escapes are gone (mdast-util-gfm-autolink-literal)."""
PIECES = [*"ab1 \n\t.-+=<>&|`*_[]()!#~$\\:/@{}'\"", "http://a.b", "www.a.b", "a@b.c", "<!--", "-->", "<br>", "```"]
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


class Page(HTMLParser):
    """The tags of a rendered text, and each text that stands between tags or comments."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.texts: list[str] = []
        self._in_code = False
        self.feed(MARKDOWN.render(markdown))
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags[tag] += 1
        self._in_code = tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self._in_code = False

    def handle_data(self, data: str) -> None:
        # In a code span no renderer looks for anything.
        if not self._in_code:
            self.texts.append(data)


@given(st.dictionaries(st.text(min_size=1, max_size=8) | HOSTILE, HOSTILE | st.lists(HOSTILE, max_size=3), max_size=3))
@example({"a|b": "http://evil.com www.evil.com me@evil.com <script>alert(1)</script>\n# x\n![x](http://y.z)\n`code`"})
@example({"<b>": "\\http://a.b \\\\www.a.b \\@ a\\@b.c `http://a.b`"})
@example({"```": "```mermaid\ngraph TD\n```\n<!-- --> --> <img src=x onerror=alert(1)>"})
@example({"x": "[a]: http://x.y\n\n[a]\n| a | b |\n|---|---|\n$$x$$ &lt; &#60;"})
def test_a_record_is_a_table_with_text_in_it_and_nothing_else(record: dict[str, Any]) -> None:
    page = Page(records_markdown([record], "en"))
    assert set(page.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code", "br"}
    assert page.tags["tr"] == 1 + len(record)
    assert not [text for text in page.texts if LINK.search(text)]


@given(HOSTILE)
def test_unlinking_changes_nothing_that_is_seen(text: str) -> None:
    record = records_markdown([{"a": text}], "en")
    assert "".join(Page(record).texts) == "".join(Page(record.replace("<!-- -->", "")).texts)


def test_a_code_span_is_left_as_it_is() -> None:
    assert unlinked(r"`a\@b` c\@d ``x`\@`` \`e\\.f\`") == r"`a\@b` c<!-- -->\@d ``x`\@`` \`e\\.f\`"


def test_the_funnel_with_its_costs_is_a_table_whose_costs_add_up(make_report) -> None:
    report = make_report()
    rows = count_rows(report.counts, report.spend, "en")
    assert all(row.keys() == rows[0].keys() for row in rows)
    assert rows[0]["Records"] == "cost"
    assert rows[0]["Cost, shared out"] == "$0.7283"
    assert rows[1] == {"Records": "asked for", "Reason": "", "Number": "120", "Cost, shared out": ""}
    assert rows[-1] == {"Records": "accepted", "Reason": "", "Number": "100", "Cost, shared out": "$0.6120"}
    shares = [Decimal(row["Cost, shared out"].strip("$") or "0") for row in rows[1:]]
    assert float(sum(shares)) == pytest.approx(0.7283, abs=0.001)
    assert [row["Cost, shared out"] for row in rows if "no answer in time" in row["Reason"]] == [""]


def test_of_an_unknown_price_no_share_is_made_up() -> None:
    rows = count_rows(Counts(asked=5, accepted=5), Spend(calls=1, cost_usd=None), "en")
    assert [row["Cost, shared out"] for row in rows] == ["unknown price", "", ""]


def test_progress_is_said_in_the_language_of_the_report() -> None:
    line = progress_line(480, 1000, 3, Spend(cost_usd=1.25), None)
    assert line.text("en") == "480 of 1,000 records, rounds so far: 3; cost $1.25, budget none."
    assert line.text("zh") == "已完成 3 轮，得到 480 / 1,000 条记录；费用 $1.25，预算 无。"


def test_the_newest_records_come_from_the_last_parts_alone(
    tmp_path: Path, unit_schema: RecordSchema, unit_records: list[dict[str, Any]], lineage
) -> None:
    folder = Store(str(tmp_path))
    for number, chosen in enumerate((unit_records[:6], unit_records[6:10], unit_records[10:]), 1):
        folder.write(f"data/{number}.parquet", record_parquet(chosen, lineage(len(chosen)), unit_schema))
    folder.write("data/1.parquet", b"never read")
    found = newest_records(folder, [f"data/{n}.parquet" for n in (1, 2, 3)], unit_schema, 5)
    assert [record["question"] for record in found] == [record["question"] for record in unit_records[7:]]


def test_simulated_records_are_said_to_be_so_before_the_first() -> None:
    first = records_markdown([{"a": 1}], "en", simulated=True).splitlines()[0]
    assert "no language model wrote these records" in first


def test_a_run_without_a_record_says_so() -> None:
    assert records_markdown([], "en") == "There is no record yet."


def test_only_addresses_that_a_browser_follows_are_links(make_report) -> None:
    shown = places_markdown(make_report(run_url="https://host/store/run/", data_url="s3://bucket/x y|z"), "en")
    assert "(https://host/store/run/report.html)" in shown
    assert r"`s3://bucket/x y\|z`" in shown
    assert "javascript" not in places_markdown(make_report(run_url="javascript:alert(1)"), "en").replace(
        "`javascript", ""
    )


def test_coverage_is_a_picture_that_needs_nothing_else(make_report) -> None:
    grid = Coverage(row_name="topic", column_name="</svg>", rows=("a", "<b>"), columns=("x",), counts=((3,), (0,)))
    niches = NicheMeasures(attributes={"topic": 2, "</svg>": 1}, niches=2, filled=1, grids=(grid,))
    measures = TextMeasures(records=3, sampled=3)
    diversity = DiversityReport(seeds=measures, output=measures, niches=niches)
    shown = coverage_markdown(make_report(diversity=diversity), "en")
    page = Page(shown)
    assert set(page.tags) == {"p", "img"}
    assert len(re.findall(r"data:image/svg\+xml;base64,[A-Za-z0-9+/=]+\)", shown)) == 1


def test_without_measures_there_is_no_picture(make_report) -> None:
    assert coverage_markdown(make_report(diversity=None), "en") == ""
