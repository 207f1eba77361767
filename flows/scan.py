"""Analyses below a root become runs, one each: for those that finish without anybody saying so."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from prefect import flow, get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterIdempotencyKey,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run
from prefect.states import Scheduled

from datasynth.schemas.errors import InputError
from datasynth.schemas.form import parameter
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.blocks.source import forget_blocks
from datasynth.tasks.rounds.runs import dataset_of, store_of
from datasynth.tasks.sources.discovery import Analysis, Unfinished, analyses_below
from datasynth.tasks.sources.recipes import read_recipe

ROOT_VARIABLE = "DATASYNTH_ANALYSES"
ON_ANALYSIS = "synthesize/synthesize-on-analysis"
UNDER_WAY = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED]

Root = Annotated[
    str | None, parameter("Root", f"Folder or s3:// address with analyses; default: the worker's ${ROOT_VARIABLE}.")
]
Deployment = Annotated[
    str, parameter("Deployment to start", "As FLOW/DEPLOYMENT; it is given its own settings, and the analysis.")
]
Settle = Annotated[
    float, parameter("Seconds of quiet", "An analysis written to since is left for the next scan.", ge=0)
]


def _run_name() -> str:
    return f"scan {flow_run.parameters.get('root') or os.environ.get(ROOT_VARIABLE, 'nowhere')}"


@flow(name="scan-analyses", flow_run_name=_run_name)
def scan_analyses(
    root: Root = None,
    deployment: Deployment = ON_ANALYSIS,
    settle_seconds: Settle = 120,
) -> list[str]:
    """Starts one run of `deployment` for each finished analysis under `root` that is new or has changed.

    Returns:
        The addresses of the analyses for which a run was started now.
    """
    log = get_run_logger()
    forget_blocks()
    before = datetime.now(UTC) - timedelta(seconds=settle_seconds)
    found = list(analyses_below(_root(root), settled_before=before))
    for one in found:
        if isinstance(one, Unfinished):
            log.warning("Left out: %s", one.reason)
    finished = [one for one in found if isinstance(one, Analysis)]
    with get_client(sync_client=True) as client:
        started = _started(client, finished, deployment)
    for one in started:
        log.info("Started %s for %s", deployment, one.url)
    log.info("%s analyses, %s of them finished; %s runs started", len(found), len(finished), len(started))
    return [one.url for one in started]


def _root(given: str | None) -> str:
    if root := given or os.environ.get(ROOT_VARIABLE):
        return root
    raise InputError(
        "Where are the analyses? Give the parameter root, or set {variable} where the worker runs.",
        variable=ROOT_VARIABLE,
    )


def _started(client: SyncPrefectClient, finished: list[Analysis], name: str) -> list[Analysis]:
    """The analyses for which a run was created. Prefect's database holds a key once in a flow, whoever asks."""
    try:
        deployment = client.read_deployment_by_name(name)
    except ObjectNotFound as error:
        raise InputError(
            "There is no deployment {name} on this Prefect server. Run datasynth deploy, or name another one.",
            name=name,
        ) from error
    under_way = _under_way(client, deployment)
    started = []
    for one in finished:
        if one.run_id in under_way:
            continue
        settings = {**deployment.parameters.get("settings", {}), "analysis_dir": one.url, "run_id": one.run_id}
        key = f"{name} {one.fingerprint}"
        if _known(client, key) or _made(settings):
            continue
        _create(client, deployment, settings, key)
        started.append(one)
    return started


def _under_way(client: SyncPrefectClient, deployment: DeploymentResponse) -> set[str]:
    """Ids of the runs that are waiting or going on: an event may have started one that has nothing on storage yet."""
    which = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNDER_WAY)),
    )
    settings = (run.parameters.get("settings") for run in _all_runs(client, which))
    return {one["run_id"] for one in settings if isinstance(one, dict) and one.get("run_id")}


def _all_runs(client: SyncPrefectClient, which: FlowRunFilter) -> Iterator[FlowRun]:
    """Page by page, for many may wait for the one place that there is."""
    read = 0
    while page := client.read_flow_runs(flow_run_filter=which, offset=read, sort=FlowRunSort.EXPECTED_START_TIME_ASC):
        yield from page
        read += len(page)


def _known(client: SyncPrefectClient, key: str) -> bool:
    """Whether a run was created under this key; a shortcut, for two scanners may ask at once."""
    filters = FlowRunFilter(idempotency_key=FlowRunFilterIdempotencyKey(any_=[key]))
    return bool(client.read_flow_runs(flow_run_filter=filters, limit=1))


def _made(settings: dict[str, Any]) -> bool:
    """Whether the analysis' own run is finished: an event started it, and there is nothing left to do."""
    checked = SynthesisSettings.model_validate(settings)
    dataset = dataset_of(checked, read_recipe(checked))
    return store_of(checked).exists(f"{dataset}/runs/{checked.run_id}/manifest.json")


def _create(client: SyncPrefectClient, deployment: DeploymentResponse, settings: dict[str, Any], key: str) -> None:
    parameters = {**deployment.parameters, "settings": settings}
    client.create_flow_run_from_deployment(deployment.id, parameters=parameters, state=Scheduled(), idempotency_key=key)
