"""The pass over a run's parts from which its report takes what it says of quality and diversity."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import polars as pl

from datasynth.schemas.measures import DiversityReport, NicheMeasures, RejectedSample, Sample, TextMeasures
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.archive.attributes import attributes
from datasynth.tasks.archive.space import Space, draws
from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.dedup.text import shingled
from datasynth.tasks.dedup.views import views_for
from datasynth.tasks.measure.distributions import ValueCounts, distributions
from datasynth.tasks.measure.neighbours import nearest
from datasynth.tasks.measure.niches import Axis, NicheCounts
from datasynth.tasks.measure.texts import MOST_TEXTS, Embedder, measure_like, measure_texts
from datasynth.tasks.report.parts import LINEAGE_COLUMN, read_records, record_ids

SAMPLES = 20
"""Accepted records that a report shows, and rejected ones."""

KEPT_BY_REASON = 5
"""Rejected candidates kept of each reason, so that the frequent ones leave room for the rare."""


class Observation:
    """What is seen of a run's records as its parts pass by; memory does not grow with their number.

    Fields and niches are counted in full. Texts are measured on a fixed random sample, whose draw depends on the
    recipe, the random seed and the number of records alone.
    """

    def __init__(
        self, recipe: Recipe, detection: Detection, settings: SynthesisSettings, stored: RecordSchema, total: int
    ) -> None:
        """Prepares for `total` records, stored by the schema `stored`."""
        self.recipe, self.stored, self.total = recipe, stored, total
        self.key = f"{settings.random_seed}|{recipe.fingerprint}|report"
        self.view = views_for(recipe.record_schema, detection)[0]
        chosen = draws(self.key, "sample").sample(range(total), min(total, MOST_TEXTS))
        self._places = {position: place for place, position in enumerate(chosen)}
        self._texts: dict[int, str] = {}
        self._shown: dict[int, tuple[Sample, dict[str, Any]]] = {}
        self._fields = [field.name for field in recipe.record_schema.asked]
        self._values = {name: ValueCounts() for name in self._fields}
        self._judged, self._quality = 0, 0.0
        axes = attributes(recipe, detection, settings)
        self._space = Space(axes, (), self.key)
        self._known = {axis.name: tuple(map(label, axis.values)) for axis in axes if axis.kind == "field"}
        self._niches = NicheCounts(tuple(Axis(axis.name, tuple(map(label, axis.values))) for axis in axes))

    def watch(self, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Hands on the data parts, in order, having looked at each."""
        position = 0
        for frame in frames:
            self._look_at(frame, position)
            position += frame.height
            yield frame

    def report(
        self, rejected: Iterable[pl.DataFrame], *, cost_usd: float | None, embed: Embedder | None = None
    ) -> DiversityReport:
        """What the report says, once all data parts have been watched.

        Args:
            rejected: The run's rejected parts, in order.
            cost_usd: What the run cost; None where unknown.
            embed: For the Vendi score.
        """
        seeds = self._seed_texts()
        texts = [self._texts[place] for place in sorted(self._texts)]
        output = measure_texts(texts, records=self.total, embed=embed)
        effective = effective_records(output)
        seed_values = {name: ValueCounts() for name in self._fields}
        for seed in self.recipe.seeds:
            _count(seed, seed_values)
        return DiversityReport(
            seeds=measure_texts(seeds, records=len(self.recipe.seeds), embed=embed),
            output=output,
            like_seeds=measure_like(texts, len(seeds), key=self.key, records=self.total, embed=embed),
            niches=self._niches.measures(),
            seed_niches=self._seed_niches(),
            distributions=distributions(seed_values, self._values, self._known),
            samples=self._samples(),
            rejected_samples=rejected_samples(rejected, self.key),
            effective_records=effective,
            effective_per_dollar=round(effective / cost_usd, 1) if effective is not None and cost_usd else None,
            mean_quality=round(self._quality / self._judged, 4) if self._judged else None,
        )

    def _look_at(self, frame: pl.DataFrame, first: int) -> None:
        lineage = frame[LINEAGE_COLUMN].struct
        aims = [orjson.loads(aim or "{}") for aim in lineage.field("aim")]
        ids, rounds = record_ids(frame), lineage.field("round").to_list()
        for i, record in enumerate(read_records(frame, self.stored)):
            _count(record, self._values)
            self._niches.counts[tuple(self._space.place(record, aims[i]).values())] += 1
            place = self._places.get(first + i)
            if place is not None:
                self._texts[place] = self.view.text(record)
                if place < SAMPLES:
                    made = Sample(record_id=ids[i], record=as_json(record), round=rounds[i], aim=aims[i])
                    self._shown[place] = made, record
        # Parts written before there was a judge have no such field.
        if "quality" in lineage.fields:
            scores = lineage.field("quality").drop_nulls().to_list()
            self._judged += len(scores)
            self._quality += sum(scores)

    def _seed_niches(self) -> NicheMeasures | None:
        """Without the attributes that only a call's aim tells: nobody knows them of a seed."""
        told = [axis.kind != "free" for axis in self._space.axes]
        counts = NicheCounts(tuple(itertools.compress(self._niches.axes, told)))
        for seed in self.recipe.seeds:
            counts.counts[tuple(itertools.compress(self._space.place(seed, {}).values(), told))] += 1
        found = counts.measures() if self.recipe.seeds else None
        return found and found.model_copy(update={"grids": ()})

    def _seed_texts(self) -> list[str]:
        texts = [self.view.text(seed) for seed in self.recipe.seeds]
        return texts if len(texts) <= MOST_TEXTS else draws(self.key, "seeds").sample(texts, MOST_TEXTS)

    def _samples(self) -> tuple[Sample, ...]:
        """Some records in the order of their ids, each with the seed nearest to it."""
        shown = sorted(self._shown.values(), key=lambda item: (len(item[0].record_id), item[0].record_id))
        queries = shingled([self.view.text(record) for _, record in shown], DedupSettings())
        others = shingled([self.view.text(seed) for seed in self.recipe.seeds], DedupSettings())
        return tuple(
            sample
            if place < 0
            else sample.model_copy(
                update={"seed": as_json(self.recipe.seeds[place]), "similarity": round(float(similarity), 4)}
            )
            for (sample, _), place, similarity in zip(shown, *nearest(queries, others), strict=True)
        )


