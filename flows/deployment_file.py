"""prefect.yaml as it comes with the package, or as somebody changed it; without Prefect, so that it shows at once."""

from importlib import resources
from typing import Any

import yaml

from datasynth.schemas.errors import InputError
from datasynth.tasks.sources.documents import read_text

NAME = "prefect.yaml"


def deployment_file() -> str:
    """The text of the prefect.yaml that comes with the package."""
    return resources.files("datasynth.flows").joinpath(NAME).read_text(encoding="utf-8")


def read_deployments(path: str | None = None) -> dict[str, Any]:
    """The prefect.yaml at `path`, or the packaged one; its `deployments` are a list with at least one.

    Raises:
        InputError: no such file, not YAML, or no deployments in it.
    """
    text = read_text(path) if path else deployment_file()
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(
            "{path}: not valid {form}: {error}. Mend it there.",
            path=path or NAME,
            form="YAML",
            error=" ".join(str(error).split()),
        ) from error
    found = document.get("deployments") if isinstance(document, dict) else None
    named = isinstance(found, list) and all(
        isinstance(one, dict) and one.get("name") and one.get("entrypoint") for one in found
    )
    if not found or not named:
        raise InputError(
            "{path}: no list of deployments, each with a name and an entrypoint. datasynth deploy --show prints one to "
            "start from.",
            path=path or NAME,
        )
    return document
