"""The end of a round: deduplicates what is valid, fills the count, writes the parts and commits the ledger entry.

Everything written is a function of the replies in plan order and of what stood before, under names that a repeat
writes again; the ledger entry comes last. A process that dies anywhere in between repeats the same bytes.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import polars as pl

from datasynth.schemas.calls import PlannedCall
from datasynth.schemas.frames import Rejected
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.report import Counts, Judging, RoundOutcome, Spend, StopReason
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.contamination import Overlap, decontamination_of
from datasynth.tasks.dedup.index import Match, Shared, index_for, views_for
from datasynth.tasks.report.parts import (
    LINEAGE_COLUMN,
    read_part,
    read_records,
    record_parquet,
    rejected_parquet,
    unchecked,
    unstorable,
)
from datasynth.tasks.rounds.meaning import semantic_screen
from datasynth.tasks.rounds.runs import Run, index_name, part_path, record_id
from datasynth.tasks.semantic.neighbours import Neighbour
from datasynth.tasks.semantic.screening import Uncompared

REJECTED = {
    "call": pl.Int64,
    "position": pl.Int64,
    "step": pl.String,
    "reason": pl.String,
    "field": pl.String,
    "detail": pl.String,
    "record": pl.String,
    "reply": pl.String,
}


@dataclass(frozen=True)
class Harvest:
    """What a round's calls brought, judged: the input of its commit."""

    round: int
    calls: tuple[PlannedCall, ...]
    judged: pl.DataFrame
    """Frame `Judged`, in plan order."""
    replies: pl.DataFrame
    """`reply`, `model`, `simulated`: one row a reply used."""
    missing: Mapping[str, int]
    unasked: int
    spend: Spend
    limit: StopReason | None = None
    trouble: str = ""
    scores: pl.DataFrame | None = None
    """Frame `Scores`, where records are judged."""
    judging: Spend = field(default_factory=Spend)
    """The judge's share of `spend`."""


def stored_schema(recipe: Recipe, settings: SynthesisSettings) -> RecordSchema:
    """The schema that data parts are typed by: the recipe's, or one that holds anything where nothing was checked."""
    schema = recipe.record_schema
    kept = schema.only(tuple(f for f in schema.fields if f in schema.asked or f is schema.identity))
    return kept if settings.validate_records else unchecked(kept)


def _shared(run: Run, settings: SynthesisSettings) -> Shared:
    """Real and simulated runs share no index, as they share no index files: see `earlier_indexes`."""
    kind = "simulated" if settings.provider == "simulated" else "real"
    return Shared(f"{run.index.url()} {kind}", f"{run.card.run_id}/")


@dataclass
class _Sorted:
    """A round's candidates, each in one place."""

    round: int
    accepted: list[dict[str, Any]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)


