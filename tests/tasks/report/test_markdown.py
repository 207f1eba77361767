"""The report for people, and the files it stands in."""

import json
from collections import Counter
from html.parser import HTMLParser
from importlib import resources

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from datasynth.schemas.calls import Usage
from datasynth.schemas.errors import RunError
from datasynth.schemas.messages import say
from datasynth.schemas.recipe import SeedProblem
from datasynth.schemas.report import Counts, RunReport, Spend
from datasynth.tasks.report.cells import code, plain
from datasynth.tasks.report.files import report_files
from datasynth.tasks.report.markdown import render_markdown

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
PUNCTUATED = st.text(alphabet=st.sampled_from("ab1 \n\t.-+=<>&|`*_[]()!#~$\\:/@{}'\""), min_size=1, max_size=30)


class Shape(HTMLParser):
    """Tags with their number, and the text between them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.text = ""
        self.feed(MARKDOWN.render(source))
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags[tag] += 1

    def handle_data(self, data: str) -> None:
        self.text += data


def text_of(source: str) -> str:
    return Shape(source).text.strip()


def test_the_first_line_says_when_no_language_model_wrote_the_records(make_report):
    first = render_markdown(make_report(simulated=True)).splitlines()[0]
    assert "no language model wrote these records" in first


def test_a_real_run_begins_with_its_title(make_report):
    assert render_markdown(make_report()).splitlines()[0] == "# support_zh: report of run 20260101-abc"


def test_the_funnels_sum_is_shown(make_report):
    text = text_of(render_markdown(make_report()))
    assert "120 asked + 3 unasked - 11 missing - 12 rejected = 100 accepted." in text


def test_reasons_are_said_in_words_beside_their_names(make_report):
    text = text_of(render_markdown(make_report()))
    assert "truncated the reply was cut off at its token limit" in text
    assert "validate.enum not one of the allowed values" in text


def test_every_section_is_there(make_report):
    rendered = render_markdown(make_report())
    headings = [line[3:] for line in rendered.splitlines() if line.startswith("## ")]
    assert headings == [
        "From asked to accepted",
        "Spent",
        "Estimate beside actual",
        "Rounds",
        "Seeds",
        "Kind of data",
        "Fields",
        "Where things are",
        "Settings",
    ]


def test_the_estimate_stands_beside_the_bill(make_report):
    text = " ".join(text_of(render_markdown(make_report())).split())
    assert "input tokens 80,000 81,000 +1.2 %" in text
    assert "cost $0.70 $0.7283 +4.0 %" in text


def test_an_unknown_price_has_no_difference(make_report):
    report = make_report(spend=Spend(calls=20, usage=Usage(1, 1), cost_usd=None))
    assert "| cost | $0.70 | unknown price |  |" in render_markdown(report)


def test_carried_over_records_are_told_apart(make_report):
    report = make_report(counts=Counts(asked=90, accepted=90), carried_over=10)
    assert "With 10 records taken over from an earlier output, the data set holds 100." in text_of(
        render_markdown(report)
    )


def test_a_run_without_anything_still_has_a_report(make_report):
    report = make_report(
        counts=Counts(), spend=Spend(), estimate=None, rounds=(), fields={}, settings={}, seed_problems=(), output=None
    )
    assert "0 of 100 records made." in text_of(render_markdown(report))


def test_seeds_beyond_the_list_are_counted(make_report):
    problems = tuple(SeedProblem(seed=f"#{n}", field="a", reason=say("no")) for n in range(60))
    assert "10 more are in report.json." in text_of(render_markdown(make_report(seed_problems=problems)))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PUNCTUATED.filter(str.strip))
@example("<script>alert(1)</script>")
@example("x | y\n\n# heading")
@example("![i](http://x/y.png) [l](javascript:alert(1)) <http://x> www.x.com")
@example("`code` ``| ``")
@example("\\| \\` \\<b>")
@example("1. one\n- two")
@example("&lt;b&gt; &#60;")
def test_text_of_others_never_becomes_structure(make_report, evil):
    def shape(text: str) -> Counter[str]:
        report = make_report(
            dataset=text,
            explanation=say("{x}", x=text),
            kind_reasons=(say("{x}", x=text),),
            model=text,
            source=text,
            seed_problems=(SeedProblem(seed=text, field=text, reason=say("{x}", x=text)),),
            fields={text: {"count": 1, "missing": 0, "type": "mixed"}},
            settings={"guidelines": text},
        )
        return Shape(render_markdown(report)).tags

    assert shape(evil) == shape("x")


@given(PUNCTUATED)
def test_escaped_text_reads_as_it_was(text):
    assert " ".join(text_of(plain(text)).split()) == " ".join(text.split())


@given(PUNCTUATED.filter(str.strip))
def test_a_code_cell_reads_as_it_was(text):
    shape = Shape(f"| a | b |\n|---|---|\n| {code(text)} | c |")
    assert shape.tags["td"] == 2
    assert " ".join(shape.text.split()) == " ".join(f"a b {text} c".split())


@pytest.mark.parametrize("text", ["http://x.com", "HTTPS://x.com", "www.x.com", "a@b.com", "mailto:a", "$a$"])
def test_no_bare_address_or_formula_is_left(text):
    assert plain(text) != text


@pytest.mark.parametrize("text", ["support_zh", "Cost: $0.70 (3 calls).", "8 to 41, 20.5 on average", "30 % #2 + {x}!"])
def test_ordinary_text_stays_readable(text):
    assert plain(text) == text


def test_marks_that_reorder_text_are_left_out():
    assert plain("a\u202eb\u2066c") == "abc"


def test_a_long_value_is_cut():
    assert len(code("x" * 10_000)) < 400


def test_the_json_reads_back_as_the_report(make_report):
    report = make_report()
    assert RunReport.model_validate_json(report_files(report)["report.json"]) == report


def test_the_json_is_sorted_and_the_same_every_time(make_report):
    first, second = report_files(make_report()), report_files(make_report())
    assert first == second
    facts = json.loads(first["report.json"])
    assert list(facts) == sorted(facts)


def test_a_report_whose_counts_do_not_add_up_is_not_written(make_report):
    with pytest.raises(RunError, match="do not add up"):
        report_files(make_report(counts=Counts(asked=1)))


def chinese() -> dict[str, str]:
    catalogue = resources.files("datasynth.schemas").joinpath("messages.zh.json")
    return json.loads(catalogue.read_text(encoding="utf-8")) if catalogue.is_file() else {}


@pytest.mark.skipif(not chinese(), reason="the Chinese catalogue is not there yet")
def test_a_chinese_report_is_chinese(make_report):
    text = text_of(render_markdown(make_report(simulated=True), "zh"))
    assert "没有语言模型" in text.splitlines()[0]
    assert "asked" not in text


def test_what_was_read_otherwise_in_the_seeds_is_told(make_report):
    report = make_report(seed_notes=(say("{field} is null", field="*input*"),))
    assert "*input* is null" in text_of(render_markdown(report))
