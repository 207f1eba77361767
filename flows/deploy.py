"""prefect.yaml applied to a Prefect API, with what it needs there. Repeating it changes nothing."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from datasynth.flows.blocks import registered_blocks
from datasynth.flows.deployment_file import NAME
from datasynth.schemas.errors import RunError
from datasynth.schemas.record import Frozen
from datasynth.tasks.llm.endpoints import PROVIDERS

CALLS_OF_A_PROVIDER = 32
"""Slots of a new limit: two runs with the default 16 calls in flight. A limit that exists is the operator's."""


class Applied(Frozen):
    """What stands on the API now, and what of it is new."""

    deployments: tuple[str, ...]
    pools: tuple[str, ...]
    new_pools: tuple[str, ...]
    new_limits: tuple[str, ...]
    new_blocks: tuple[str, ...]


def deploy(document: dict[str, Any]) -> Applied:
    """Applies a prefect.yaml to the Prefect API that is configured.

    Missing work pools are made as process pools, missing concurrency limits with one for each provider; the types of
    block get the forms of this version. Schedules and triggers that somebody has switched on or off stay so.

    Args:
        document: As `read_deployments` gives it.

    Raises:
        RunError: Prefect refused it; says what Prefect said.
    """
    deployments: list[dict[str, Any]] = document["deployments"]
    with get_client(sync_client=True) as client:
        pools = sorted({name for one in deployments if (name := (one.get("work_pool") or {}).get("name"))})
        new_pools = [name for name in pools if _made_pool(client, name)]
        new_limits = [name for name in PROVIDERS if name != "simulated" and _made_limit(client, name)]
        new_blocks = registered_blocks(client)
        for one in deployments:
            _keep_switches(client, one)
    _apply(document)
    return Applied(
        deployments=tuple(one["name"] for one in deployments),
        pools=tuple(pools),
        new_pools=tuple(new_pools),
        new_limits=tuple(new_limits),
        new_blocks=tuple(new_blocks),
    )


def _made_pool(client: SyncPrefectClient, name: str) -> bool:
    """Whether the pool had to be made. One of another type (Docker, Kubernetes) is left as it is."""
    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=name, type="process"))
        return True
    return False


def _made_limit(client: SyncPrefectClient, name: str) -> bool:
    try:
        client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=CALLS_OF_A_PROVIDER))
        return True
    return False


def _keep_switches(client: SyncPrefectClient, wanted: dict[str, Any]) -> None:
    """Puts into `wanted` what is on or off on the server: Prefect would switch it to what the file says."""
    schedules = [one for one in wanted.get("schedules") or [] if one.get("slug")]
    triggers = [one for one in wanted.get("triggers") or [] if one.get("name")]
    if not (schedules or triggers) or (standing := _standing(client, wanted)) is None:
        return
    active = {schedule.slug: schedule.active for schedule in standing.schedules}
    enabled = {
        automation.name: automation.enabled
        for automation in client.read_resource_related_automations(f"prefect.deployment.{standing.id}")
    }
    for one in schedules:
        one["active"] = active.get(one["slug"], one.get("active", True))
    for one in triggers:
        one["enabled"] = enabled.get(one["name"], one.get("enabled", True))


def _standing(client: SyncPrefectClient, wanted: dict[str, Any]) -> DeploymentResponse | None:
    """The deployment that `wanted` would replace, found without importing its flow."""
    named = client.read_deployments(
        deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[wanted["name"]]))
    )
    return next((one for one in named if one.entrypoint == wanted["entrypoint"]), None)


def _apply(document: dict[str, Any]) -> None:
    """Runs `prefect deploy`, whose Python functions are private to Prefect."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / NAME
        file.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
        # -P: a folder called `prefect` or `tasks` where the user stands must not be imported.
        command = [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RunError(
            "Prefect refused a deployment:\n{said}\nCorrect the file and deploy again.",
            said=(ended.stdout + ended.stderr).strip(),
        )
