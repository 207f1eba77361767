"""`--resume` on an output file that this store has no run for: its records become part 0 of a new run.

The earlier tool resumed from its output file alone, and its users still have such files.
"""

from typing import Any

import orjson
import polars as pl

from datasynth.schemas.frames import Rejected
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.contamination import decontamination_of
from datasynth.tasks.dedup.index import index_for
from datasynth.tasks.report.parts import record_parquet, rejected_parquet
from datasynth.tasks.rounds.commit import REJECTED, contaminated_detail, refused, stored_schema
from datasynth.tasks.rounds.runs import Run, index_name, part_path, record_id
from datasynth.tasks.validate.validator import accept_all, judge


def carry_over(
    run: Run, recipe: Recipe, detection: Detection, settings: SynthesisSettings, records: list[dict[str, Any]]
) -> int:
    """Takes `records` over as part 0 of `run`, the misfits as rejected; returns how many were kept.

    They are not compared with each other: they are the user's own.
    """
    candidates = pl.DataFrame(
        {
            "call": [0] * len(records),
            "position": list(range(len(records))),
            "record": [orjson.dumps(record).decode() for record in records],
            "reply": ["carried-over"] * len(records),
        },
        schema={"call": pl.Int64, "position": pl.Int64, "record": pl.String, "reply": pl.String},
    )
    schema = recipe.record_schema
    judged = judge(candidates, schema, detection) if settings.validate_records else accept_all(candidates)
    good = judged.filter(pl.col("reason").is_null())
    bad = judged.filter(pl.col("reason").is_not_null()).to_dicts()
    good, tested = _untested(run, settings, good)
    if bad or tested:
        rows = [refused(row, "validate", row["reason"], row["field"], row["detail"]) for row in bad]
        rows = sorted(rows + tested, key=lambda row: row["position"])
        part = rejected_parquet(Rejected.validate(pl.DataFrame(rows, schema=REJECTED)))
        run.folder.write(part_path("rejected", 0), part)
    if len(good):
        lineage = [_lineage(run, n, position) for n, position in enumerate(good["position"])]
        kept = [orjson.loads(record) for record in good["record"]]
        run.folder.write(part_path("data", 0), record_parquet(kept, lineage, stored_schema(recipe, settings)))
        if settings.validate_records:
            # For the runs to come; this one learns them from the part.
            index = index_for(recipe.record_schema, detection, settings)
            index.add(kept, [f"{run.card.run_id}/carried.{position}" for position in good["position"]])
            run.index.write(index_name(run.card.run_id, 0, simulated=False), index.dump())
    run.card = run.card.model_copy(update={"carried_over": len(good)})
    run.save_card()
    return len(good)


def _untested(run: Run, settings: SynthesisSettings, good: pl.DataFrame) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Those of `good` that repeat no item of an evaluation set, and the others as rejected."""
    items = decontamination_of(settings.decontaminate, run.card.evaluation)
    if items is None:
        return good, []
    overlaps = items.overlaps([orjson.loads(record) for record in good["record"]])
    tested = [
        refused(row, "dedup", "contaminated", None, contaminated_detail(overlap))
        for row, overlap in zip(good.to_dicts(), overlaps, strict=True)
        if overlap is not None
    ]
    return good.filter(pl.Series([overlap is None for overlap in overlaps], dtype=pl.Boolean)), tested


def _lineage(run: Run, n: int, position: int) -> dict[str, Any]:
    return {
        "id": record_id(n),
        "run": run.card.run_id,
        "round": 0,
        "call": 0,
        "position": position,
        "reply": "carried-over",
        "provider": "",
        "model": "",
        "seeds": [],
        "aim": "{}",
        "simulated": False,
        "quality": None,
    }
