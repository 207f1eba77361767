"""A person's yes before a run costs more than was agreed, through a real Prefect API; once with a worker too."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from deployed import artifacts_of, executed, state_of, synthesis_run
from outcomes import adds_up
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from team import announcements, awaited, below, states_of, team_at, working

from datasynth.schemas.announcement import RUN_FAILED
from datasynth.schemas.errors import RunError
from datasynth.schemas.report import RunReport
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.simulated.process import SimulatedServer

pytestmark = pytest.mark.timeout(900)
TARGET = 30
Settings = Callable[..., SynthesisSettings]


@pytest.fixture
def client(prefect: None) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as opened:
        yield opened


@pytest.fixture
def priced(settings_for: Settings) -> Settings:
    """Settings of a run that asks for approval, whatever it costs."""
    usual = {"target_count": TARGET, "approve_over": 0.0, "input_price": 1.0, "output_price": 4.0}
    return lambda **changes: settings_for(**usual | changes)


def form_of(client: SyncPrefectClient, run: FlowRun) -> tuple[dict[str, Any], str]:
    """What the Prefect UI makes its form of, and what stands above it."""
    keys = state_of(client, run).state_details.run_input_keyset
    assert keys
    schema, words = (json.loads(client.read_flow_run_input(run.id, keys[name])) for name in ("schema", "description"))
    return schema["properties"], words


def test_a_run_waits_without_a_process_and_goes_on_after_the_yes_without_paying_its_pilot_again(
    prefect_api: str, client: SyncPrefectClient, priced: Settings, endpoint: SimulatedServer, tmp_path: Path
) -> None:
    """It takes most of a minute: a worker and two processes of the flow import Prefect."""
    run = synthesis_run(client, priced(batch_size=4), pool="datasynth")
    with working(team_at(prefect_api, tmp_path, OPENAI_API_KEY="sk-test"), tmp_path / "worker.log") as worker:
        awaited(lambda: state_of(client, run).name == "Suspended", worker.said)
        awaited(lambda: not below(worker.process.pid), worker.said)
        assert endpoint.stats()["replies"] == 3, "calls of four for ten records"
        client.resume_flow_run(run.id, run_input={"approve": "yes", "max_cost": 7.5})
        awaited(lambda: state_of(client, run).is_final(), worker.said)
        assert states_of(client, run).count("Suspended") == 1, worker.said()
        assert state_of(client, run).is_completed(), worker.said()
    (written,) = (tmp_path / "store").glob("*/runs/*/report.json")
    report = RunReport.model_validate_json(written.read_bytes())
    assert (report.total, adds_up(report), report.settings["max_cost"]) == (TARGET, True, 7.5)
    assert endpoint.stats()["replies"] == report.spend.calls
    assert report.estimate
    assert report.estimate.basis == "pilot"


def test_a_refused_run_ends_as_refused_and_spends_nothing_more(
    client: SyncPrefectClient, priced: Settings, endpoint: SimulatedServer
) -> None:
    run = synthesis_run(client, priced(target_count=3000, max_cost=0.2))
    assert executed(client, run) is None
    fields, words = form_of(client, run)
    assert fields["max_cost"]["default"] == 0.2
    assert fields["approve"]["enum"] == ["yes", "no"]
    assert "All 3,000 records should cost about" in words
    assert "Its budget of $0.20 is less" in words
    shown = artifacts_of(client, run)["approval"].data
    assert words in shown
    assert shown.count("| `instruction` |") == 10
    spent = endpoint.stats()["replies"]
    client.resume_flow_run(run.id, run_input={"approve": "no"})
    assert executed(client, run) is None
    state = state_of(client, run)
    assert (state.type.value, state.name) == ("CANCELLED", "Refused")
    assert "A person said no" in (state.message or "")
    assert endpoint.stats()["replies"] == spent
    awaited(lambda: announcements(client, RUN_FAILED, "flow_run_id", run.id), lambda: "no event came")


def test_a_run_that_nobody_approves_in_time_ends_and_says_so(
    client: SyncPrefectClient, priced: Settings, endpoint: SimulatedServer
) -> None:
    """A server with all its services notices by itself within seconds; the tests' one only when somebody comes late."""
    run = synthesis_run(client, priced(approval_hours=1 / 3600))
    assert executed(client, run) is None
    until = state_of(client, run).state_details.pause_timeout
    assert until
    awaited(lambda: datetime.now(UTC) > until, lambda: "time stands still")
    client.resume_flow_run(run.id, run_input={"approve": "yes"})
    state = state_of(client, run)
    assert state.is_failed()
    assert "never resumed" in (state.message or "")
    assert endpoint.stats()["replies"] == 2


def test_a_run_of_unknown_price_is_asked_about_without_a_figure_for_its_cost(
    client: SyncPrefectClient, priced: Settings
) -> None:
    run = synthesis_run(client, priced(input_price=None, output_price=None, approve_over=1000))
    assert executed(client, run) is None
    fields, words = form_of(client, run)
    assert set(fields) == {"approve"}
    assert "The price of the model is unknown" in words
    client.resume_flow_run(run.id, run_input={"approve": "yes"})
    report = executed(client, run)
    assert (report.total, report.spend.cost_usd) == (TARGET, None)


def test_a_run_below_the_limit_is_not_stopped(client: SyncPrefectClient, priced: Settings) -> None:
    run = synthesis_run(client, priced(approve_over=1000, target_count=15))
    assert executed(client, run).total == 15
    assert "Suspended" not in states_of(client, run)


def test_where_nobody_can_be_asked_the_run_ends_after_its_pilot_and_a_higher_limit_goes_on_with_it(
    prefect: None, priced: Settings, endpoint: SimulatedServer
) -> None:
    from datasynth.flows.synthesize import synthesize

    with pytest.raises(RunError, match=r"30 records should cost about .* more than --approve-over allows \(\$0.00\)"):
        synthesize(priced())
    assert endpoint.stats()["replies"] == 2
    report = synthesize(priced(approve_over=5.0, resume=True))
    assert report.total == TARGET
    assert endpoint.stats()["replies"] == report.spend.calls
