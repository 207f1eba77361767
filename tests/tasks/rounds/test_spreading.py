"""Which task runner the environment names."""

import pytest

from datasynth.schemas.errors import InputError
from datasynth.tasks.rounds.spreading import RunnerChoice, runner_choice


@pytest.mark.parametrize(
    ("environ", "choice"),
    [
        ({}, RunnerChoice()),
        ({"DATASYNTH_TASK_RUNNER": " Threads "}, RunnerChoice()),
        ({"DATASYNTH_TASK_RUNNER": "dask"}, RunnerChoice("dask")),
        (
            {"DATASYNTH_TASK_RUNNER": "ray", "DATASYNTH_SCHEDULER": "ray://head:10001"},
            RunnerChoice("ray", "ray://head:10001"),
        ),
    ],
)
def test_the_environment_says_by_what_tasks_are_worked_on(environ: dict[str, str], choice: RunnerChoice) -> None:
    assert runner_choice(environ) == choice


@pytest.mark.parametrize("environ", [{"DATASYNTH_TASK_RUNNER": "spark"}, {"DATASYNTH_SCHEDULER": "tcp://host:8786"}])
def test_what_cannot_be_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(InputError, match="DATASYNTH_TASK_RUNNER"):
        runner_choice(environ)
