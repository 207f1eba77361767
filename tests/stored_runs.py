"""Runs as they stand in a store, made without a model: for tests of whoever reads them."""

import time
from typing import Any

import polars as pl

from datasynth.schemas.messages import say
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.report import Counts, RoundOutcome, Spend
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.report.parts import record_parquet, rejected_parquet
from datasynth.tasks.rounds.commit import REJECTED
from datasynth.tasks.rounds.finish import finish_run
from datasynth.tasks.rounds.runs import Run, open_run

SCHEMA = RecordSchema(
    fields=(
        Field(name="instruction"),
        Field(name="response"),
        Field(name="tags", type="array", required=False),
        Field(name="score", type="integer", required=False),
    )
)
RECORDS: list[dict[str, Any]] = [
    {"instruction": "How do I boil an egg?", "response": "Eight minutes.", "tags": ["egg", {"hot": True}], "score": 3},
    {"instruction": "=1+1", "response": "- first\n- second"},
    {"instruction": "如何煮鸡蛋？", "response": "\x1b[31m八分钟", "tags": [], "score": -2},
]


def lineage_of(run_id: str, round: int, position: int) -> dict[str, Any]:
    return {
        "id": f"SYNTH_{round:02d}{position:02d}",
        "run": run_id,
        "round": round,
        "call": 0,
        "position": position,
        "reply": "key",
        "provider": "openai",
        "model": "m-1",
        "seeds": [0, 2],
        "aim": "{}",
        "simulated": False,
        "quality": 0.75,
    }


def settings_of(store: str, run_id: str, wanted: int, **changes: Any) -> SynthesisSettings:
    told = {"analysis_dir": "x", "store": store, "run_id": run_id, "target_count": wanted, "provider": "openai"}
    return SynthesisSettings.model_validate(told | changes)


def begin_run(
    store: str,
    run_id: str = "r1",
    *,
    schema: RecordSchema = SCHEMA,
    wanted: int = 3,
    name: str = "eggs",
    **changes: Any,
) -> Run:
    """A run with its card and, as `recipe.json`, what it is made from; no round has ended yet."""
    recipe = Recipe(name=name, record_schema=schema, schema_document={"fields": ["as its source wrote it"]})
    run = open_run(settings_of(store, run_id, wanted, **changes), recipe)
    run.folder.write("recipe.json", recipe.model_dump_json(exclude={"seeds", "guidelines"}).encode())
    return run


def add_round(
    run: Run,
    records: list[dict[str, Any]],
    *,
    number: int = 1,
    schema: RecordSchema = SCHEMA,
    rejected: list[dict[str, Any]] | None = None,
    cost: float | None = 0.5,
) -> None:
    """A finished round with its parts."""
    rows = [
        dict.fromkeys(REJECTED, None) | {"call": 0, "position": n, "reply": "k"} | r
        for n, r in enumerate(rejected or [])
    ]
    if records:
        lineage = [lineage_of(run.card.run_id, number, n) for n in range(len(records))]
        run.folder.write(f"data/part-{number:05d}.parquet", record_parquet(records, lineage, schema))
    if rows:
        run.folder.write(f"rejected/part-{number:05d}.parquet", rejected_parquet(pl.DataFrame(rows, schema=REJECTED)))
    reasons: dict[str, int] = {}
    for row in rows:
        reasons[f"{row['step']}.{row['reason']}"] = reasons.get(f"{row['step']}.{row['reason']}", 0) + 1
    counts = Counts(asked=len(records) + len(rows), accepted=len(records), rejected=reasons)
    run.finish_round(
        RoundOutcome(round=number, calls=1, counts=counts, spend=Spend(calls=1, cost_usd=cost), model="m-1")
    )


def end_run(run: Run, store: str, *, schema: RecordSchema = SCHEMA, **changes: Any) -> None:
    """The end of a run, with its reports; with its manifest where the count was met."""
    recipe = Recipe(name="eggs", record_schema=schema)
    settings = settings_of(store, run.card.run_id, run.card.target, **changes)
    finish_run(run, recipe, Detection(kind="generic"), settings, "dry", say("{v}", v="It ends."), time.monotonic())


def finished_run(store: str, run_id: str = "r1", **changes: Any) -> Run:
    """A finished run of `RECORDS`."""
    run = begin_run(store, run_id, **changes)
    add_round(run, RECORDS)
    end_run(run, store, **changes)
    return run
