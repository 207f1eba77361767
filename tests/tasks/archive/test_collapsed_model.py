"""What docs/quality-diversity.md claims, in small: steering wins over random attributes, and these over none."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from datasynth.tasks.llm.simulated.knobs import Knobs

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "quality_diversity.py"


@pytest.fixture(scope="module")
def benchmark_() -> ModuleType:
    spec = importlib.util.spec_from_file_location("quality_diversity", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_at_a_hundred_calls_to_a_collapsed_model_the_archive_brings_most_and_plain_prompts_least(
    benchmark_: ModuleType,
) -> None:
    recipe = benchmark_.shop(channels=1)
    found = {
        way.name: benchmark_.Trial(recipe, way, Knobs(collapse=0.95), seed=0, concurrency=2).run(100)
        for way in benchmark_.WAYS
    }
    plain, drawn, steered = (found[name].accepted for name in ("plain", "random attributes", "archive"))
    assert steered > 1.1 * drawn
    assert drawn > 1.3 * plain
    assert min(found["archive"].niches.values()) > min(found["random attributes"].niches.values())
