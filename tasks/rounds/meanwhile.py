"""What a run needs later, got ready while somebody else's answer is waited for."""

import contextlib
import importlib
import threading
from collections.abc import Iterable, Iterator

from datasynth.tasks.rounds.commit import committer_of
from datasynth.tasks.rounds.job import Job
from datasynth.tasks.rounds.opening import with_estimate
from datasynth.tasks.rounds.progress import board_of

REPORT = ("matplotlib.figure", "matplotlib.backends.backend_svg", "jinja2")
"""What a run's report imports: a second of CPU."""
CHECKS = ("pandera.backends.polars.builtin_checks", "pandera.backends.polars.container")
"""What pandera imports at its first check: a third of a second."""
LOOK_SECONDS = 0.1


@contextlib.contextmanager
def prepared_meanwhile(job: Job) -> Iterator[None]:
    """Around the wait for a round's replies: if most of them are still to come, a thread brings the index of what the
    round must not repeat up to date, estimates the run and imports what the report needs.

    If not, whoever waits has other things to do before it is through.
    """
    over = threading.Event()
    if job.spread is None:  # else the round is settled elsewhere
        threading.Thread(target=_prepare, args=(job, over), name="datasynth-meanwhile", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _prepare(job: Job, over: threading.Event) -> None:
    while not over.wait(LOOK_SECONDS):
        now = board_of(job.card.run_id).now()
        if now.calls_in_flight and now.calls_done < now.calls_planned / 2:
            with contextlib.suppress(Exception):  # whoever commits or reports meets the same error
                committer_of(job.run, job.recipe, job.detection, job.settings)
                with_estimate(job)
            import_all(REPORT)
            return


def import_all(names: Iterable[str]) -> None:
    """Imports modules; whoever needs one that is missing meets the same error, and says what it is for."""
    with contextlib.suppress(ImportError):
        for name in names:
            importlib.import_module(name)
