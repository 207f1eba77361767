"""Semantic comparison in the main job: what it costs, that limits hold for it too, and what the report says of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from outcomes import adds_up

from datasynth.schemas.report import RunReport
from datasynth.tasks.llm.simulated.process import SimulatedServer

Run = Callable[..., RunReport]


@pytest.fixture
def meaning(endpoint: SimulatedServer) -> dict[str, Any]:
    return {
        "semantic_threshold": 0.98,
        "embedding_model": "sim-embed",
        "embedding_base_url": f"{endpoint.url}/v1",
        "embedding_price": 3.0,
        "input_price": 1.0,
        "output_price": 2.0,
    }


def test_the_report_has_the_vendi_score_of_seeds_and_records_and_pays_no_vector_twice(
    run: Run, endpoint: SimulatedServer, meaning: dict[str, Any]
) -> None:
    report = run(target_count=40, **meaning)
    billed = endpoint.stats()
    assert (report.total, adds_up(report)) == (40, True)
    assert report.spend.calls == billed["replies"]
    assert report.spend.usage.total == sum(billed["tokens"].values())
    assert report.embedding.calls == billed["by_endpoint"]["POST /v1/embeddings"]
    assert report.embedding.cost_usd == pytest.approx(report.embedding.usage.input * 3e-6)
    assert report.estimate is not None
    assert report.estimate.embedding_tokens > 0
    diversity = report.diversity
    assert diversity is not None
    assert diversity.seeds.vendi is not None
    assert diversity.output.vendi is not None
    assert 1 < diversity.output.vendi <= 40
    assert diversity.effective_records == round(diversity.output.vendi, 1)
    told = Path(report.run_url, "report.md").read_text()
    assert "Vendi score" in told
    assert "Vectors: " in told
    assert json.loads(Path(report.run_url, "report.json").read_bytes())["embedding"]["calls"] == report.embedding.calls


@pytest.mark.parametrize("limit", [{"max_calls": 9}, {"max_tokens": 60_000}, {"max_cost": 0.1}])
def test_a_limit_holds_for_records_and_their_vectors_together(
    limit: dict[str, Any], run: Run, endpoint: SimulatedServer, meaning: dict[str, Any]
) -> None:
    report = run(target_count=2000, max_tokens_per_sample=400, concurrency=2, **meaning, **limit)
    billed = endpoint.stats()
    tokens, vectors = billed["tokens"], report.embedding.usage.input
    cost = (tokens["input"] + tokens["cache_read"] - vectors) * 1e-6 + vectors * 3e-6 + tokens["output"] * 2e-6
    assert report.stopped_by == next(iter(limit))
    assert billed["replies"] <= limit.get("max_calls", 10**9)
    assert sum(tokens.values()) <= limit.get("max_tokens", 10**9)
    assert cost <= limit.get("max_cost", 10**9)
    assert report.spend.cost_usd == pytest.approx(cost)
    assert report.counts.accepted >= 10
    assert report.counts.rejected.get("dedup.uncompared", 0) <= 5
    assert adds_up(report)


def test_records_of_earlier_runs_without_vectors_are_told_of(
    run: Run, endpoint: SimulatedServer, meaning: dict[str, Any]
) -> None:
    # With their own provider, for a run of a real model is compared with no records of a simulated one.
    simulated = {"provider": "simulated", "model": None, "base_url": None}
    first = run(target_count=12, **simulated)
    report = run(target_count=5, **meaning | simulated)
    assert report.semantically_unknown == first.total == 12
    told = Path(report.run_url, "report.md").read_text()
    assert "12 records" in told
    assert "--semantic" in told
    assert "12 records" in Path(report.run_url, "report.html").read_text()
