"""Between validation and commit: what is judged, and what a round's commit makes of the scores."""

import json
import re
import uuid
from typing import Any

import orjson
import polars as pl
import pytest
from test_commit import text_of

from datasynth.schemas.calls import CallResult, PlannedCall, Prompt, Reply, Usage
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.report import RoundOutcome, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.judge.waves import Scoring
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.report.parts import read_part
from datasynth.tasks.report.summary import check_counts
from datasynth.tasks.rounds.candidates import scored_candidates
from datasynth.tasks.rounds.commit import Harvest, RoundCommitter
from datasynth.tasks.rounds.job import Job
from datasynth.tasks.rounds.runs import open_run

SCHEMA = RecordSchema(fields=(Field(name="text"), Field(name="points", type="integer")))
DETECTION = Detection(kind="generic")
RECIPE = Recipe(name="small", record_schema=SCHEMA, seeds=({"text": text_of(500), "points": 5},))


class Round:
    """One round of a run whose judge gives each record the points that stand in it; 0: no score."""

    def __init__(self, rows: list[tuple[int, int] | None], *, target: int = 100, **values: Any) -> None:
        """`rows`: number of the text and points of each candidate; None: invalid."""
        options = {
            "analysis_dir": "x",
            "store": f"memory://{uuid.uuid4().hex}",
            "run_id": "r1",
            "provider": "simulated",
        }
        settings = SynthesisSettings.model_validate(options | {"target_count": target, "min_quality": 0.5} | values)
        run = open_run(settings, RECIPE)
        self.job = Job(settings, RECIPE, DETECTION, run.root.url(), run.card)
        self.committer = RoundCommitter(run, RECIPE, DETECTION, settings)
        self.judged = pl.DataFrame([_row(i, row) for i, row in enumerate(rows)], schema=JUDGED, orient="row")
        self.shown: list[int] = []
        self.budget = 10**9
        """Calls to the judge that a limit leaves."""

    def _ask(self, prompts: tuple[Prompt, ...]) -> list[tuple[CallResult, Reply | None]]:
        answers: list[tuple[CallResult, Reply | None]] = []
        for prompt in prompts:
            self.budget -= 1
            if self.budget < 0:
                answers.append((CallResult(prompt.call.index, None, "budget", "max_cost"), None))
                continue
            points = [int(n) for n in re.findall(r'"points": (\d+)', prompt.user)]
            self.shown += points
            scores = [{"n": n, "reason": "so it is", "score": p} for n, p in enumerate(points, 1)]
            answers.append((CallResult(prompt.call.index, "k"), Reply(json.dumps(scores), "end", Usage(), "m")))
        return answers

    def scored(self, before: int = 0) -> tuple[pl.DataFrame, Scoring]:
        return scored_candidates(self.job, self.committer, 1, self.judged, before, self._ask)

    def committed(self, before: int = 0) -> RoundOutcome:
        scores, scoring = self.scored(before)
        harvest = Harvest(
            round=1,
            calls=tuple(PlannedCall(n, 1) for n in range(len(self.judged))),
            judged=self.judged,
            replies=pl.DataFrame({"reply": ["k"], "model": ["m"], "simulated": [True]}),
            missing={},
            unasked=0,
            spend=Spend(calls=3),
            limit=scoring.limit,
            scores=scores,
            judging=Spend(calls=2),
        )
        outcome = self.committer.commit(harvest, before=before, target=self.job.card.target)
        check_counts(outcome.counts)
        return outcome

    def data(self) -> pl.DataFrame:
        return read_part(self.job.run.folder.read("data/part-00001.parquet"))

    def rejected(self) -> list[tuple[int, str, str, str | None]]:
        frame = read_part(self.job.run.folder.read("rejected/part-00001.parquet"))
        return [(r["call"], r["step"], r["reason"], r["detail"]) for r in frame.to_dicts()]


JUDGED = {
    "call": pl.Int64, "position": pl.Int64, "record": pl.String, "reply": pl.String, "repairs": pl.Int64,
    "reason": pl.String, "field": pl.String, "detail": pl.String,
}  # fmt: skip


def _row(index: int, row: tuple[int, int] | None) -> tuple[Any, ...]:
    number, points = row or (index, 5)
    record = orjson.dumps({"text": text_of(number), "points": points}).decode()
    return index, 0, record, "k", 0, None if row else "type", None, None


def test_records_below_the_least_quality_are_rejected_with_score_and_reason() -> None:
    round_ = Round([(1, 10), (2, 3), (3, 6), (4, 1)])
    outcome = round_.committed()
    assert outcome.counts.accepted == 2
    assert outcome.counts.rejected == {"judge.below_quality": 2}
    assert round_.rejected() == [
        (1, "judge", "below_quality", "0.22: so it is"),
        (3, "judge", "below_quality", "0.00: so it is"),
    ]
    assert round_.data()["_lineage"].struct.field("quality").to_list() == [1.0, 0.5556]


def test_the_ledger_tells_the_judges_share_and_what_it_found() -> None:
    judging = Round([(1, 10), (2, 1), (3, 1)]).committed().judging
    assert (judging.spend.calls, judging.scored, judging.unjudged, judging.mean_spread) == (2, 3, 0, None)
    assert judging.mean_quality == pytest.approx(1 / 3)


