"""What is told to the outside as a Prefect event, for triggers to act on: a name, what it is about, and facts."""

from dataclasses import dataclass, field
from typing import Any

ANALYSIS_COMPLETED = "datarecipe.analysis.completed"
RUN_COMPLETED = "datasynth.run.completed"
RUN_FELL_SHORT = "datasynth.run.fell-short"
RUN_FAILED = "datasynth.run.failed"


@dataclass(frozen=True)
class Announcement:
    """An event before it is sent. Its payload is JSON, and holds neither prompts nor records nor keys."""

    event: str
    resource: dict[str, str]
    """What it is about, by Prefect's labels: `prefect.resource.id` and `prefect.resource.name`."""
    payload: dict[str, Any] = field(default_factory=dict)


def resource(kind: str, identity: str, name: str) -> dict[str, str]:
    """The labels of the `kind` of thing that is known as `identity` to machines and as `name` to people."""
    return {"prefect.resource.id": f"{kind}.{identity}", "prefect.resource.name": name}
