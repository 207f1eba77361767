"""The runner of a flow is chosen where the flow runs, when it starts."""

import sys
from types import SimpleNamespace
from typing import cast

import pytest
from prefect.task_runners import ThreadPoolTaskRunner
from prefect_dask.task_runners import DaskTaskRunner

from datasynth.flows.runners import ChosenRunner, whole
from datasynth.schemas.errors import InputError
from datasynth.tasks.rounds.job import Job, Spread


def test_it_is_threads_unless_something_else_is_named() -> None:
    assert type(ChosenRunner().duplicate()) is ThreadPoolTaskRunner


def test_it_is_decided_when_the_flow_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = ChosenRunner()
    monkeypatch.setenv("DATASYNTH_TASK_RUNNER", "dask")
    monkeypatch.setenv("DATASYNTH_SCHEDULER", "tcp://127.0.0.1:1")
    assert runner.duplicate() == DaskTaskRunner(address="tcp://127.0.0.1:1")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATASYNTH_TASK_RUNNER", "ray")
    assert "prefect_ray" not in sys.modules
    with pytest.raises(InputError, match=r"datasynth\[ray\]"):
        ChosenRunner().duplicate()


def test_a_task_gets_what_is_handed_over_whole_as_it_is(prefect: None) -> None:
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE

    class Counted(list[int]):
        looked_through = 0

        def __iter__(self):
            Counted.looked_through += 1
            return super().__iter__()

    @task(cache_policy=NO_CACHE)
    def given(value: object) -> bool:
        return value is plans

    @flow
    def hands_over() -> list[bool]:
        return [given(whole(plans, job)), *given.map([whole(plans, job)]).result()]

    plans, job = Counted([1, 2]), cast(Job, SimpleNamespace(spread=None))
    assert hands_over() == [True, True]
    assert Counted.looked_through == 0


def test_a_cluster_gets_what_is_handed_over_bare() -> None:
    assert whole("plan", cast(Job, SimpleNamespace(spread=Spread(2, None)))) == "plan"
