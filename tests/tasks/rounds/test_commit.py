"""The end of a round: counts add up, and a repeat after a crash writes the same bytes."""

import io
import uuid
from collections.abc import Sequence
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasynth.schemas.calls import PlannedCall, Usage
from datasynth.schemas.errors import RunError
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.report import RoundOutcome, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.report.parts import read_part, read_records, record_ids
from datasynth.tasks.rounds.commit import Harvest, RoundCommitter, committer_of, forget_committer
from datasynth.tasks.rounds.runs import Run, open_run
from datasynth.tasks.storage.store import Store

SCHEMA = RecordSchema(fields=(Field(name="id"), Field(name="text"), Field(name="n", type="integer")))
SEED = {"text": "The seed that stands before all others in this very small recipe.", "n": 0}
RECIPE = Recipe(name="small", record_schema=SCHEMA, seeds=(SEED,))
DETECTION = Detection(kind="generic")
WORDS = ("river", "stone", "cloud", "anchor", "violin", "pepper", "window", "marble", "garden", "candle", "ladder")


def text_of(n: int) -> str:
    """A text unlike that of any other `n`."""
    return " ".join(f"{word}{(n * 31 + i * 7) % 997}" for i, word in enumerate(WORDS))


class FlakyStore(Store):
    """A store that a process dies in, at its n-th write."""

    writes_left = -1

    def at(self, path: str) -> "FlakyStore":
        below = FlakyStore(self.url(path))
        below.source = getattr(self, "source", self)  # type: ignore[attr-defined]
        return below

    def write(self, path: str, data: bytes) -> None:
        source: FlakyStore = getattr(self, "source", self)
        if source.writes_left == 0:
            raise KeyboardInterrupt
        source.writes_left -= 1
        super().write(path, data)


def with_(store: str, **values: Any) -> SynthesisSettings:
    return SynthesisSettings.model_validate(
        {"analysis_dir": "x", "store": store, "run_id": "r1", "provider": "simulated", "target_count": 1000} | values
    )


def new_run(**values: Any) -> tuple[Run, SynthesisSettings]:
    options = with_(f"memory://{uuid.uuid4().hex}", **values)
    return open_run(options, RECIPE), options