class RoundCommitter:
    """Commits rounds of one run; holds its near-duplicate index between rounds."""

    def __init__(self, run: Run, recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> None:
        """Loads what the run is deduplicated against: seeds, pinned earlier runs, its own finished rounds."""
        self.run = run
        self.recipe = recipe
        self.settings = settings
        self.schema = stored_schema(recipe, settings)
        self.screens = settings.validate_records
        self.decontamination = decontamination_of(settings.decontaminate, run.card.evaluation)
        self.index = index_for(recipe.record_schema, detection, settings, _shared(run, settings))
        whole = views_for(recipe.record_schema, detection)[0]
        self.semantic = semantic_screen(run, recipe.record_schema, settings, whole)
        self.loaded: set[int] = set()
        if self.screens:
            seeds = [f"seed-{i + 1}" for i in range(len(recipe.seeds))]
            self.index.add(recipe.seeds, seeds)
            for name in run.card.earlier:
                self.index.load(run.earlier_index(name))
            if self.semantic:
                self.semantic.add(0, recipe.seeds, seeds)
                self.semantic.load(run.card.earlier)
        self.index.dump()  # what was loaded is on storage already
        self.catch_up(tuple(o.round for o in run.outcomes()) + ((0,) if run.card.carried_over else ()))

    def catch_up(self, finished: Iterable[int]) -> None:
        """Adds the records of finished rounds that another process committed."""
        for number in sorted(set(finished) - self.loaded):
            self.loaded.add(number)
            try:
                part = read_part(self.run.folder.read(part_path("data", number)))
            except FileNotFoundError:
                continue  # a round in which nothing was accepted
            if self.screens:
                places = part[LINEAGE_COLUMN].struct.unnest().select("call", "position").iter_rows()
                records, names = read_records(part, self.schema), [self.name_of(*place) for place in places]
                self.index.add(records, names)
                if self.semantic:
                    self.semantic.add(number, records, names)
        self.index.dump()
        if self.semantic:
            self.semantic.begin()

    def commit(self, harvest: Harvest, *, before: int, target: int) -> RoundOutcome:
        """Writes a round's parts and its ledger entry.

        Args:
            harvest: The round's candidates.
            before: Records in the data set so far.
            target: Records wanted; the rest of a round beyond it is kept apart as surplus.
        """
        try:
            return self._commit(harvest, before, target)
        except BaseException:
            # The index has learnt records that may not be on storage: whoever tries again starts from the ledger.
            forget_committer(self.run)
            raise

    def _commit(self, harvest: Harvest, before: int, target: int) -> RoundOutcome:
        self.catch_up(range(1, harvest.round))
        sorted_ = self._sort(harvest, before, target)
        number = harvest.round
        if sorted_.rejected:
            frame = pl.DataFrame(sorted_.rejected, schema=REJECTED)
            self.run.folder.write(part_path("rejected", number), rejected_parquet(Rejected.validate(frame)))
        outcome = self._outcome(harvest, sorted_)
        lineage = self._lineage(harvest, sorted_.rows, before)
        if sorted_.accepted:
            part = record_parquet(sorted_.accepted, lineage, self.schema)
            self.run.folder.write(part_path("data", number), part)
        if self.screens:
            name = index_name(self.run.card.run_id, number, simulated=outcome.simulated)
            self.run.index.write(name, self.index.dump())
            if self.semantic:
                self.semantic.save(name)
        self.run.finish_round(outcome)
        self.loaded.add(number)
        return outcome

    def _sort(self, harvest: Harvest, before: int, target: int) -> _Sorted:
        sorted_ = _Sorted(harvest.round)
        rows = harvest.judged.to_dicts()
        valid: list[tuple[int, dict[str, Any]]] = []
        for i, row in enumerate(rows):
            if row["reason"] is not None:
                sorted_.rejected.append(refused(row, "validate", row["reason"], row["field"], row["detail"]))
                continue
            record = orjson.loads(row["record"])
            misfit = unstorable([record], self.schema)[0] if isinstance(record, dict) else ("", row["record"][:200])
            if misfit is not None:
                sorted_.rejected.append(refused(row, "validate", "unstorable", *misfit))
            else:
                valid.append((i, record))
        valid = self._uncontaminated(valid, rows, sorted_)
        unneeded: list[tuple[int, dict[str, Any]]] = []
        if harvest.scores is not None:
            valid, unneeded = _passed(valid, rows, harvest.scores, sorted_)
        while valid and (wanted := target - before - len(sorted_.accepted)) > 0:
            # Never more than are wanted at once, so that the index learns only what is accepted.
            some, valid = valid[:wanted], valid[wanted:]
            self._screen(some, rows, sorted_)
        sorted_.rejected += [refused(rows[i], "surplus", "beyond_target", None, None) for i, _ in (*valid, *unneeded)]
        sorted_.rejected.sort(key=lambda row: (row["call"], row["position"]))
        return sorted_

    def _uncontaminated(
        self, valid: list[tuple[int, dict[str, Any]]], rows: list[dict[str, Any]], sorted_: _Sorted
    ) -> list[tuple[int, dict[str, Any]]]:
        """Those of `valid` that repeat no item of an evaluation set; the index never learns the others."""
        if self.decontamination is None:
            return valid
        kept = []
        for one, overlap in zip(valid, self.decontamination.overlaps([record for _, record in valid]), strict=True):
            if overlap is None:
                kept.append(one)
            else:
                detail = contaminated_detail(overlap)
                sorted_.rejected.append(refused(rows[one[0]], "dedup", "contaminated", None, detail))
        return kept

    def _screen(self, some: list[tuple[int, dict[str, Any]]], rows: list[dict[str, Any]], sorted_: _Sorted) -> None:
        some = self._new_in_meaning(some, rows, sorted_)
        records = [record for _, record in some]
        names = [self.name_of(rows[i]["call"], rows[i]["position"]) for i, _ in some]
        matches = self.index.screen(records, names) if self.screens else [None] * len(some)
        for (i, record), match in zip(some, matches, strict=True):
            if match is None:
                sorted_.accepted.append(record)
                sorted_.rows.append(i)
            else:
                sorted_.rejected.append(refused(rows[i], "dedup", match.reason, match.view, duplicate_detail(match)))
        if self.semantic:
            kept = [n for n, match in enumerate(matches) if match is None]
            self.semantic.add(sorted_.round, [records[n] for n in kept], [names[n] for n in kept])

    def _new_in_meaning(
        self, some: list[tuple[int, dict[str, Any]]], rows: list[dict[str, Any]], sorted_: _Sorted
    ) -> list[tuple[int, dict[str, Any]]]:
        """Those of `some` that do not say what a kept one says in other words. No copy of a kept one is embedded."""
        if self.semantic is None:
            return some
        known = self.index.peek([record for _, record in some])
        fresh = [one for one, match in zip(some, known, strict=True) if match is None]
        names = [self.name_of(rows[i]["call"], rows[i]["position"]) for i, _ in fresh]
        found = self.semantic.judged(sorted_.round, [record for _, record in fresh], names)
        repeats = {i: semantic_refusal(one) for (i, _), one in zip(fresh, found, strict=True) if one}
        for i, (reason, detail) in repeats.items():
            sorted_.rejected.append(refused(rows[i], "dedup", reason, "record", detail))
        return [one for one in some if one[0] not in repeats]

    def name_of(self, call: int, position: int) -> str:
        """A record's name in the index: its place in its run's plan, known before its id is."""
        return f"{self.run.card.run_id}/{call}.{position}"

    def _lineage(self, harvest: Harvest, rows: Sequence[int], before: int) -> list[dict[str, Any]]:
        calls = {call.index: call for call in harvest.calls}
        replies = {reply: (model, simulated) for reply, model, simulated in harvest.replies.iter_rows()}
        scores = _quality_of(harvest.scores)
        lineage = []
        for n, row in enumerate(harvest.judged[list(rows)].iter_rows(named=True)):
            model, simulated = replies[row["reply"]]
            call = calls[row["call"]]
            lineage.append(
                {
                    "id": record_id(before + n),
                    "run": self.run.card.run_id,
                    "round": harvest.round,
                    "call": row["call"],
                    "position": row["position"],
                    "reply": row["reply"],
                    "provider": self.settings.provider,
                    "model": model,
                    "seeds": list(call.seeds),
                    "aim": orjson.dumps(call.aim, option=orjson.OPT_SORT_KEYS).decode(),
                    "simulated": simulated,
                    "quality": scores.get((row["call"], row["position"])),
                }
            )
        return lineage

    def _outcome(self, harvest: Harvest, sorted_: _Sorted) -> RoundOutcome:
        reasons = Counter(f"{row['step']}.{row['reason']}" for row in sorted_.rejected)
        models = harvest.replies["model"].drop_nulls()
        embedding = self.semantic.spend(harvest.round) if self.semantic else Spend()
        return RoundOutcome(
            round=harvest.round,
            calls=len(harvest.calls),
            counts=Counts(
                asked=sum(call.asked for call in harvest.calls),
                unasked=harvest.unasked,
                accepted=len(sorted_.accepted),
                rejected=dict(sorted(reasons.items())),
                missing=dict(sorted(harvest.missing.items())),
                repairs=int(harvest.judged["repairs"].sum()),
            ),
            spend=harvest.spend + embedding,
            judging=_judging(harvest),
            embedding=embedding,
            simulated=bool(harvest.replies["simulated"].any()),
            model=models.mode().sort()[0] if len(models) else "",
            limit=harvest.limit or (self.semantic.limit if self.semantic else None),
            trouble=harvest.trouble,
        )


def contaminated_detail(overlap: Overlap) -> str:
    """Which item of which set a record repeats, for people."""
    return f"{overlap.share:.3f} of {overlap.item} in {overlap.path}"


def semantic_refusal(found: Neighbour | Uncompared) -> tuple[str, str]:
    """Why a record is not kept that says what another one says, or of which nobody knows: reason and detail."""
    if isinstance(found, Uncompared):
        return "uncompared", found.limit
    return "semantic", f"{found.cosine:.3f} like {found.id}"


def duplicate_detail(match: Match) -> str:
    """What a duplicate is like, for people."""
    return f"{match.similarity:.3f} like {match.id}"


def _passed(
    valid: list[tuple[int, dict[str, Any]]], rows: list[dict[str, Any]], scores: pl.DataFrame, sorted_: _Sorted
) -> tuple[list[tuple[int, dict[str, Any]]], list[tuple[int, dict[str, Any]]]]:
    """Those of `valid` that passed, and those that nobody judged because they were not needed; the rest is refused."""
    verdicts = {(score["call"], score["position"]): score for score in scores.to_dicts()}
    passed, unneeded = [], []
    for i, record in valid:
        score = verdicts.get((rows[i]["call"], rows[i]["position"]))
        if score is None:
            unneeded.append((i, record))
        elif score["verdict"] == "pass":
            passed.append((i, record))
        elif score["verdict"] == "repeats":
            sorted_.rejected.append(refused(rows[i], "dedup", score["reason"], score["field"], score["detail"]))
        else:
            sorted_.rejected.append(refused(rows[i], "judge", score["verdict"], None, score["detail"]))
    return passed, unneeded


def _quality_of(scores: pl.DataFrame | None) -> dict[tuple[int, int], float]:
    if scores is None:
        return {}
    return {(call, n): quality for call, n, quality in scores.select("call", "position", "quality").iter_rows()}


def _judging(harvest: Harvest) -> Judging:
    if harvest.scores is None:
        return Judging(spend=harvest.judging)
    asked = harvest.scores.filter(pl.col("verdict") != "repeats")
    return Judging(
        spend=harvest.judging,
        scored=asked["quality"].count(),
        unjudged=asked["quality"].null_count(),
        quality_sum=float(asked["quality"].sum()),
        compared=asked["spread"].count(),
        spread_sum=float(asked["spread"].sum()),
    )


def refused(row: dict[str, Any], step: str, reason: str, field_path: str | None, detail: str | None) -> dict[str, Any]:
    """A row of `Rejected` for a judged candidate."""
    return {
        "call": row["call"],
        "position": row["position"],
        "step": step,
        "reason": reason,
        "field": field_path,
        "detail": detail,
        "record": row["record"],
        "reply": row["reply"],
    }


_committers: dict[str, RoundCommitter] = {}
_lock = threading.Lock()


def committer_of(run: Run, recipe: Recipe, detection: Detection, settings: SynthesisSettings) -> RoundCommitter:
    """This process's committer for `run`, with every finished round in its index."""
    with _lock:
        key = run.folder.url()
        if (committer := _committers.get(key)) is None:
            committer = _committers[key] = RoundCommitter(run, recipe, detection, settings)
        return committer


def forget_committer(run: Run) -> None:
    """Frees the index that this process holds for `run`."""
    with _lock:
        _committers.pop(run.folder.url(), None)
