"""The report as an HTML page."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from datasynth.schemas.measures import (
    Coverage,
    Distribution,
    DiversityReport,
    NicheMeasures,
    RejectedSample,
    Sample,
    TextMeasures,
)
from datasynth.schemas.messages import Message, catalogue, say
from datasynth.schemas.report import Counts, RoundOutcome, RunReport, Spend
from datasynth.tasks.report.page import WORDS, render_html
from datasynth.tasks.report.records import laid_out

VOID = {"meta", "br", "hr", "img", "link", "input"}
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "article", "footer"),
    *("h1", "h2", "h3", "p", "div", "span", "b", "i", "small", "code", "pre", "dl", "dt", "dd"),
    *("table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption"),
    *("svg", "g", "path", "text", "defs", "use", "clippath", "rect"),
}


class Balanced(HTMLParser):
    """Notes every element, and that each is closed in its turn."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Balanced:
    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def diversity_with(**changes: Any) -> DiversityReport:
    measures = TextMeasures(records=3, sampled=3, distinct_1=0.5, self_bleu=0.25, self_similarity=0.2)
    facts: dict[str, Any] = {
        "seeds": measures,
        "output": measures.model_copy(update={"records": 5_000, "sampled": 2_000}),
        "like_seeds": measures,
        "niches": NicheMeasures(
            attributes={"topic": 2, "level": 3},
            niches=6,
            filled=3,
            entropy=0.71,
            grids=(
                Coverage(
                    row_name="topic",
                    column_name="level",
                    rows=("税务", "visa", ""),
                    columns=("easy", "hard", "odd"),
                    counts=((2, 0, 1), (0, 0, 2), (1, 1, 1)),
                ),
                Coverage(row_name="alone", column_name="", rows=("a", "b"), columns=("",), counts=((1,), (0,))),
            ),
        ),
        "distributions": (
            Distribution(
                name="topic", what="category", labels=("税务", "visa"), seeds=(1, 2), output=(50, 49), others=7
            ),
            Distribution(name="answer", what="length", labels=("0-9", "10+"), seeds=(3, 0), output=(50, 50)),
            Distribution(name="turns", what="items", labels=("2", "3"), seeds=(0, 0), output=(50, 50)),
        ),
        "samples": (
            Sample(
                record_id="SYNTH_0001",
                record=json.dumps({"question": "Why?", "turns": [{"role": "user", "content": "hi"}], "n": {"deep": 1}}),
                seed=json.dumps({"question": "Why not?"}),
                similarity=0.31,
                round=1,
                aim={"topic": "税务"},
            ),
        ),
        "rejected_samples": (
            RejectedSample(step="validate", reason="enum", detail="level is odd", record='{"level": "odd"}'),
        ),
        "effective_records": 4_000.0,
        "effective_per_dollar": 5_492.2,
        "mean_quality": 0.83,
    }
    return DiversityReport(**(facts | changes))


@pytest.fixture
def full(make_report):
    second = Counts(asked=10, accepted=8, rejected={"dedup.near_duplicate": 2})
    rounds = (
        RoundOutcome(round=1, calls=24, counts=make_report().counts, spend=Spend(calls=23)),
        RoundOutcome(round=2, calls=2, counts=second, spend=Spend(calls=2), trouble="1 x 500"),
    )
    return make_report(diversity=diversity_with(), rounds=rounds, simulated=True)