def harvest(rows: Sequence[dict[str, Any]], *, round: int = 1, asked: int = 4, **values: Any) -> Harvest:
    """A round of calls of `asked` records; `rows` fill them in order, a row with a reason was refused."""
    calls = tuple(PlannedCall(100 * round + n, asked, (0,), {"n": n}) for n in range(-(-len(rows) // asked) or 1))
    full = [
        {
            "call": 100 * round + i // asked,
            "position": i % asked,
            "record": orjson.dumps({"text": row["text"], "n": row.get("n", i)}).decode(),
            "reply": f"k{round}-{i // asked}",
            "repairs": row.get("repairs", 0),
            "reason": row.get("reason"),
            "field": "n" if row.get("reason") else None,
            "detail": None,
        }
        for i, row in enumerate(rows)
    ]
    judged = pl.DataFrame(
        full,
        schema={
            "call": pl.Int64, "position": pl.Int64, "record": pl.String, "reply": pl.String, "repairs": pl.Int64,
            "reason": pl.String, "field": pl.String, "detail": pl.String,
        },
    )  # fmt: skip
    keys = [f"k{round}-{n}" for n in range(len(calls))]
    replies = pl.DataFrame(
        {"reply": keys, "model": ["m"] * len(keys), "simulated": [True] * len(keys)},
        schema={"reply": pl.String, "model": pl.String, "simulated": pl.Boolean},
    )
    lacking = {"short": asked * len(calls) - len(rows)} if asked * len(calls) > len(rows) else {}
    given_ = {"missing": lacking, "unasked": 0, "spend": Spend(calls=len(calls), usage=Usage(1, 1))}
    return Harvest(round=round, calls=calls, judged=judged, replies=replies, **(given_ | values))


def committer(run: Run, options: SynthesisSettings) -> RoundCommitter:
    return RoundCommitter(run, RECIPE, DETECTION, options)


def data(run: Run, number: int = 1) -> pl.DataFrame:
    return read_part(run.folder.read(f"data/part-{number:05d}.parquet"))


def rejected(run: Run, number: int = 1) -> list[dict[str, Any]]:
    return pl.read_parquet(io.BytesIO(run.folder.read(f"rejected/part-{number:05d}.parquet"))).to_dicts()


def everything(run: Run) -> dict[str, bytes]:
    """All that a run and its data set's index consist of, by path."""
    kinds = [(run.folder, kind) for kind in ("data", "rejected", "rounds")] + [(run.index, "")]
    return {
        f"{kind}/{name}": store.read(f"{kind}/{name}" if kind else name)
        for store, kind in kinds
        for name in store.names(kind)
    }


def test_new_records_are_stored_with_their_lineage_in_plan_order() -> None:
    run, options = new_run()
    committer(run, options).commit(harvest([{"text": text_of(n)} for n in range(6)]), before=7, target=1000)
    part = data(run)
    lineage = part["_lineage"].struct.unnest()
    assert part["id"].to_list() == lineage["id"].to_list() == [f"SYNTH_{n:04d}" for n in range(8, 14)]
    assert lineage["call"].to_list() == [100] * 4 + [101] * 2
    assert lineage["position"].to_list() == [0, 1, 2, 3, 0, 1]
    assert lineage["aim"].to_list()[4] == '{"n":1}'
    assert lineage["seeds"].to_list()[0] == [0]
    assert set(lineage["run"]) == {"r1"}
    assert [r["text"] for r in read_records(part, SCHEMA)] == [text_of(n) for n in range(6)]


def test_a_copy_of_a_seed_or_of_an_earlier_record_is_refused_with_what_it_is_like() -> None:
    run, options = new_run()
    rows = [SEED, {"text": text_of(1), "n": 1}, {"text": text_of(1), "n": 1}]
    committer(run, options).commit(harvest(rows), before=0, target=1000)
    refused = rejected(run)
    assert [(r["step"], r["reason"], r["position"]) for r in refused] == [
        ("dedup", "exact_duplicate", 0),
        ("dedup", "exact_duplicate", 2),
    ]
    assert refused[0]["detail"].endswith("like seed-1")
    assert refused[1]["detail"].endswith("like r1/100.1")


def test_a_record_of_an_earlier_round_is_not_made_again() -> None:
    run, options = new_run()
    made = committer(run, options)
    made.commit(harvest([{"text": text_of(1), "n": 1}]), before=0, target=1000)
    again = made.commit(harvest([{"text": text_of(1), "n": 1}], round=2), before=1, target=1000)
    assert again.counts.accepted == 0
    assert run.folder.names("data") == ["part-00001.parquet"]


def test_what_is_beyond_the_count_is_surplus_and_unknown_to_the_index() -> None:
    run, options = new_run()
    rows = [{"text": text_of(n)} for n in range(5)]
    made = committer(run, options)
    outcome = made.commit(harvest(rows), before=0, target=3)
    assert outcome.counts.accepted == 3
    assert outcome.counts.rejected == {"surplus.beyond_target": 2}
    again = made.commit(harvest(rows[3:], round=2), before=3, target=5)
    assert again.counts.accepted == 2


def test_the_place_of_a_duplicate_is_filled_by_the_next_record() -> None:
    run, options = new_run()
    rows = [{"text": text_of(1), "n": 1}, {"text": text_of(1), "n": 1}, {"text": text_of(2)}, {"text": text_of(3)}]
    outcome = committer(run, options).commit(harvest(rows), before=0, target=2)
    assert [r["text"] for r in read_records(data(run), SCHEMA)] == [text_of(1), text_of(2)]
    assert outcome.counts.rejected == {"dedup.exact_duplicate": 1, "surplus.beyond_target": 1}


def test_without_validation_everything_is_kept_as_it_is() -> None:
    run, options = new_run(validate_records=False)
    outcome = committer(run, options).commit(harvest([SEED, SEED]), before=0, target=1000)
    assert outcome.counts.accepted == 2
    assert run.index.names() == []


def test_a_value_that_no_column_holds_is_refused() -> None:
    run, options = new_run()
    outcome = committer(run, options).commit(harvest([{"text": text_of(1), "n": 2**63}]), before=0, target=1000)
    assert outcome.counts.rejected == {"validate.unstorable": 1}


def test_a_round_that_brought_nothing_is_a_finished_round() -> None:
    run, options = new_run()
    outcome = committer(run, options).commit(harvest([], missing={"timeout": 4}, limit="max_cost"), before=0, target=9)
    assert (outcome.counts.accepted, outcome.counts.missing, outcome.limit) == (0, {"timeout": 4}, "max_cost")
    assert run.outcomes() == (outcome,)
    assert (
        committer(run, options).commit(harvest([{"text": text_of(1)}], round=2), before=0, target=9).counts.accepted
        == 1
    )


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.integers(0, 5).map(text_of),
            "n": st.integers(0, 2),
            "reason": st.sampled_from([None, None, None, "enum", "type"]),
            "repairs": st.integers(0, 2),
        }
    ),
    max_size=14,
)


