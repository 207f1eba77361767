"""prefect.yaml applied to a Prefect API, with what it needs there. Repeating it changes nothing."""

import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from datasynth.schemas.errors import InputError, RunError
from datasynth.schemas.record import Frozen
from datasynth.tasks.llm.endpoints import PROVIDERS
from datasynth.tasks.sources.documents import read_text

CALLS_OF_A_PROVIDER = 32
"""Slots of a new limit: two runs with the default 16 calls in flight. A limit that exists is the operator's."""


class Applied(Frozen):
    """What stands on the API now, and what of it is new."""

    deployments: tuple[str, ...]
    pools: tuple[str, ...]
    new_pools: tuple[str, ...]
    new_limits: tuple[str, ...]


def deployment_file() -> str:
    """The text of the prefect.yaml that comes with the package."""
    return resources.files("datasynth.flows").joinpath("prefect.yaml").read_text(encoding="utf-8")


def deploy(path: str | None = None) -> Applied:
    """Applies the prefect.yaml at `path`, or the packaged one, to the Prefect API that is configured.

    Missing work pools are made as process pools, missing concurrency limits with one for each provider. Schedules and
    triggers that somebody has switched on or off stay so.

    Raises:
        InputError: the file cannot be read or has no deployments.
        RunError: Prefect refused it; says what Prefect said.
    """
    document = _read(path)
    deployments: list[dict[str, Any]] = document["deployments"]
    with get_client(sync_client=True) as client:
        pools = sorted({name for one in deployments if (name := (one.get("work_pool") or {}).get("name"))})
        new_pools = [name for name in pools if _made_pool(client, name)]
        new_limits = [name for name, provider in PROVIDERS.items() if name != "simulated" and _made_limit(client, name)]
        for one in deployments:
            _keep_switches(client, one)
    _apply(document)
    return Applied(
        deployments=tuple(str(one.get("name")) for one in deployments),
        pools=tuple(pools),
        new_pools=tuple(new_pools),
        new_limits=tuple(new_limits),
    )


def _read(path: str | None) -> dict[str, Any]:
    text = read_text(path) if path else deployment_file()
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(
            "{path}: not valid {form}: {error}. Mend it there.",
            path=path,
            form="YAML",
            error=" ".join(str(error).split()),
        ) from error
    found = document.get("deployments") if isinstance(document, dict) else None
    if not (isinstance(found, list) and found and all(isinstance(one, dict) for one in found)):
        raise InputError(
            "{path}: no list of deployments. datasynth deploy --show prints one to start from.",
            path=path or "prefect.yaml",
        )
    return document


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
    from prefect.flows import load_flow_from_entrypoint  # noqa: PLC0415 - imports the flow, and all that it needs

    flow = load_flow_from_entrypoint(wanted["entrypoint"])
    try:
        return client.read_deployment_by_name(f"{flow.name}/{wanted.get('name')}")
    except ObjectNotFound:
        return None


def _apply(document: dict[str, Any]) -> None:
    """Runs `prefect deploy`, whose Python functions are private to Prefect."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "prefect.yaml"
        file.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")
        # -P: a folder called `prefect` or `tasks` where the user stands must not be imported.
        command = [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RunError(
            "Prefect refused the deployments:\n{said}\nCorrect the file and deploy again; nothing is harmed.",
            said=(ended.stdout + ended.stderr).strip(),
        )
