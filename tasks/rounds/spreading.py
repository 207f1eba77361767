"""By what the tasks of a run are worked on: read from the environment where the flow runs, for it depends on what is
installed and reachable there. Imports no runner.
"""

import os
from collections.abc import Mapping
from typing import Literal, NamedTuple, cast, get_args

from datasynth.schemas.errors import InputError

RUNNER_VARIABLE = "DATASYNTH_TASK_RUNNER"
SCHEDULER_VARIABLE = "DATASYNTH_SCHEDULER"

RunnerName = Literal["threads", "dask", "ray"]


class RunnerChoice(NamedTuple):
    """A kind of task runner, and whose cluster it uses."""

    name: RunnerName = "threads"
    scheduler: str | None = None
    """Address of a cluster that runs already; without it one is started on this machine, for the run."""


def runner_choice(environ: Mapping[str, str] = os.environ) -> RunnerChoice:
    """What $DATASYNTH_TASK_RUNNER and $DATASYNTH_SCHEDULER say.

    Raises:
        InputError: there is no such runner, or threads are to have a scheduler.
    """
    name = environ.get(RUNNER_VARIABLE, "").strip().lower() or "threads"
    scheduler = environ.get(SCHEDULER_VARIABLE, "").strip() or None
    if name == "threads":
        if scheduler:
            raise InputError(
                "{scheduler_variable} is set, but the tasks run in threads of one process. Set {variable} to dask or "
                "ray, or unset {scheduler_variable}.",
                variable=RUNNER_VARIABLE,
                scheduler_variable=SCHEDULER_VARIABLE,
            )
        return RunnerChoice()
    if name in get_args(RunnerName):
        return RunnerChoice(cast(RunnerName, name), scheduler)
    raise InputError(
        "{variable} is {name}. Set it to one of {known}.",
        variable=RUNNER_VARIABLE,
        name=name,
        known=", ".join(get_args(RunnerName)),
    )