@settings(max_examples=30, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=3), st.integers(1, 12), st.booleans())
def test_whatever_comes_the_counts_add_up_and_the_count_is_never_passed(
    rounds: list[list[dict[str, Any]]], target: int, screened: bool
) -> None:
    run, options = new_run(validate_records=screened)
    made, before = committer(run, options), 0
    for number, rows in enumerate(rounds, 1):
        if before >= target:
            break
        outcome = made.commit(harvest(rows, round=number), before=before, target=target)
        counts = outcome.counts
        assert counts.asked + counts.unasked == (
            counts.accepted + sum(counts.rejected.values()) + sum(counts.missing.values())
        )
        assert counts.repairs == sum(row["repairs"] for row in rows)
        before += counts.accepted
        if counts.accepted:
            assert len(data(run, number)) == counts.accepted
        assert len(rejected(run, number) if counts.rejected else []) == sum(counts.rejected.values())
    assert before <= target
    ids = [id_ for part in run.parts("data") for id_ in record_ids(read_part(part))]
    assert ids == [f"SYNTH_{n + 1:04d}" for n in range(before)]


@settings(max_examples=15, deadline=None)
@given(st.lists(ROWS, min_size=2, max_size=4))
def test_an_index_loaded_again_decides_as_one_that_was_kept(rounds: list[list[dict[str, Any]]]) -> None:
    (kept_run, kept_options), (other_run, other_options) = new_run(), new_run()
    kept, totals = committer(kept_run, kept_options), [0, 0]
    for number, rows in enumerate(rounds, 1):
        results: list[RoundOutcome] = [
            kept.commit(harvest(rows, round=number), before=totals[0], target=1000),
            # A process of its own for each round.
            committer(other_run, other_options).commit(harvest(rows, round=number), before=totals[1], target=1000),
        ]
        assert results[0] == results[1]
        totals = [t + r.counts.accepted for t, r in zip(totals, results, strict=True)]
    assert everything(kept_run) == everything(other_run)


HARD = [
    {"text": text_of(1), "n": 1}, {"text": text_of(1), "n": 1}, {"text": text_of(2), "reason": "enum"},
    {"text": text_of(3)}, SEED, {"text": text_of(4)},
]  # fmt: skip


@pytest.mark.parametrize("writes", range(4))
@pytest.mark.parametrize("new_process", [False, True])
def test_a_commit_that_dies_at_any_of_its_writes_is_repeated_to_the_same_bytes(writes: int, new_process: bool) -> None:
    whole_run, whole_options = new_run()
    first = committer(whole_run, whole_options)
    first.commit(harvest(HARD), before=0, target=5)
    first.commit(harvest([*HARD, {"text": text_of(5)}, {"text": text_of(6)}], round=2), before=3, target=5)

    run, options = new_run()
    store = FlakyStore(run.root.url())
    flaky = Run(store, run.card)
    committer_of(flaky, RECIPE, DETECTION, options).commit(harvest(HARD), before=0, target=5)
    second = harvest([*HARD, {"text": text_of(5)}, {"text": text_of(6)}], round=2)
    store.writes_left = writes
    with pytest.raises(KeyboardInterrupt):
        committer_of(flaky, RECIPE, DETECTION, options).commit(second, before=3, target=5)
    assert len(flaky.outcomes()) == 1
    store.writes_left = -1
    if new_process:
        forget_committer(flaky)
    committer_of(flaky, RECIPE, DETECTION, options).commit(second, before=3, target=5)
    forget_committer(flaky)
    assert everything(flaky) == everything(whole_run)


def test_a_later_run_makes_nothing_that_an_earlier_one_made() -> None:
    run, options = new_run()
    committer(run, options).commit(harvest([{"text": text_of(1), "n": 1}]), before=0, target=1000)
    later_options = options.model_copy(update={"run_id": "r2"})
    later = open_run(later_options, RECIPE)
    outcome = committer(later, later_options).commit(
        harvest([{"text": text_of(1), "n": 1}, {"text": text_of(2)}]), before=0, target=1000
    )
    assert outcome.counts.rejected == {"dedup.exact_duplicate": 1}
    assert rejected(later)[0]["detail"].endswith("like r1/100.0")


def test_an_index_file_that_is_gone_is_named_for_a_run_that_needs_it() -> None:
    run, options = new_run()
    committer(run, options).commit(harvest([{"text": text_of(1), "n": 1}]), before=0, target=1000)
    later_options = options.model_copy(update={"run_id": "r2"})
    later = open_run(later_options, RECIPE)
    run.index.remove(later.card.earlier[0])
    with pytest.raises(RunError, match=r"r1-00001\.simulated\.npz say already, and that file is gone"):
        committer(later, later_options)
