"""Flow runs of a deployment, executed here as a worker's child would: `run_flow` is what it calls."""

from typing import Any, NamedTuple

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import Abort, ObjectNotFound, Pause
from prefect.flow_engine import run_flow

from datasynth.schemas.settings import SynthesisSettings


def deployed_run(
    client: SyncPrefectClient, flow: Flow[..., Any], parameters: dict[str, Any], *, pool: str | None = None
) -> FlowRun:
    """A flow run that nobody has begun, of a deployment made for it."""
    if pool:
        try:
            client.read_work_pool(pool)
        except ObjectNotFound:
            client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
    deployment = client.create_deployment(
        flow_id=client.create_flow(flow),
        name=f"by hand {pool or ''}",
        entrypoint="datasynth.flows.synthesize.synthesize",
        work_pool_name=pool,
        pull_steps=[],
    )
    return client.create_flow_run_from_deployment(deployment, parameters=parameters)


def synthesis_run(client: SyncPrefectClient, settings: SynthesisSettings, *, pool: str | None = None) -> FlowRun:
    """A flow run of `synthesize` that nobody has begun."""
    from datasynth.flows.synthesize import synthesize

    values = settings.model_dump(mode="json", exclude_defaults=True)
    return deployed_run(client, synthesize, {"settings": values}, pool=pool)


def executed(client: SyncPrefectClient, run: FlowRun) -> Any:
    """The report of a run of `synthesize`; None where it was suspended or cancelled on its way."""
    from datasynth.flows.synthesize import synthesize

    try:
        return run_flow(synthesize, flow_run=client.read_flow_run(run.id))
    except (Pause, Abort):
        return None


def state_of(client: SyncPrefectClient, run: FlowRun) -> State:
    state = client.read_flow_run(run.id).state
    assert state
    return state


class Shown(NamedTuple):
    """An artifact, as it stands in the Prefect UI."""

    key: str
    data: Any
    description: str


def artifacts_of(client: SyncPrefectClient, run: FlowRun) -> dict[str, Shown]:
    """The artifacts of a flow run by kind, the last word of their keys; none of them twice."""
    found = client.read_artifacts(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
    shown = [Shown(one.key or "", one.data, one.description or "") for one in found]
    kinds = {one.key.rpartition("-")[2]: one for one in shown}
    assert len(kinds) == len(found)
    return kinds
