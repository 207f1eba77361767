"""The flow `evaluate` over a run: what it finds, what it shows, what it costs, and that it asks nothing twice."""

import json
from collections.abc import Callable
from pathlib import Path

import orjson
import polars as pl
import pytest
from click.testing import CliRunner, Result
from outcomes import records_in
from prefect.client.orchestration import get_client
from s3_server import S3

from datasynth.cli import main
from datasynth.schemas.evaluation import EvaluationSettings
from datasynth.schemas.report import RunReport
from datasynth.tasks.llm.simulated.process import SimulatedServer


def test_a_run_is_evaluated_at_the_servers_price_and_again_for_nothing(
    run: Callable[..., RunReport], endpoint: SimulatedServer, examples: Path, tmp_path: Path
) -> None:
    from datasynth.flows.evaluate import evaluate

    report = run(target_count=40)
    endpoint.reset()
    settings = EvaluationSettings.model_validate(
        {
            "data": report.run_url,
            "id": "first",
            "judge_provider": "openai",
            "judge_model": "judge",
            "judge_base_url": f"{endpoint.url}/v1",
            "judge_input_price": 2.0,
            "judge_output_price": 9.0,
            "judges": 2,
            "sample": 24,
            "min_valid": 1.0,
            "min_quality": 0.99,
            "max_near_duplicates": 0.0,
        }
    )
    found = evaluate(settings)
    billed = endpoint.stats()
    assert [gate.met for gate in found.gates] == [True, False, True]
    assert found.verdict == "failed"
    assert (found.validity.records, found.validity.valid) == (40, 40)
    assert (found.repeats.repeating, found.repeats.seeds) == (0, 0)
    assert found.judged is not None
    assert (found.judged.sampled, found.judged.scored) == (24, 24)
    assert found.diversity is not None
    assert report.diversity is not None
    assert found.diversity.output == report.diversity.output
    assert (found.paid.calls, found.paid.usage.total) == (billed["replies"], sum(billed["tokens"].values()))
    tokens = billed["tokens"]
    full = (2.0 * (tokens["input"] + tokens["cache_read"]) + 9.0 * tokens["output"]) / 1e6
    assert found.paid.cost_usd == pytest.approx(full)

    table = pl.read_parquet(f"{found.url}/records.parquet")
    assert (table.height, table["score"].count()) == (40, 24)
    assert orjson.loads(Path(found.url, "evaluation.json").read_bytes())["judged"]["scored"] == 24
    with get_client(sync_client=True) as client:
        made = [one for one in client.read_artifacts() if (one.key or "").endswith("-evaluation")]
        shown = [one for one in made if report.run_url in str(one.data)]
        assert len(shown) == 1
        ended = client.read_flow_run(shown[0].flow_run_id).state if shown[0].flow_run_id else None
        assert (ended and ended.message) == "Failed: 1 of 3 gates not met."
    assert "mean score" in str(shown[0].data)

    # A retry, another id, another gate: the journal has every judgement.
    assert evaluate(settings) == found
    said = typed(
        report.run_url, "--id", "second", "--judge-provider", "openai", "--judge-model", "judge", "--judge-base-url",
        f"{endpoint.url}/v1", "--judge-input-price", "2", "--judge-output-price", "9", "--judges", "2", "--sample",
        "24", "--min-quality", "0.1", "--json",
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    again = orjson.loads(said.stdout)
    assert (again["verdict"], again["paid"]["calls"]) == ("passed", 0)
    assert again["judged"] == found.judged.model_dump(mode="json")
    assert endpoint.stats()["replies"] == billed["replies"]

    # A file at a terminal: the verdict first, and nothing in it that a terminal obeys.
    records = records_in(report)[:2]
    (tmp_path / "data.json").write_text(json.dumps([*records, records[0] | {"quality": "\x1b[31m"}]))
    said = typed(str(tmp_path / "data.json"), "--analysis", str(examples / "support_zh"), "--min-valid", "0.9")
    assert said.exit_code == 1, said.output
    assert said.stdout.splitlines()[:3] == [
        "Failed: 1 of 1 gates not met.",
        "  NOT met: valid records 67%, at least 90% wanted",
        "2 of 3 records are valid.",
    ]
    assert "  1 × type (wrong type), such as #3: " in said.stdout
    assert "\x1b" not in said.output


def test_a_run_on_s3_is_evaluated_there(run: Callable[..., RunReport], s3: S3, at_s3: Callable[..., None]) -> None:
    from datasynth.flows.evaluate import evaluate

    at_s3()
    report = run(target_count=20, store="s3://bucket/evaluated")
    settings = EvaluationSettings.model_validate({"data": report.run_url, "id": "there", "min_valid": 1.0})
    found = evaluate(settings)
    assert (found.verdict, found.validity.records, found.validity.valid) == ("passed", 20, 20)
    assert found.url.startswith("s3://bucket/evaluated/")
    folder = s3.folder / found.url.removeprefix("s3://")
    assert pl.read_parquet(folder / "records.parquet").height == 20
    assert orjson.loads((folder / "evaluation.json").read_bytes())["validity"]["valid"] == 20
    assert evaluate(settings) == found


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", *words], prog_name="datasynth")
