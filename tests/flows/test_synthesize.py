"""The main job, through a real Prefect API, the real SDKs and real sockets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from outcomes import adds_up, data_set, records_in

from datasynth.schemas.errors import AuthenticationError, InputError, RequestRefusedError, RunError, StorageError
from datasynth.schemas.report import RunReport
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.index import NearDuplicateIndex, views_for
from datasynth.tasks.dedup.settings import DedupSettings
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.sources.recipes import read_recipe
from datasynth.tasks.validate.validator import RecordValidator

Run = Callable[..., RunReport]


@pytest.mark.parametrize("example", ["support_zh", "preference_en", "unit_conversion_spec"])
def test_every_example_gives_the_exact_count_of_valid_and_different_records(
    example: str, run: Run, settings_for: Callable[..., SynthesisSettings]
) -> None:
    report = run(example, target_count=150)
    recipe = read_recipe(settings_for(example))
    records = records_in(report)
    verdicts = RecordValidator(recipe.record_schema).check(records)
    index = NearDuplicateIndex(
        DedupSettings(), views_for(recipe.record_schema, detect_kind(recipe.record_schema, recipe.seeds))
    )
    index.add(recipe.seeds, [f"seed {i}" for i in range(len(recipe.seeds))])
    assert len(records) == len(data_set(report)) == report.total == 150
    assert all(verdicts.valid), verdicts.problems
    assert [m for r in records for m in index.screen([r], ["x"]) if m] == []
    assert adds_up(report)


def test_a_spec_whose_seeds_are_placeholders_works_from_the_schema(run: Run) -> None:
    report = run("unit_conversion_spec", target_count=10)
    assert (report.seeds_used, len(report.seed_problems)) == (0, 50)


def test_what_the_report_says_was_paid_is_what_the_server_billed(run: Run, endpoint: SimulatedServer) -> None:
    report = run(input_price=2.0, output_price=10.0)
    billed = endpoint.stats()["tokens"]
    usage = report.spend.usage
    assert (usage.input, usage.output, usage.cache_read) == (billed["input"], billed["output"], billed["cache_read"])
    assert report.spend.calls == endpoint.stats()["replies"]
    expected = (billed["input"] + billed["cache_read"]) * 2.0 / 1e6 + billed["output"] * 10.0 / 1e6
    assert report.spend.cost_usd == pytest.approx(expected, abs=1e-9)


def test_a_later_run_asks_other_things_and_repeats_no_record(run: Run) -> None:
    simulated = {"provider": "simulated", "model": None, "base_url": None}
    reports = [run(target_count=40, **simulated) for _ in range(2)]
    texts = [{record["instruction"] for record in data_set(report).to_dicts()} for report in reports]
    plans = [Path(report.run_url, "rounds", "00001.plan.json").read_bytes() for report in reports]
    assert texts[0].isdisjoint(texts[1])
    assert plans[0] != plans[1]


def test_a_real_run_may_repeat_what_a_simulated_one_made_up(run: Run, tmp_path: Path) -> None:
    run(target_count=10, provider="simulated", model=None, base_url=None)
    later = run(target_count=10)
    card = orjson.loads(Path(later.run_url, "run.json").read_bytes())
    assert list((tmp_path / "store" / "support_zh" / "index").glob("*.simulated.npz"))
    assert card["earlier"] == []


def test_all_faults_at_once_cost_retries_and_no_record(run: Run, endpoint: SimulatedServer) -> None:
    endpoint.set(
        rate_429=0.05, rate_529=0.05, rate_500=0.05, rate_503=0.03, rate_reset=0.03, rate_half=0.03,
        rate_truncated=0.05, rate_malformed=0.05, rate_empty=0.03, rate_refusal=0.03, rate_tool_call=0.03,
        rate_wrapped=0.1, rate_duplicate=0.05, rate_near_duplicate=0.05, rate_invalid=0.1,
    )  # fmt: skip
    report = run(target_count=200, batch_size=4)
    assert report.total == len(records_in(report)) == 200
    assert adds_up(report)
    assert report.spend.calls == endpoint.stats()["replies"]
    assert {"validate", "dedup"} <= {reason.split(".")[0] for reason in report.counts.rejected}


def test_a_cut_record_never_passes_and_its_whole_neighbours_do(run: Run, endpoint: SimulatedServer) -> None:
    endpoint.set(rate_truncated=0.3)
    report = run(target_count=100)
    assert report.total == 100
    assert report.counts.missing["truncated"] > 0


@pytest.mark.parametrize("limit", [{"max_calls": 5}, {"max_tokens": 60_000}, {"max_cost": 0.05}])
def test_a_limit_ends_the_run_short_and_is_never_passed(
    limit: dict[str, Any], run: Run, endpoint: SimulatedServer
) -> None:
    report = run(target_count=2000, input_price=1.0, output_price=2.0, **limit)
    billed = endpoint.stats()
    tokens = billed["tokens"]
    cost = ((tokens["input"] + tokens["cache_read"]) * 1.0 + tokens["output"] * 2.0) / 1e6
    assert report.stopped_by == next(iter(limit))
    assert 0 < report.total < 2000
    assert billed["replies"] <= limit.get("max_calls", 10**9)
    assert sum(tokens.values()) <= limit.get("max_tokens", 10**9)
    assert cost <= limit.get("max_cost", 10**9)
    assert not Path(report.run_url, "manifest.json").exists()


def test_a_raised_limit_goes_on_where_the_run_stopped(run: Run, endpoint: SimulatedServer) -> None:
    short = run(target_count=60, max_calls=5)
    whole = run(target_count=60, resume=True)
    assert whole.run_id == short.run_id
    assert whole.total == 60
    assert endpoint.stats()["repeats"] == 0
    assert whole.spend.calls == endpoint.stats()["replies"]


def test_a_finished_run_is_extended_by_a_greater_count(run: Run, endpoint: SimulatedServer) -> None:
    first = run(target_count=30)
    more = run(target_count=50, resume=True)
    assert (more.run_id, more.total) == (first.run_id, 50)
    assert records_in(more)[:30] == records_in(first)[:30]
    assert endpoint.stats()["repeats"] == 0


def test_a_yield_that_collapsed_ends_the_run_and_says_why(run: Run, endpoint: SimulatedServer) -> None:
    endpoint.set(rate_duplicate=1.0)
    report = run(target_count=3000)
    assert report.stopped_by == "dry"
    assert report.fell_short
    assert "dedup" in str(report.explanation.values["reason"])


def test_a_refused_key_ends_the_run_at_once(run: Run, endpoint: SimulatedServer, tmp_path: Path) -> None:
    endpoint.set(api_key="sk-another-key")
    with pytest.raises(AuthenticationError, match="OPENAI_API_KEY"):
        run(concurrency=4)
    assert endpoint.stats()["requests"] <= 4
    assert not (tmp_path / "synthetic.json").exists()


def test_requests_refused_as_malformed_end_the_run_with_the_explanation(run: Run, endpoint: SimulatedServer) -> None:
    endpoint.set(bad_request=True)
    with pytest.raises(RequestRefusedError, match="400"):
        run(concurrency=2)
    assert endpoint.stats()["requests"] < 20


def test_a_parameter_that_the_endpoint_does_not_take_is_left_out(run: Run, endpoint: SimulatedServer) -> None:
    endpoint.set(reject_parameters="temperature,response_format")
    report = run(target_count=30)
    assert report.total == 30


def test_an_endpoint_that_never_answers_ends_the_run_as_failed(run: Run, endpoint: SimulatedServer) -> None:
    endpoint.set(rate_500=1.0)
    report = run(target_count=10, max_retries=1)
    assert report.stopped_by == "failed"
    assert "500" in str(report.explanation.values["trouble"])
    assert report.counts.missing == {"server_error": 20}


def test_lineage_names_call_seeds_model_and_that_no_model_wrote_it(run: Run) -> None:
    report = run(target_count=10)
    lineage = data_set(report)["_lineage"].struct.unnest()
    assert report.simulated
    assert lineage["simulated"].all()
    assert lineage["id"].to_list() == [f"SYNTH_{i:04d}" for i in range(1, 11)]
    assert lineage["model"].unique().to_list() == ["simulated-model"]
    assert all(lineage["seeds"].list.len() > 0)


def test_the_key_is_nowhere_on_disk(run: Run, tmp_path: Path) -> None:
    run(target_count=10)
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"sk-test-0123456789" not in path.read_bytes(), path


def test_bad_input_is_found_before_a_call(run: Run, endpoint: SimulatedServer, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="price"):
        run(max_cost=1.0)
    with pytest.raises(StorageError, match="folder"):
        run(output=str(tmp_path / "folder"))
    with pytest.raises(InputError, match="run's id"):
        run(run_id="../../escape")
    assert endpoint.stats()["requests"] == 0


def test_the_output_of_an_earlier_tool_is_carried_over(run: Run, tmp_path: Path) -> None:
    earlier = run(target_count=20)
    document = orjson.loads(Path(earlier.output or "").read_bytes())
    target = tmp_path / "old" / "synthetic.json"
    target.parent.mkdir()
    target.write_bytes(orjson.dumps(document))
    report = run(target_count=30, resume=True, output=str(target), store=str(tmp_path / "fresh"))
    assert (report.carried_over, report.total) == (20, 30)
    assert records_in(report)[:20] == records_in(earlier)


def test_jsonl_has_one_record_a_line(run: Run, tmp_path: Path) -> None:
    report = run(target_count=10, output=str(tmp_path / "out.jsonl"), output_format="jsonl", stats=True)
    lines = Path(report.output or "").read_bytes().splitlines()
    assert len(lines) == 10
    assert pl.read_ndjson(Path(report.output or "")).height == 10
    assert (tmp_path / "out.stats.json").exists()


def test_without_validation_all_that_comes_is_kept(run: Run, endpoint: SimulatedServer) -> None:
    endpoint.set(rate_invalid=0.5)
    report = run(target_count=40, validate_records=False)
    assert report.total == 40
    assert not {r for r in report.counts.rejected if r.startswith("validate.")}


def test_a_limit_that_was_met_and_is_raised_when_the_run_goes_on_is_not_met_again(
    run: Callable[..., RunReport], endpoint: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its receipts, which say which calls the limit stopped, were in Prefect's cache before the round was judged."""
    from datasynth.tasks import steps

    judge = steps.judge_round

    def ends(receipts: Any, plans: Any, job: Any) -> Any:
        if plans[0].round == 2:
            raise RunError("as if it had been killed here")
        return judge(receipts, plans, job)

    asked = {"target_count": 30, "batch_size": 1, "pilot": 12, "concurrency": 2, "run_id": "raised"}
    with monkeypatch.context() as patch:
        patch.setattr(steps, "judge_round", ends)
        with pytest.raises(RunError, match="killed here"):
            run(**asked, max_calls=16)
    report = run(**asked, max_calls=200)
    assert (report.total, report.stopped_by) == (30, "done")
    assert endpoint.stats()["repeats"] == 0
