"""Whole runs as a user starts them: a process of its own, a real Prefect API, real sockets.

Each takes some seconds, most of them Prefect's imports; nothing cheaper shows what a process prints and leaves.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from datasynth.tasks.llm.simulated.process import SimulatedServer

SECRET = "sk-this-is-the-secret-0123456789"
API = """
import dataclasses, json, sys
from datasynth import SynthEngine
seen = []
engine = SynthEngine(provider="simulated", store=sys.argv[2])
result = engine.generate(
    analysis_dir=sys.argv[1], target_count=20, concurrency=3, output=sys.argv[3],
    on_progress=lambda made, wanted: seen.append([made, wanted]),
)
facts = {f.name: getattr(result, f.name) for f in dataclasses.fields(result) if f.name != "report"}
print(json.dumps(facts | {"seen": seen, "kind": result.report and result.report.kind}))
"""


@pytest.fixture
def process(prefect_api: str, tmp_path: Path) -> Any:
    """Runs Python with arguments to its end, in an empty folder."""

    def run(*words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PREFECT_API_URL": prefect_api, "HOME": str(tmp_path / "home")} | variables
        command = [sys.executable, *map(str, words)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return run


def test_a_run_says_what_was_made_what_it_cost_and_where_it_is(process, analysis: Path, tmp_path: Path):
    hook = "python3 -c 'import sys; print(sys.argv[1:])' {output_path} {count}"
    options = ["-n", "12", "-p", "simulated", "-o", "out.jsonl", "--stats", "--post-hook", hook]
    result = process("-m", "datasynth", "generate", analysis, *options)
    assert result.returncode == 0, result.stderr
    assert f"['{tmp_path}/out.jsonl', '12']" in result.stdout or "['out.jsonl', '12']" in result.stdout
    said = [line for line in result.stdout.splitlines() if not line.startswith("[")]
    assert said[0].startswith("Simulated: no language model wrote these records.")
    assert said[1].startswith("12 of 12 records accepted · $0.00 (exact) · ")
    assert "Records: out.jsonl" in said
    assert "Statistics: out.stats.json" in said
    assert len((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()) == 12
    assert json.loads((tmp_path / "out.stats.json").read_text())["total_samples"] == 12
    assert "Traceback" not in result.stderr


def test_a_refused_key_ends_the_run_and_appears_nowhere(
    process, analysis: Path, endpoint: SimulatedServer, tmp_path: Path
):
    endpoint.set(api_key="another")
    options = [
        "-n",
        "5",
        "-p",
        "openai",
        "-m",
        "some-model",
        "--base-url",
        f"{endpoint.url}/v1",
        "-o",
        "out.json",
        "-v",
    ]
    result = process("-m", "datasynth", "generate", analysis, *options, OPENAI_API_KEY=SECRET)
    assert result.returncode == 1
    assert "refused the key" in result.stderr
    assert "OPENAI_API_KEY" in result.stderr
    assert SECRET not in result.stdout + result.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_the_python_api_makes_what_the_command_makes(process, analysis: Path, tmp_path: Path):
    result = process("-c", API, analysis, tmp_path / "store", tmp_path / "out.json")
    assert result.returncode == 0, result.stderr
    facts = json.loads(result.stdout)
    assert (facts["success"], facts["error"], facts["generated_count"]) == (True, "", 20)
    assert facts["cost_usd"] == facts["estimated_cost"] == 0.0
    assert facts["total_tokens"] > 0
    assert facts["seen"][-1] == [20, 20]
    assert facts["kind"] == "instruction_response"
    assert facts["stats"]["total_samples"] == 20
    assert len(json.loads(Path(facts["output_path"]).read_text())["samples"]) == 20