def text_of(page: str) -> str:
    return " ".join(" ".join(parsed(page).text).split())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_is_well_formed_and_holds_nothing_but_what_it_shows(full, language):
    page = parsed(render_html(full, language))
    assert {tag for tag, _ in page.seen} <= ALLOWED
    assert len([tag for tag, _ in page.seen if tag == "svg"]) == 6


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_is_loaded_and_no_script_runs(full, language):
    page = render_html(full, language)
    for tag, attributes in parsed(page).seen:
        assert not {name for name in attributes if name.startswith("on") or name in ("src", "srcset", "data")}
        for name in ("href", "xlink:href"):
            target = attributes.get(name) or "#"
            assert target.startswith("#"), (tag, attributes)
    assert not re.search(r"url\((?!#)", page)
    assert "@import" not in page
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_no_two_elements_have_the_same_id(full):
    ids = [attributes["id"] for _, attributes in parsed(render_html(full)).seen if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_headline_comes_first(full):
    words = text_of(render_html(full)).removeprefix("support_zh: report of run 20260101-abc")
    order = [
        "Simulated:",
        "Run 20260101-abc",
        "Records 100",
        "Cost $0.7283",
        "per dollar 5,492",
        "Acceptance",
        "From asked to accepted",
    ]
    places = [words.index(word) for word in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "words",
    [
        "the reply was cut off at its token limit",
        "+4.0 %",
        "3 of 6 niches are filled (topic 2 × level 3); evenness 71 %",
        "税务",
        "fixed random sample of 2,000 records",
        "draws of 3 records",
        "SYNTH_0001 · round 1 · topic: 税务",
        "similarity 0.31",
        "user: hi",
        "deep: 1",
        "Why not?",
        "level is odd",
        "SAMPLE_005",
        "In round 2 the endpoint said: 1 x 500",
        "2 (20.0%)",
        "/store/support_zh/runs/20260101-abc/data",
        "recipe_fingerprint",
        "0.83",
    ],
)
def test_a_page_says(full, words):
    assert words in text_of(render_html(full))


def test_a_chinese_page_is_in_chinese(full):
    page = render_html(full, "zh")
    assert 'lang="zh-CN"' in page
    words = text_of(page)
    for message in WORDS.values():
        chinese = catalogue("zh")[message.template]
        assert chinese in words or any(message is WORDS[name] for name in WORDS if name.startswith("no"))
    assert "Records" not in words


def test_the_same_report_gives_the_same_page(full):
    assert render_html(full) == render_html(full)


def emptied(report: RunReport, state: str) -> RunReport:
    nothing = TextMeasures(records=0, sampled=0)
    changes: dict[str, dict[str, Any]] = {
        "no diversity": {"diversity": None},
        "no seeds": {
            "seeds_used": 0,
            "diversity": diversity_with(
                seeds=nothing, like_seeds=None, samples=(Sample(record_id="S1", record='{"a": 1}'),)
            ),
        },
        "nothing accepted": {
            "counts": Counts(asked=5, missing={"empty": 5}),
            "rounds": (),
            "fields": {},
            "diversity": DiversityReport(seeds=nothing, output=nothing),
        },
        "unknown price": {
            "spend": Spend(calls=1, cost_usd=None),
            "estimate": None,
            "diversity": diversity_with(effective_per_dollar=None, mean_quality=None),
        },
        "one round": {"rounds": report.rounds[:1]},
        "nothing asked": {"counts": Counts(), "rounds": (), "target": 1},
        "empty niches": {
            "diversity": diversity_with(
                niches=NicheMeasures(
                    attributes={"a": 2},
                    niches=2,
                    filled=0,
                    grids=(
                        Coverage(row_name="a", column_name="", rows=("x", "y"), columns=("",), counts=((0,), (0,))),
                    ),
                )
            )
        },
    }
    return report.model_copy(update=changes[state])


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("no diversity", "There are no records to measure."),
        ("no seeds", "S1"),
        ("nothing accepted", "No record was accepted."),
        ("unknown price", "There was no estimate."),
        ("one round", "Over the rounds"),
        ("nothing asked", "No round was finished."),
        ("empty niches", "Coverage: records by niche"),
    ],
)
def test_what_is_not_there_leaves_no_gap(full, state, said, language):
    page = render_html(emptied(full, state), language)
    parsed(page)
    words = text_of(page)
    assert (catalogue(language).get(said) or said) in words
    assert not re.search(r"\b(None|nan|inf|Undefined)\b", words)


def test_a_run_that_fell_short_says_why(make_report):
    report = make_report(target=500, explanation=say("{v} was met.", v="The budget"))
    assert "The budget was met." in text_of(render_html(report))


def test_the_page_has_no_sentence_about_rounds_where_there_is_one(full):
    assert "Share of the candidates" not in render_html(emptied(full, "one round"))


HOSTILE = "</style></pre></svg><script>alert(1)</script>\"><img src=x onerror='alert(1)'>{{ 7*7 }}$\\frac$\x00\u202e"


def poisoned(value: Any, poison: str) -> Any:
    """The same value with every text in it, but for those of fixed choices, replaced or followed by `poison`."""
    if isinstance(value, Message):
        return Message("{poison}", {"poison": poison})
    if isinstance(value, BaseModel):
        fixed = {"stopped_by", "kind", "basis", "what", "limit", "step", "started_at"}
        return value.model_copy(update={name: poisoned(inner, poison) for name, inner in value if name not in fixed})
    if isinstance(value, str):
        return (
            json.dumps({poison: [poison, {"role": poison, "content": poison}]}) if value[:1] == "{" else poison + value
        )
    if isinstance(value, tuple | list):
        return type(value)(poisoned(inner, poison) for inner in value)
    if isinstance(value, dict):
        renamed = {} if "type" in value else {name: poison + name for name in value}
        return {renamed.get(name, name): poisoned(inner, poison) for name, inner in value.items() if name != "type"} | (
            {"type": value["type"]} if "type" in value else {}
        )
    return value


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts_of(inner)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_text_of_others_is_shown_and_never_interpreted(full, language):
    hostile = poisoned(full, HOSTILE)
    assert sum(HOSTILE in text for text in texts_of(hostile.model_dump(mode="json"))) > 40
    page = render_html(hostile, language)
    tags = parsed(page).seen
    assert {tag for tag, _ in tags} <= ALLOWED
    assert not [attributes for _, attributes in tags if any(name.startswith("on") for name in attributes)]
    assert [tag for tag, _ in tags].count("style") == 1
    assert "<script" not in page
    assert "{{ 7*7 }}" in text_of(page)
    assert not re.search("[\x00-\x08\u202e]", page)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    poison=st.text(alphabet=st.characters(exclude_categories=("Cs",)) | st.sampled_from("<>&\"'$\\{}%#;"), max_size=12)
)
def test_whatever_a_text_holds_the_page_stays_well_formed(full, poison):
    page = parsed(render_html(poisoned(full, poison)))
    assert {tag for tag, _ in page.seen} <= ALLOWED


def test_a_long_value_is_cut():
    [shown] = laid_out(json.dumps({"a": "x" * 5000}))
    assert len(shown.text) == 1500
    assert shown.text.endswith("…")


@pytest.mark.parametrize("text", ["[" * 100_000, "not JSON", '"text"', "[1, 2]", "null", ""])
def test_what_is_no_object_is_shown_as_it_is(text):
    [shown] = laid_out(text)
    assert shown.name == ""


def test_deep_values_are_shown_as_json():
    value: Any = "deep"
    for _ in range(50):
        value = {"a": value}
    [shown] = laid_out(json.dumps(value))
    assert '{"a": {"a":' in shown.text
