"""What a report says of a run's records, from its parts."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from datasynth.schemas.frames import LINEAGE
from datasynth.schemas.measures import TextMeasures
from datasynth.schemas.recipe import Detection, Recipe
from datasynth.schemas.record import Field, RecordSchema
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.measure.observation import SAMPLES, Observation, effective_records, rejected_samples
from datasynth.tasks.measure.texts import Embedder
from datasynth.tasks.report.parts import read_part, record_parquet, unchecked

SCHEMA = RecordSchema(
    fields=(
        Field(name="id"),
        Field(name="instruction"),
        Field(name="response"),
        Field(name="level", enum=("easy", "hard")),
        Field(name="grade", type="integer", minimum=1, maximum=9),
    )
)
SEEDS: tuple[dict[str, Any], ...] = tuple(
    {"instruction": f"how do I grow {plant} at home", "response": f"{plant} needs sun", "level": "easy", "grade": 3}
    for plant in ("basil", "tomatoes", "orchids")
)
RECIPE = Recipe(name="plants", record_schema=SCHEMA, seeds=SEEDS)
DETECTION = Detection(
    kind="instruction_response", roles={"instruction": "instruction", "response": "response"}, reasons=()
)
SETTINGS = SynthesisSettings.model_validate({"record_schema": {"fields": []}})


def record(n: int) -> dict[str, Any]:
    return {
        "instruction": f"how do I grow orchids number {n} at home" if n % 2 else f"question {n} of {n * 7}",
        "response": f"answer {n}",
        "level": "easy" if n % 4 else "hard",
        "grade": n % 9 + 1,
    }


def lineage(n: int, **more: Any) -> dict[str, Any]:
    given = {"id": f"SYNTH_{n + 1:04d}", "round": 1 + n // 40, "call": n, "aim": '{"level":"easy"}', "seeds": []}
    return dict.fromkeys(LINEAGE.to_schema()) | given | more


def parts(count: int, *, size: int = 40, schema: RecordSchema = SCHEMA, **more: Any) -> list[pl.DataFrame]:
    starts = range(0, count, size)
    return [
        read_part(
            record_parquet(
                [record(n) for n in range(start, min(start + size, count))],
                [lineage(n, **more) for n in range(start, min(start + size, count))],
                schema,
            )
        )
        for start in starts
    ]


def observed(
    frames: list[pl.DataFrame],
    *,
    schema: RecordSchema = SCHEMA,
    recipe: Recipe = RECIPE,
    cost_usd: float | None = 2.0,
    embed: Embedder | None = None,
):
    total = sum(frame.height for frame in frames)
    observation = Observation(recipe, DETECTION, SETTINGS, schema, total)
    assert [id(frame) for frame in observation.watch(frames)] == [id(frame) for frame in frames]
    return observation.report([], cost_usd=cost_usd, embed=embed)


def test_records_are_counted_however_they_are_cut_into_parts():
    assert observed(parts(100, size=40)) == observed(parts(100, size=7))


def test_every_record_is_in_the_counts_of_its_fields_and_niches():
    found = observed(parts(100))
    level = next(one for one in found.distributions if one.name == "level")
    assert dict(zip(level.labels, level.output, strict=True)) == {"easy": 75, "hard": 25}
    assert dict(zip(level.labels, level.seeds, strict=True)) == {"easy": 3, "hard": 0}
    assert found.niches is not None
    assert found.niches.attributes["level"] == 2
    assert sum(map(sum, found.niches.grids[0].counts)) == 100


def test_samples_stand_beside_their_nearest_seed():
    found = observed(parts(100))
    assert len(found.samples) == SAMPLES
    assert [one.record_id for one in found.samples] == sorted(one.record_id for one in found.samples)
    orchids = [one for one in found.samples if "orchids" in one.record]
    assert orchids
    assert all("orchids" in json.loads(one.seed or "{}")["instruction"] for one in orchids)
    assert all(one.aim == {"level": "easy"} and one.round in (1, 2, 3) for one in found.samples)


def test_without_seeds_samples_stand_alone():
    found = observed(parts(5), recipe=RECIPE.model_copy(update={"seeds": ()}))
    assert [(one.seed, one.similarity) for one in found.samples] == [(None, None)] * 5
    assert (found.seeds.records, found.like_seeds) == (0, None)


def test_nothing_accepted_has_a_report_too():
    found = observed([])
    assert (found.output.records, found.effective_records, found.samples) == (0, None, ())


def test_records_that_nobody_validated_are_measured_too():
    free = unchecked(SCHEMA)
    found = observed(parts(30, schema=free), schema=free)
    assert next(one for one in found.distributions if one.name == "level").output == (22, 8)


def test_the_judges_scores_are_averaged():
    assert observed(parts(10, quality=0.75)).mean_quality == 0.75
    assert observed(parts(10, quality=None)).mean_quality is None


def test_parts_written_before_there_was_a_judge_are_read():
    names = [name for name in LINEAGE.to_schema() if name != "quality"]
    frames = [
        frame.with_columns(pl.struct(pl.col("_lineage").struct.field(name) for name in names).alias("_lineage"))
        for frame in parts(10)
    ]
    assert observed(frames).mean_quality is None


@pytest.mark.parametrize("cost", [None, 0.0])
def test_without_a_price_nothing_is_said_per_dollar(cost):
    found = observed(parts(10), cost_usd=cost)
    assert found.effective_records is not None
    assert found.effective_per_dollar is None


def test_effective_records_are_those_that_differ():
    assert effective_records(TextMeasures(records=200, sampled=100, self_similarity=0.25)) == 150
    assert effective_records(TextMeasures(records=200, sampled=100, self_similarity=0.25, vendi=20)) == 40
    assert effective_records(TextMeasures(records=1, sampled=1)) == 1


def test_embeddings_are_asked_for_once_a_set():
    found = observed(parts(10), embed=lambda texts: np.ones((len(texts), 2)))
    assert found.output.vendi == 1
    assert found.effective_records == 1


def refused(step: str, reason: str, count: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "step": [step] * count,
            "reason": [reason] * count,
            "field": ["f"] * count,
            "detail": [None] * count,
            "record": [f"{reason} {n}" for n in range(count)],
        },
        schema_overrides={"detail": pl.String},
    )


def test_rejected_samples_show_every_reason_the_frequent_first():
    frames = [refused("validate", "enum", 400), refused("dedup", "near_duplicate", 2), refused("surplus", "beyond", 50)]
    found = rejected_samples(frames, "k")
    assert [one.reason for one in found] == ["enum"] * 5 + ["near_duplicate"] * 2
    assert {one.detail for one in found} == {"f"}
    assert len({one.record for one in found}) == 7
    assert max(int(one.record.split()[1]) for one in found[:5]) > 20


def test_rejected_samples_of_many_reasons_are_few():
    found = rejected_samples([refused("validate", f"r{n:02}", 9) for n in range(30)], "k")
    assert len(found) == SAMPLES
    assert len({one.reason for one in found}) == SAMPLES


def test_the_niches_of_seeds_are_told_without_what_nobody_knows_of_them():
    options = SETTINGS.model_copy(update={"attributes": {"tone": {"warm": 1.0, "dry": 1.0}}})
    observation = Observation(RECIPE, DETECTION, options, SCHEMA, 0)
    assert list(observation.watch([])) == []
    found = observation.report([], cost_usd=None)
    assert found.niches is not None
    assert found.seed_niches is not None
    assert "tone" in found.niches.attributes
    assert "tone" not in found.seed_niches.attributes
    assert found.seed_niches.attributes["level"] == 2
    assert found.seed_niches.filled >= 1
    assert found.seed_niches.grids == ()
