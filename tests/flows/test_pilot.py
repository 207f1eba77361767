"""What a pilot round foretells of the whole run's bill."""

from collections.abc import Callable

import pytest

from datasynth.schemas.report import RunReport
from datasynth.tasks.llm.simulated.process import SimulatedServer


@pytest.mark.parametrize("example", ["support_zh", "preference_en"])
def test_five_calls_foretell_the_bill_within_a_tenth(
    run: Callable[..., RunReport], endpoint: SimulatedServer, example: str
) -> None:
    endpoint.set(rate_invalid=0.04, rate_duplicate=0.04, rate_malformed=0.02)
    report = run(example, target_count=300, pilot=5, input_price=1.0, output_price=4.0)
    assert report.estimate is not None
    assert report.estimate.basis == "pilot"
    assert report.estimate.cost_usd == pytest.approx(report.spend.cost_usd, rel=0.1)
    assert report.estimate.output_tokens == pytest.approx(report.spend.usage.output, rel=0.1)
