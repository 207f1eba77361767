"""By what a flow's tasks are worked on: threads of its process, or the processes of a Dask or Ray cluster."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, TypeVar, cast

from prefect.context import FlowRunContext
from prefect.futures import PrefectFutureList
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from datasynth.schemas.errors import InputError, RunError
from datasynth.tasks.generate.engines import RunPlace, close_engine, stop_engine
from datasynth.tasks.rounds.job import Job, ShardPlan, Spread
from datasynth.tasks.rounds.progress import board_of
from datasynth.tasks.rounds.spreading import RunnerChoice, runner_choice

R = TypeVar("R")

MOST_TASKS = 64
"""Threads for task runs. A round has far fewer shards; they wait for calls, which run on the engine's own loop."""
WORKERS_WAIT = 60.0
"""Seconds that a cluster may take to have its first worker."""


class ChosenRunner(ThreadPoolTaskRunner):
    """Becomes, each time that a flow starts, the runner that the environment of the flow's process names then.

    A flow's decorator is evaluated when the module is imported; `duplicate` is what Prefect calls when it runs.
    """

    def __init__(self) -> None:
        super().__init__(max_workers=MOST_TASKS)

    def duplicate(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] - another runner, by design
        """A runner that is not started yet.

        Raises:
            InputError: there is none of this name, or its extra is not installed.
        """
        choice = runner_choice()
        if choice.name == "threads":
            return ThreadPoolTaskRunner(max_workers=MOST_TASKS)
        if find_spec(f"prefect_{choice.name}") is None:
            raise InputError(
                "The task runner {name} needs the extra {name} where the flow runs and in the cluster. Install it: pip "
                "install 'datasynth[{name}]'.",
                name=choice.name,
            )
        return _dask(choice) if choice.name == "dask" else _ray(choice)


def _dask(choice: RunnerChoice) -> Any:
    from prefect_dask.task_runners import DaskTaskRunner  # noqa: PLC0415 - an extra

    if choice.scheduler:
        return DaskTaskRunner(address=choice.scheduler)
    # Calls wait for answers: a thread a process is enough, for a shard's calls share one event loop.
    return DaskTaskRunner(cluster_kwargs={"threads_per_worker": 1, "dashboard_address": None})


def _ray(choice: RunnerChoice) -> Any:
    from prefect_ray.task_runners import RayTaskRunner  # noqa: PLC0415 - an extra  # pyright: ignore[reportMissingImports]

    return RayTaskRunner(address=choice.scheduler)


def spread(job: Job) -> Job:
    """`job`, with what its tasks need to know where the flow's runner has them work in several processes.

    Calls that an earlier process of the run left to the cluster's workers end here: nobody waits for them any more.

    Raises:
        InputError: the run uses a batch endpoint, for which threads do.
        RunError: the cluster has no worker.
    """
    slots = _slots(_runner())
    if slots is None:
        return job
    if job.settings.batch_api:
        raise InputError(
            "--batch-api and the task runner {name} do not go together: batches wait at the provider, so threads are "
            "enough. Unset DATASYNTH_TASK_RUNNER, or leave out --batch-api.",
            name=runner_choice().name,
        )
    minutes = job.settings.max_minutes
    job = replace(job, spread=Spread(slots, time.time() + minutes * 60 if minutes else None))
    stop_engines_of(job.place)
    close_engines_of(job.place)
    return job


def whole(value: R, job: Job) -> R:
    """`value` for a task of `job`, which gets it as it is: Prefect does not look through all that it holds for futures.

    That took 0.6 s of the 9 s of CPU of a run of 400 calls, and grows with the calls of a round and the seeds. The
    runners of clusters take what Prefect wraps it in for a tuple, so there it goes without.
    """
    return cast(R, quote(value)) if job.spread is None else value


def found_by(futures: PrefectFutureList[R], job: Job) -> Any:
    """What `futures` bring, for other tasks of `job`: as it is (`whole`), which waits for it here, or on a cluster the
    futures, so that it goes from process to process and not through this one.
    """
    return [whole(value, job) for value in futures.result()] if job.spread is None else futures


def followed(futures: PrefectFutureList[R], plans: Sequence[ShardPlan], job: Job) -> PrefectFutureList[R]:
    """`futures` of the shards of `plans`; those of other processes are shown to whoever watches as they end."""
    if job.spread is not None:
        board = board_of(job.card.run_id)
        for future, plan in zip(futures, plans, strict=True):
            calls = len(plan.calls)
            future.add_done_callback(lambda _, calls=calls: board.add(calls_done=calls))
    return futures


def stop_engines_of(place: RunPlace) -> None:
    """Lets the run's engines come to rest, in this process and in those of the runner."""
    _everywhere(stop_engine, place)


def close_engines_of(place: RunPlace) -> None:
    """Closes the run's engines, in this process and in those of the runner."""
    _everywhere(close_engine, place)


def _everywhere(function: Callable[[RunPlace], None], place: RunPlace) -> None:
    function(place)
    if _is(runner := _runner(), "DaskTaskRunner"):
        # A worker that has died has no engine; and a cluster that is gone does not keep a run from ending.
        with contextlib.suppress(OSError, TimeoutError):
            runner.client.run(function, place, on_error="ignore")


def _runner() -> Any:
    context = FlowRunContext.get()
    return context.task_runner if context else None


def _is(runner: Any, name: str) -> bool:
    """Whether `runner` is of a class of an extra, which may not be there to ask for."""
    return type(runner).__name__ == name


def _slots(runner: Any) -> int | None:
    """Tasks that the cluster can work on at the same time; None where there is no cluster."""
    if _is(runner, "DaskTaskRunner"):
        with contextlib.suppress(TimeoutError):
            runner.client.wait_for_workers(1, timeout=WORKERS_WAIT)
        if slots := sum(runner.client.nthreads().values()):
            return slots
        raise RunError(
            "The Dask scheduler at {address} has no worker. Start one where datasynth[dask] is installed: dask worker "
            "{address}.",
            address=runner.client.scheduler.address,
        )
    if _is(runner, "RayTaskRunner"):
        import ray  # noqa: PLC0415 - an extra  # pyright: ignore[reportMissingImports]

        return max(int(ray.cluster_resources().get("CPU", 1)), 1)
    return None
