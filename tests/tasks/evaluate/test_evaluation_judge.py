"""The judge of an evaluation against an endpoint that counts: what is paid, what limits do, what is not paid again."""

from pathlib import Path
from typing import Any

import pytest
from evaluated import worked_on, written

from datasynth.schemas.errors import AuthenticationError, InputError, RunError
from datasynth.schemas.evaluation import Evaluation, EvaluationSettings
from datasynth.tasks.evaluate.conclusion import concluded
from datasynth.tasks.evaluate.judging import judge_batch, place_of
from datasynth.tasks.evaluate.opening import require_evaluable
from datasynth.tasks.evaluate.sampling import draw_sample
from datasynth.tasks.generate.engines import close_engine
from datasynth.tasks.llm.simulated.process import SimulatedServer

WORDS = ("pan", "pot", "oven", "knife", "whisk", "sieve", "ladle", "grater", "kettle", "mortar")
RECORDS = [
    {
        "instruction": f"How do I clean a {word} that has stood for {n} days after {where}?",
        "response": f"Let it soak for {n} hours, then scrub the {word} with coarse salt and {where} to finish.",
        "level": "easy" if n % 2 else "hard",
    }
    for n, (word, where) in enumerate(
        (word, where) for word in WORDS for where in ("a long summer feast", "burnt caramel sauce", "frying small fish")
    )
]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")


@pytest.fixture
def told(endpoint: SimulatedServer, tmp_path: Path) -> dict[str, Any]:
    """Settings of an evaluation of thirty records by a judge at `endpoint`."""
    return written(tmp_path, RECORDS) | {
        "judge_provider": "openai",
        "judge_model": "judge",
        "judge_base_url": f"{endpoint.url}/v1",
        "judge_input_price": 2.0,
        "judge_output_price": 9.0,
        "retry_delay": 0.01,
    }


def judged(told: dict[str, Any], **changes: Any) -> Evaluation:
    """An evaluation with its judge, to its end."""
    subject = worked_on(EvaluationSettings.model_validate(told | changes))
    sample = draw_sample(subject)
    try:
        receipts = [judge_batch(batch, sample, subject, None) for batch in sample.batches]
    finally:
        close_engine(place_of(sample, subject))
    return concluded(subject, sample, receipts)


def test_a_limit_is_kept_and_with_more_of_it_only_the_rest_is_paid(
    told: dict[str, Any], endpoint: SimulatedServer
) -> None:
    part = judged(told, max_calls=4, concurrency=1, min_quality=0.0)
    assert part.judged is not None
    assert (part.judged.scored, part.judged.stopped_by, endpoint.stats()["replies"]) == (20, "max_calls", 4)
    assert "max_calls" in str(part.notes[-1])
    whole = judged(told, id="e2", min_quality=0.0)
    assert whole.judged is not None
    assert (whole.judged.scored, whole.judged.stopped_by, whole.verdict) == (30, None, "passed")
    assert (part.paid.calls, whole.paid.calls, whole.judged.spend.calls) == (4, 2, 6)
    assert (endpoint.stats()["replies"], endpoint.stats()["repeats"]) == (6, 0)


def test_the_cost_is_that_of_the_tokens_the_server_counted(told: dict[str, Any], endpoint: SimulatedServer) -> None:
    found = judged(told, judges=3, sample=12)
    tokens = endpoint.stats()["tokens"]
    assert found.judged is not None
    assert found.paid == found.judged.spend
    cost = (2.0 * (tokens["input"] + tokens["cache_read"]) + 9.0 * tokens["output"]) / 1e6
    assert found.paid.usage.total == sum(tokens.values())
    assert found.paid.cost_usd == pytest.approx(cost, rel=1e-9)
    assert (found.judged.sampled, found.judged.judges, found.judged.simulated) == (12, 3, True)
    assert sum(one.records for one in found.judged.by_value if one.attribute == "level") == found.judged.scored
    assert found.judged.lowest == tuple(sorted(found.judged.lowest, key=lambda one: one.score))


def test_a_gate_that_a_limit_left_unmeasured_is_not_met(told: dict[str, Any], endpoint: SimulatedServer) -> None:
    found = judged(told, max_cost=0.0, min_quality=0.0)
    assert found.judged is not None
    assert (found.judged.scored, found.judged.mean, found.verdict) == (0, None, "failed")
    assert endpoint.stats()["replies"] == 0


def test_a_refused_key_ends_it_and_no_half_evaluation_is_left(
    told: dict[str, Any], endpoint: SimulatedServer, tmp_path: Path
) -> None:
    endpoint.set(api_key="another")
    with pytest.raises(AuthenticationError):
        judged(told)
    assert not (tmp_path / "evaluations/e1/evaluation.json").exists()


def test_a_judge_that_answers_nothing_is_said_to_and_no_run_to_be_gone_on_with(
    told: dict[str, Any], endpoint: SimulatedServer
) -> None:
    endpoint.set(rate_500=1.0)
    with pytest.raises(RunError, match=r"answered none of 6 calls.*evaluate again"):
        judged(told, max_retries=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"judge_provider": "opnai"}, "no provider opnai"),
        ({"judge_base_url": None, "judge_model": "gpt-none", "judge_input_price": None, "max_cost": 1}, "is unknown"),
        ({"judge_api_key_env": "NO_SUCH_KEY"}, "NO_SUCH_KEY is not set"),
    ],
)
def test_a_judge_that_cannot_be_asked_is_found_before_anything_is_done(
    changes: dict[str, Any], words: str, told: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=words):
        require_evaluable(EvaluationSettings.model_validate(told | changes))
