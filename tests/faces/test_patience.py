"""What Prefect's settings are while one of our runs goes on in this process."""

from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from datasynth.prefect_setup import patient


def test_a_run_without_a_worker_sends_no_heartbeats() -> None:
    assert PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() is not None
    with patient():
        assert PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() is None


def test_heartbeats_that_somebody_asked_for_are_sent() -> None:
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 60}), patient():
        assert PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() == 60