def test_nobody_pays_for_judging_what_is_invalid_or_a_duplicate() -> None:
    round_ = Round([(1, 10), None, (1, 9), (500, 8), (2, 7)])
    outcome = round_.committed()
    assert round_.shown == [10, 7]
    assert outcome.counts.accepted == 2
    assert [row[:3] for row in round_.rejected()] == [
        (1, "validate", "type"),
        (2, "dedup", "near_duplicate"),
        (3, "dedup", "near_duplicate"),
    ]


def test_what_repeats_a_refused_candidate_is_not_judged_again() -> None:
    round_ = Round([(1, 2), (1, 9)])
    assert round_.committed().counts.accepted == 0
    assert round_.shown == [2]
    assert round_.rejected()[1][:3] == (1, "dedup", "near_duplicate")
    assert "r1/0.0" in str(round_.rejected()[1][3])


def test_a_refused_candidate_does_not_stand_in_the_way_of_later_rounds() -> None:
    round_ = Round([(1, 2), (2, 9)])
    round_.committed()
    later = round_.committer.index.screen(
        [{"text": text_of(1), "points": 9}, {"text": text_of(2), "points": 9}], ["a", "b"]
    )
    assert [match is None for match in later] == [True, False]


def test_no_more_are_judged_than_are_wanted_and_the_rest_is_surplus() -> None:
    round_ = Round([(n, 10) for n in range(9)], target=13)
    outcome = round_.committed(before=10)
    assert len(round_.shown) == outcome.counts.accepted == 3
    assert outcome.counts.rejected == {"surplus.beyond_target": 6}


def test_others_are_judged_in_the_place_of_those_that_were_refused() -> None:
    round_ = Round([(n, 10 if n > 3 else 1) for n in range(9)], target=3)
    outcome = round_.committed()
    assert outcome.counts.accepted == 3
    assert round_.data()["points"].to_list() == [10, 10, 10]
    assert outcome.counts.rejected["judge.below_quality"] == 4


def test_what_could_not_be_judged_is_rejected_where_a_quality_is_asked_for() -> None:
    round_ = Round([(n, 10) for n in range(12)])
    round_.budget = 1
    outcome = round_.committed()
    assert (outcome.counts.accepted, outcome.counts.rejected) == (5, {"judge.unjudged": 7})
    assert (outcome.limit, outcome.judging.unjudged) == ("max_cost", 7)


def test_what_could_not_be_judged_is_kept_without_a_score_where_none_is_needed() -> None:
    round_ = Round([(n, 10) for n in range(7)], min_quality=None, judge_model="j")
    round_.budget = 1
    assert round_.committed().counts.accepted == 7
    assert round_.data()["_lineage"].struct.field("quality").to_list() == [1.0] * 5 + [None] * 2


def test_a_record_without_a_score_alone_is_rejected_as_unjudged() -> None:
    round_ = Round([(1, 10), (2, 0)])
    assert round_.committed().counts.rejected == {"judge.unjudged": 1}


def test_unvalidated_records_are_judged_too_and_repeats_with_them() -> None:
    round_ = Round([(1, 10), (1, 10), (2, 1)], validate_records=False)
    outcome = round_.committed()
    assert (outcome.counts.accepted, outcome.counts.rejected) == (2, {"judge.below_quality": 1})


def test_judging_twice_asks_and_decides_the_same() -> None:
    round_ = Round([(n % 7, n % 10 + 1) for n in range(20)])
    first, second = round_.scored()[0], round_.scored()[0]
    assert first.equals(second)
    half = len(round_.shown) // 2
    assert round_.shown[:half] == round_.shown[half:]


SAYS = "The heavy anchor of our old ship fell on the violin."
SAYS_SO_TOO = "On the violin fell the heavy anchor of our old ship, 1."


def test_nobody_pays_for_judging_what_says_in_other_words_what_is_known(endpoint: SimulatedServer) -> None:
    meaning = {"semantic_threshold": 0.75, "embedding_model": "sim", "dedup_threshold": 1.0}
    round_ = Round([(1, 10), (2, 9), (3, 8)], **meaning, embedding_base_url=f"{endpoint.url}/v1")
    records = [{"text": text, "points": points} for text, points in ((SAYS, 10), (SAYS_SO_TOO, 9), (text_of(3), 8))]
    told = pl.Series("record", [orjson.dumps(record).decode() for record in records])
    round_.judged = round_.judged.with_columns(told)
    outcome = round_.committed()
    assert round_.shown == [10, 8]
    assert (outcome.counts.accepted, outcome.counts.rejected) == (2, {"dedup.semantic": 1})
    call, step, reason, detail = round_.rejected()[0]
    assert (call, step, reason) == (1, "dedup", "semantic")
    assert str(detail).endswith("like r1/0.0")
    texts = [round_.committer.recipe.seeds[0]["text"], *(record["text"] for record in records)]
    assert outcome.embedding.usage.input == endpoint.stats()["tokens"]["input"]
    assert outcome.embedding.usage.input >= sum(len(text.encode()) // 4 for text in texts)


def test_what_a_limit_leaves_without_a_vector_is_neither_judged_nor_kept(endpoint: SimulatedServer) -> None:
    meaning = {"semantic_threshold": 0.85, "embedding_model": "sim", "max_tokens": 300}
    round_ = Round([(n, 10) for n in range(9)], **meaning, embedding_base_url=f"{endpoint.url}/v1")
    outcome = round_.committed()
    assert outcome.limit == "max_tokens"
    assert 0 < outcome.counts.accepted == len(round_.shown) < 9
    assert outcome.counts.rejected == {"dedup.uncompared": 9 - len(round_.shown)}
    assert endpoint.stats()["tokens"]["input"] <= 300