def effective_records(output: TextMeasures) -> float | None:
    """As how many different records the output counts; None for an empty one.

    The Vendi score's share of the records measured where there are embeddings, else each record less its similarity
    to its nearest neighbour. Both are extended from the sample to all records.
    """
    if not output.records:
        return None
    different = None if output.vendi is None else output.vendi / output.sampled
    share = 1 - (output.self_similarity or 0.0) if different is None else different
    return round(output.records * share, 1)


def rejected_samples(frames: Iterable[pl.DataFrame], key: str) -> tuple[RejectedSample, ...]:
    """Some rejected candidates of every reason in turn, the most frequent first.

    Those that were valid and new, but too many, are left out: there is nothing to learn from them.
    """
    kept: dict[tuple[str, str], list[RejectedSample]] = defaultdict(list)
    seen: dict[tuple[str, str], int] = defaultdict(int)
    draw = draws(key, "rejected")
    for frame in frames:
        rows = frame.filter(pl.col("step") != "surplus").select("step", "reason", "field", "detail", "record")
        for step, reason, field, detail, record in rows.iter_rows():
            why = step, reason
            seen[why] += 1
            # Algorithm R (Vitter 1985): each is kept with the same probability, whatever their number.
            place = len(kept[why]) if len(kept[why]) < KEPT_BY_REASON else draw.randrange(seen[why])
            if place < KEPT_BY_REASON:
                told = detail or field or ""
                kept[why][place : place + 1] = [RejectedSample(step=step, reason=reason, detail=told, record=record)]
    reasons = sorted(kept, key=lambda why: (-seen[why], why))
    turns = [kept[why][turn] for turn in range(KEPT_BY_REASON) for why in reasons if turn < len(kept[why])]
    return tuple(sorted(turns[:SAMPLES], key=lambda one: reasons.index((one.step, one.reason))))


def label(value: Any) -> str:
    """A value of an attribute as people read it."""
    return value if isinstance(value, str) else as_json(value)


def as_json(value: Any) -> str:
    """JSON text of a value; half a surrogate pair, which JSON text cannot hold, as a question mark."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return orjson.dumps(_mended(value)).decode()


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(name): _mended(item) for name, item in value.items()}
    return value if not isinstance(value, int) or abs(value) < 2**63 else float(value)


def _count(record: dict[str, Any], values: dict[str, ValueCounts]) -> None:
    for name, counts in values.items():
        counts.add(record.get(name))
