"""The report of an evaluation: whatever a record, a judge or a path says is shown and never interpreted."""

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from datasynth.schemas.evaluation import (
    Evaluation,
    Example,
    Gate,
    Judged,
    QualityOf,
    Reason,
    Repeats,
    Scored,
    Validity,
)
from datasynth.schemas.messages import Language, say
from datasynth.schemas.report import Spend
from datasynth.tasks.evaluate.announcement import evaluated
from datasynth.tasks.evaluate.markdown import evaluation_markdown, evaluation_page
from datasynth.tasks.evaluate.words import gate_sentence
from datasynth.tasks.report.live import unlinked

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")
HARMLESS = "a plain word"
PIECES = (
    "<script>alert(1)</script>", "<img src=x onerror=a>", "](javascript:a)", "[x](http://x)", "http://x.example/a",
    "www.x.example", "a@b.example", "| |", "`", "**", "# ", "\n\n---\n", "- ", "&lt;", "\\", "~~", "$", "\u202e",
    "<br>",
)  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
TAGS = re.compile(r"<(?!/?(h1|h2|p|strong|ul|li|table|thead|tbody|tr|th|td|code|br|blockquote)\b|!-- -->)[^>]*>")


def evaluation(text: str = HARMLESS) -> Evaluation:
    """An evaluation in which `text` stands wherever a model, a user or data may have written."""
    one = Example(record=text, field=text, detail=text)
    return Evaluation(
        id="e1",
        data=text,
        kind="file",
        name=text,
        verdict="failed",
        gates=(Gate(name="min_valid", wanted=0.9, found=0.5, met=False),),
        validity=Validity(records=2, fit=2, valid=1, reasons=(Reason(check="enum", records=1, examples=(one,)),)),
        repeats=Repeats(records=2, repeating=1, threshold=0.7, examples=(one,)),
        judged=Judged(
            provider=text,
            model=text,
            judges=1,
            sampled=1,
            scored=1,
            mean=0.5,
            spread=None,
            histogram=(0,) * 10,
            by_value=(QualityOf(attribute=text, value=text, records=1, mean=0.5),),
            lowest=(Scored(record=text, score=0.5, reason=text, content=text),),
            trouble=text,
            spend=Spend(calls=1, cost_usd=0.01),
        ),
        source=text,
        recipe_fingerprint="f",
        data_type="generic",
        notes=(say("Evaluated: {data}", data=text),),
        evaluated_at="2026-01-01T00:00:00+00:00",
        url="/x/evaluations/e1",
    )


def shape(markdown: str) -> list[str]:
    """The blocks and the number of cells: what a page would be laid out by."""
    return [token.type for token in MARKDOWN.parse(markdown) if token.type != "inline"]


@given(HOSTILE)
@example("".join(PIECES))
@example("| x |")
def test_no_text_changes_how_the_report_is_laid_out_or_becomes_a_tag_or_a_link(text: str) -> None:
    page = evaluation_page(evaluation(text))
    assert shape(page) == shape(evaluation_page(evaluation()))
    html = MARKDOWN.render(page)
    assert not TAGS.search(html)
    assert "href" not in html
    assert unlinked(evaluation_markdown(evaluation(text))) == page


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("name", "met", "found"),
    [*itertools.product(("min_valid", "min_quality", "max_near_duplicates"), (True, False), (0.5, None))],
)
def test_every_gate_is_said_in_both_languages(name: str, met: bool, found: float | None, language: Language) -> None:
    gate = Gate.model_validate({"name": name, "wanted": 0.25, "found": found, "met": met})
    said = gate_sentence(gate).text(language)
    assert said.startswith(("met" if met else "NOT met") if language == "en" else ("达到" if met else "未达到"))


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_gate_that_is_missed_by_little_does_not_look_met(found: float, wanted: float) -> None:
    said = gate_sentence(Gate(name="min_quality", wanted=wanted, found=found, met=found >= wanted)).text()
    shown = re.findall(r"\d\.\d+", said)
    assert abs(found - wanted) < 2e-6 or shown[0] != shown[1]


def test_the_event_says_the_verdict_and_where_the_facts_are_and_holds_no_record() -> None:
    told = evaluated(evaluation("a secret of a record").model_copy(update={"name": "eggs", "data": "/x"}))
    assert told.event == "datasynth.evaluation.failed"
    assert told.resource["prefect.resource.id"] == "datasynth.evaluation.eggs.e1"
    assert told.payload["evaluation_url"] == "/x/evaluations/e1/evaluation.json"
    assert (told.payload["verdict"], told.payload["records"], told.payload["cost_usd"]) == ("failed", 2, 0.0)
