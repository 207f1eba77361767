"""What a run's report imports, imported while its replies are waited for."""

import contextlib
import importlib
import threading
from collections.abc import Iterator

from datasynth.tasks.rounds.progress import board_of

REPORT = ("matplotlib.figure", "matplotlib.backends.backend_svg", "jinja2")
"""A second of CPU."""
CALLS_BEGIN_SECONDS = 0.3
"""After which a round's first calls are on their way."""


@contextlib.contextmanager
def importing_meanwhile(run_id: str) -> Iterator[None]:
    """Around the wait for a round's replies: a thread imports what the report needs, if calls are in flight by then.

    If none are, a head start has made them, and whoever seems to wait is busy.
    """
    begins = threading.Timer(CALLS_BEGIN_SECONDS, _import_report_if_in_flight, (run_id,))
    begins.daemon = True
    begins.start()
    try:
        yield
    finally:
        begins.cancel()


def _import_report_if_in_flight(run_id: str) -> None:
    if board_of(run_id).now().calls_in_flight:
        with contextlib.suppress(ImportError):  # the report meets the same error, and says what it is for
            for name in REPORT:
                importlib.import_module(name)
