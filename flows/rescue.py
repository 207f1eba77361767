"""Runs whose process died are given to the next free worker, which goes on with them.

Prefect's recipe for this, an automation that misses heartbeats, was tried and left: with SQLite it fires twice
(`database is locked`), the second time at the run that goes on elsewhere by then; and what it watches is lost or
misjudged when the server was away. Here everything is read anew, and looked at twice before anything is done.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

from prefect import flow, get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.runtime import flow_run
from prefect.states import AwaitingRetry, Crashed

from datasynth.schemas.form import parameter

TAG = "datasynth"
HEARTBEAT = "prefect.flow-run.heartbeat"
MOST_BEGINNINGS = 5
"""What killed five processes is not mended by a sixth. A pause for approval takes one, too."""
STILL_NEWS = timedelta(days=1)
"""An older crash was seen by somebody, who left it at that."""
TO_BEGIN = 3
"""Times the silence allowed to a run that is to begin: an image may have to be pulled first."""

Silence = Annotated[
    float,
    parameter("Seconds of silence", "A run whose last heartbeat is older counts as dead. Several must fit in.", ge=0),
]
Again = Annotated[
    float,
    parameter(
        "Seconds to the second look",
        "Only what is silent then, too, is given away. A heartbeat must fit in: the server may have been away.",
        ge=0,
    ),
]


@flow(name="rescue-runs", flow_run_name="rescue runs")
def rescue_runs(silent_seconds: Silence = 600, again_seconds: Again = 200) -> list[str]:
    """Sets runs whose process died back to be scheduled: the same flow runs, so the same runs on storage.

    Returns:
        The names of the runs that a worker will go on with.
    """
    log = get_run_logger()
    silence = timedelta(seconds=silent_seconds)
    with get_client(sync_client=True) as client:
        silent = list(_silent(client, silence))
        if silent:
            log.warning("No sign of life: %s; looking again in %s s", ", ".join(map(_name, silent)), again_seconds)
            time.sleep(again_seconds)
            known = {(run.id, run.state_id) for run in silent}
            silent = [run for run in _silent(client, silence) if (run.id, run.state_id) in known]
        rescued = [run for run in (*silent, *_crashed(client)) if run.run_count <= MOST_BEGINNINGS]
        for run in rescued:
            _set(client, run, AwaitingRetry(message="Its process died. The next free worker goes on with it."))
            log.info("To be gone on with: %s", _name(run))
        for run in silent:
            if run not in rescued:
                _set(client, run, Crashed(message=f"The last of {run.run_count} processes died. Look why, then retry."))
    return [run.name for run in rescued]


def _silent(client: SyncPrefectClient, silence: timedelta) -> Iterator[FlowRun]:
    """Runs that a worker took, of which nothing was heard for longer than `silence`."""
    states = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING])
    for run in _ours(client, FlowRunFilter(state=FlowRunFilterState(type=states))):
        if run.state is None or datetime.now(UTC) - run.state.timestamp < silence:
            continue
        if run.state.is_pending():
            dead = datetime.now(UTC) - run.state.timestamp >= TO_BEGIN * silence
        else:
            last = _last_heartbeat(client, run, since=run.state.timestamp)
            # One is sent when a run begins. None at all: they are switched off, and silence says nothing.
            dead = last is not None and datetime.now(UTC) - last >= silence
        if dead:
            yield run


def _crashed(client: SyncPrefectClient) -> Iterator[FlowRun]:
    """Runs whose worker outlived their process and said so. Those that never began would crash again at once."""
    crashed = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CRASHED])),
        end_time=FlowRunFilterEndTime.model_validate({"after_": datetime.now(UTC) - STILL_NEWS}),
    )
    return (run for run in _ours(client, crashed) if run.run_count)


def _ours(client: SyncPrefectClient, which: FlowRunFilter) -> list[FlowRun]:
    """Runs of deployments, which workers can go on with; without this one."""
    which = which.model_copy(update={"tags": FlowRunFilterTags(all_=[TAG])})
    found = client.read_flow_runs(flow_run_filter=which)
    return [run for run in found if run.deployment_id and str(run.id) != flow_run.id]


def _last_heartbeat(client: SyncPrefectClient, run: FlowRun, *, since: datetime) -> datetime | None:
    heartbeats = EventFilter(
        event=EventNameFilter(name=[HEARTBEAT]),
        resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"]),
        # The run's machine may have another clock than the server, and this one a third.
        occurred=EventOccurredFilter.model_validate({"since": since - timedelta(minutes=5)}),
    )
    events = client.read_events(heartbeats, limit=1).events  # the newest comes first
    return max((event.received for event in events), default=None)


def _set(client: SyncPrefectClient, run: FlowRun, state: State[None]) -> None:
    client.set_flow_run_state(run.id, state)


def _name(run: FlowRun) -> str:
    return f"{run.name} ({run.id})"
