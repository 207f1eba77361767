"""The main job through the provider's batch endpoint."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import orjson
import pytest
from outcomes import adds_up, records_in

from datasynth.schemas.errors import InputError
from datasynth.schemas.report import RunReport
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.llm.prices import listed_price
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.rounds.estimate import estimate_run, estimate_without_recipe
from datasynth.tasks.sources.recipes import read_recipe

Run = Callable[..., RunReport]


def test_a_batched_run_gives_the_exact_count_and_makes_no_single_call(run: Run, endpoint: SimulatedServer) -> None:
    endpoint.set(rate_empty=0.1, rate_duplicate=0.1, rate_truncated=0.1)
    report = run(batch_api=True, target_count=40, concurrency=4, input_price=1.0, output_price=5.0)
    stats = endpoint.stats()
    assert len(records_in(report)) == report.total == 40
    assert adds_up(report)
    assert not [path for path in stats["by_endpoint"] if "chat/completions" in path]
    assert report.spend.calls == stats["replies"]
    assert (report.spend.usage.input, report.spend.usage.output) == (
        stats["tokens"]["input"],
        stats["tokens"]["output"],
    )


def test_a_provider_without_a_batch_endpoint_is_refused_before_a_call(
    run: Run, endpoint: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-test")
    with pytest.raises(InputError, match="deepseek has no batch endpoint"):
        run(provider="deepseek", batch_api=True)
    assert endpoint.stats()["requests"] == 0


def test_a_batched_run_is_estimated_at_half_the_price(settings_for: Callable[..., SynthesisSettings]) -> None:
    price = listed_price("claude-sonnet-5-5", "anthropic")
    settings = settings_for()
    recipe = read_recipe(settings)
    detection = detect_kind(recipe.record_schema, recipe.seeds)
    batched = settings.model_copy(update={"batch_api": True})
    full, half = (estimate_run(recipe, detection, s, "claude-sonnet-5-5", price) for s in (settings, batched))
    assert half.cost_usd == pytest.approx((full.cost_usd or 0) / 2)
    by_rule = [estimate_without_recipe(100, 5, price, tier=tier).cost_usd or 0 for tier in ("standard", "batch")]
    assert by_rule[1] == pytest.approx(by_rule[0] / 2)


def test_a_run_killed_while_its_batch_is_under_way_is_resumed_without_paying_again(
    prefect_api: str, examples: Path, tmp_path: Path
) -> None:
    # Two processes of the program and their flow runs take their time; and a server of its own, for others' batches
    # would be counted too.
    with SimulatedServer.start({"batch_seconds": 600}) as server:
        words = [
            sys.executable, "-m", "datasynth", "generate", str(examples / "support_zh"), "-n", "20", "--batch-api",
            "--provider", "openai", "-m", "simulated-model", "--base-url", f"{server.url}/v1", "--batch-size", "3",
            "--lang", "en", "--store", str(tmp_path / "store"), "-o", str(tmp_path / "out.json"),
        ]  # fmt: skip
        environment = os.environ | {"PREFECT_API_URL": prefect_api, "OPENAI_API_KEY": "sk-test-0123456789"}
        with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as killed:
            await_batch(server, killed)
            killed.kill()
        server.set(batch_seconds=0)
        with subprocess.Popen(
            [*words, "--resume"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as resumed:
            said, _ = resumed.communicate(timeout=240)
        assert resumed.returncode == 0, said
        # A batch is answered, and counted, when it is looked at: those that nobody collected are now.
        with urlopen(f"{server.url}/v1/batches") as response:
            batches = orjson.loads(response.read())["data"]
        stats = server.stats()
    assert sum(batch["request_counts"]["completed"] for batch in batches) == stats["replies"]
    assert stats["repeats"] == 0


def await_batch(endpoint: SimulatedServer, process: subprocess.Popen[bytes]) -> None:
    """Returns once the process has looked at its batch, and so has recorded it."""
    deadline = time.monotonic() + 120
    while not endpoint.stats()["by_endpoint"].get("GET /v1/batches/{id}"):
        assert process.poll() is None, process.stdout and process.stdout.read().decode()
        assert time.monotonic() < deadline, "no batch was looked at"
        time.sleep(0.05)
