"""The end of a proportional run: its records mixed and written as any run's are, so that every reader takes them."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
import polars as pl

from datasynth.schemas.errors import RunError
from datasynth.schemas.frames import LINEAGE, Rejected
from datasynth.schemas.proportions import PartReport, ProportionalReport
from datasynth.schemas.recipe import Recipe
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.report import Counts, RoundOutcome, Spend
from datasynth.tasks.dedup.index import Match
from datasynth.tasks.detect.language import language_of
from datasynth.tasks.proportions.apportion import scaled
from datasynth.tasks.proportions.comparing import index_of_parts
from datasynth.tasks.proportions.infer import common_schema
from datasynth.tasks.proportions.mixture import Mixture
from datasynth.tasks.proportions.opening import told
from datasynth.tasks.proportions.records import Sourced
from datasynth.tasks.proportions.telling import explanation_of, render_proportions
from datasynth.tasks.report.parts import LINEAGE_COLUMN, part_parquet, record_frame, rejected_parquet, unstorable
from datasynth.tasks.rounds.commit import REJECTED, duplicate_detail
from datasynth.tasks.rounds.runs import Run, index_name, part_path, sums
from datasynth.tasks.storage.json_file import json_file

LANGUAGE_BY = 200
"""Records of the mix by which its language is found out."""
RECORDS_A_PART = 10_000
"""As many as a round of a synthesis run has at most."""
FURTHER = {"part": pl.String, "source": pl.String, "record": pl.String}
"""Lineage of a mixed record besides that of any record: its part's name, the address of the run or file it was taken
from, and its id or place there."""
MIXED_LINEAGE = pl.Struct({**LINEAGE.to_schema(), **FURTHER})


class Mixed(NamedTuple):
    """A record of the data set."""

    part: int
    position: int
    """Place among the records that its part gave."""
    sourced: Sourced


def mixed(parts: Sequence[Sequence[Sourced]], seed: int) -> list[Mixed]:
    """The records of all parts in the order of the data set: a function of their numbers and the seed alone."""
    records = [Mixed(n, i, one) for n, some in enumerate(parts) for i, one in enumerate(some)]
    random.Random(f"mix {seed}").shuffle(records)  # noqa: S311 - an order, no secret
    return records


def write_mixture(mixture: Mixture) -> ProportionalReport:
    """Writes everything that follows from the parts; the manifest comes last, and only where the count was met.

    A repeat writes the same bytes. What an earlier process wrote of this run goes first: until the end is written, the
    run is unfinished and holds what is there of the new one.
    """
    run, settings = mixture.run, mixture.settings
    kept, cut, reports = _in_proportion(mixture)
    records = mixed(kept, settings.random_seed)
    schema = common_schema(settings.name, [one.typed for one in mixture.parts], [one.sourced.record for one in records])
    recipe = Recipe(name=settings.name, record_schema=schema, language=_language(mixture, records))
    _clear(run)
    run.folder.write(
        "recipe.json", recipe.model_dump_json(exclude={"seeds", "seeds_with_tested", "guidelines"}).encode()
    )
    run.folder.write("settings.json", orjson.dumps(told(settings), option=orjson.OPT_INDENT_2))
    refused = _refused(mixture, cut)
    if refused:
        frame = pl.DataFrame(refused, schema=REJECTED)
        run.folder.write(part_path("rejected", 1), rejected_parquet(Rejected.validate(frame)))
    for first in range(0, max(len(records), 1), RECORDS_A_PART):
        some = records[first : first + RECORDS_A_PART]
        _write_part(mixture, some, first, schema, _outcome(first, some, refused, reports))
    report = _report(mixture, reports)
    run.folder.write("report.json", json_file(report.model_dump(mode="json")))
    run.folder.write("report.md", render_proportions(report, settings.language).encode())
    if not report.fell_short:
        run.folder.write("manifest.json", json_file(run.manifest(records=report.total, simulated=report.simulated)))
    return report


def _language(mixture: Mixture, records: Sequence[Mixed]) -> str:
    """The language of most of the records."""
    whole = mixture.views[0]
    return language_of(whole.text(one.sourced.record) for one in records[:LANGUAGE_BY])


def _in_proportion(mixture: Mixture) -> tuple[list[list[Sourced]], list[list[Sourced]], list[PartReport]]:
    """Of each part the records of the data set, those that are cut again, and its report."""
    kept, reports = [taken.picked.kept for taken in mixture.taken], mixture.reports()
    if mixture.settings.shortfall == "keep" or not any(report.fell_short for report in reports):
        return kept, [[] for _ in kept], reports
    numbers = scaled(mixture.settings, [len(some) for some in kept])
    reports = [
        report.model_copy(update={"made": n, "cut": report.made - n})
        for report, n in zip(reports, numbers, strict=True)
    ]
    both = list(zip(kept, numbers, strict=True))
    return [some[:n] for some, n in both], [some[n:] for some, n in both], reports


def _outcome(
    first: int, some: Sequence[Mixed], refused: Sequence[dict[str, Any]], parts: Sequence[PartReport]
) -> RoundOutcome:
    """The ledger entry of the data part that begins with record `first`; the first has what was refused and paid."""
    rows = [] if first else refused
    return RoundOutcome(
        round=first // RECORDS_A_PART + 1,
        calls=0,
        counts=Counts(
            asked=len(some) + len(rows),
            accepted=len(some),
            rejected=dict(sorted(Counter(f"{row['step']}.{row['reason']}" for row in rows).items())),
        ),
        spend=Spend() if first else sum((part.spend for part in parts), Spend()),
        simulated=any(part.simulated for part in parts),
    )


def _clear(run: Run) -> None:
    for name in ("manifest.json", "report.json", "report.md", "rounds", "data", "rejected", "removed.json", "removed"):
        run.folder.remove(name)
    for name in run.index.names(suffix=".npz"):
        if name.rpartition("-")[0] == run.card.run_id:
            run.index.remove(name)


def _refused(mixture: Mixture, cut: Sequence[Sequence[Sourced]]) -> list[dict[str, Any]]:
    """What was looked at and is not in the data set, as `frames.Rejected`: `call` is the part, counted from 0."""
    rows = []
    for number, (taken, some) in enumerate(zip(mixture.taken, cut, strict=True)):
        name = mixture.parts[number].part.name
        doubles = [_refusal(one, match) for one, match in taken.picked.refused]
        surplus = [("surplus", "beyond_target", None, name, one) for one in some]
        for position, (step, reason, view, detail, one) in enumerate((*doubles, *surplus)):
            rows.append(
                {
                    "call": number,
                    "position": position,
                    "step": step,
                    "reason": reason,
                    "field": view,
                    "detail": detail,
                    "record": orjson.dumps(one.record).decode(),
                    "reply": f"{name}: {one.reference}",
                }
            )
    return rows


def _refusal(one: Sourced, match: Match) -> tuple[str, str, str | None, str, Sourced]:
    return "dedup", match.reason, match.view, duplicate_detail(match), one


def _write_part(
    mixture: Mixture, some: Sequence[Mixed], first: int, schema: RecordSchema, outcome: RoundOutcome
) -> None:
    """One data part with its index and, last, its ledger entry."""
    run, number = mixture.run, outcome.round
    records = [one.sourced.record for one in some]
    if misfit := next(filter(None, unstorable(records, schema)), None):
        raise RunError("A record cannot be stored unchanged: {field} holds {found}.", field=misfit[0], found=misfit[1])
    if some:
        lineage = [_lineage(mixture, one, number, first + n) for n, one in enumerate(some)]
        run.folder.write(part_path("data", number), _part(records, lineage, schema))
    index = index_of_parts(mixture.views, mixture.settings.dedup_threshold)
    index.add(records, [f"{run.card.run_id}/{one.part}.{one.position}" for one in some])
    run.index.write(index_name(run.card.run_id, number, simulated=outcome.simulated), index.dump())
    run.finish_round(outcome)


def _part(records: list[dict[str, Any]], lineage: list[dict[str, Any]], schema: RecordSchema) -> bytes:
    if (identity := schema.identity) is not None:
        numbered = not identity.any_of and identity.type in ("integer", "number")
        ids = [int(row["id"].rpartition("_")[2]) if numbered else row["id"] for row in lineage]
        records = [{**record, "id": id_} for record, id_ in zip(records, ids, strict=True)]
    origins = pl.DataFrame(lineage, schema=MIXED_LINEAGE.to_schema(), orient="row").to_struct(LINEAGE_COLUMN)
    return part_parquet(record_frame(records, schema).with_columns(origins))


def _lineage(mixture: Mixture, one: Mixed, round: int, n: int) -> dict[str, Any]:
    """Where a record came from; what its own run said of it stays, but for its place in the plan."""
    before = one.sourced.lineage or {}
    return {
        "id": f"MIX_{n + 1:04d}",
        "run": mixture.run.card.run_id,
        "round": round,
        "call": one.part,
        "position": one.position,
        "reply": before.get("reply") or "",
        "provider": before.get("provider") or "",
        "model": before.get("model") or "",
        "seeds": before.get("seeds") or [],
        "aim": before.get("aim") or "{}",
        "simulated": bool(before.get("simulated")),
        "quality": before.get("quality"),
        "part": mixture.parts[one.part].part.name,
        "source": one.sourced.source,
        "record": one.sourced.reference,
    }


def _report(mixture: Mixture, parts: Sequence[PartReport]) -> ProportionalReport:
    run, settings = mixture.run, mixture.settings
    outcomes = run.outcomes()
    total = sums(outcomes)
    made, target = total.counts.accepted, run.card.target
    return ProportionalReport(
        run_id=run.card.run_id,
        dataset=run.card.dataset,
        target=target,
        verdict="complete" if made >= target else "fell_short",
        explanation=explanation_of(parts, made, target),
        shortfall=settings.shortfall,
        simulated=any(part.simulated for part in parts),
        parts=tuple(parts),
        counts=total.counts,
        spend=total.spend,
        model=", ".join(dict.fromkeys(part.model for part in parts if part.model)),
        rounds=outcomes,
        started_at=run.card.started_at,
        duration_seconds=round(time.monotonic() - mixture.started, 3),
        run_url=run.folder.url(),
        data_url=run.folder.url("data"),
        settings=settings.model_dump(mode="json", exclude_defaults=True),
    )
