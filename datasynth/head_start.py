"""A run's first calls in a process of their own (`datasynth.head_start_process`), while this one imports Prefect.

Prefect, Polars and an SDK take ten seconds of imports on two slow cores, a local Prefect server ten more; a second
process needs neither Prefect nor its server to ask a model. It writes the replies to the run's journal, tells how far
it is, and hands over when the flow is ready for its calls. It never outlives us: its standard input ends with us.

Between the two go lines of JSON. Down: the settings, then `"enough"` (start no further call, wait for those in flight)
or `"stop"` (the same, for a moment only). Up: `opened`, `board` (fields of `Progress`), `made` (its calls) and `failed`
(by the endpoint, for good; any other trouble is left for the flow to find again).
"""

import base64
import contextlib
import json
import pickle
import subprocess
import sys
import threading
from typing import Any

from datasynth.schemas.errors import RunError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.blocks.naming import names_blocks
from datasynth.tasks.llm.endpoints import PROVIDERS
from datasynth.tasks.rounds.progress import board_of
from datasynth.tasks.rounds.spreading import runner_choice

STOP_SECONDS = 8
"""How long the process may take to end once it was told to stop: its calls get three seconds."""


class HeadStart:
    """The process, as its parent sees it."""

    def __init__(self, protocol: str) -> None:
        """Starts it, so that it imports while the settings are still being looked at; `protocol` names its SDK."""
        self._process = subprocess.Popen(
            # -P: a folder called `tasks` where the user stands must not be imported.
            [sys.executable, "-P", "-m", "datasynth.head_start_process", protocol],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C goes to the whole terminal group; this one is told what to do.
            start_new_session=True,
        )
        self._run_id = ""
        self._error: RunError | None = None
        self._replies = 0
        self._opened = threading.Event()
        self._over = threading.Event()
        self._once = threading.Lock()

    def go(self, settings: SynthesisSettings) -> None:
        """Lets it open the run that `settings` (with a `run_id`) name, and make its first calls."""
        self._run_id = settings.run_id or ""
        threading.Thread(target=self._listen, name="datasynth-head-start", daemon=True).start()
        self._tell(settings.model_dump(mode="json"))

    def wait_until_open(self) -> None:
        """Returns when the run is on storage, so that two processes never write it at once, or when nothing came of it.

        What went wrong before that moment is left for the flow to find again.
        """
        self._opened.wait()

    def finish(self) -> None:
        """Lets calls in flight end and starts no others; returns when it has done with them. May be called again.

        Raises:
            RunError: the endpoint refused the run for good.
        """
        self._tell("enough")
        self._over.wait()
        if self._error is not None:
            raise self._error
        with self._once:
            # The flow's engine finds these replies in the journal and counts their calls again.
            if self._replies:
                board_of(self._run_id).set(calls_done=0, calls_in_flight=0)
                board_of(self._run_id).add(replayed=-self._replies)
            self._replies = 0

    def stop(self) -> None:
        """Ends the process within seconds, at once if it was never told to go; what it has paid for is kept."""
        if not self._run_id:
            self._process.kill()
        self._tell("stop")
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def _tell(self, word: Any) -> None:
        assert self._process.stdin is not None  # noqa: S101 - a pipe, as asked for above
        with contextlib.suppress(OSError):  # it has ended, and that is no news
            self._process.stdin.write(json.dumps(word).encode() + b"\n")
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - a pipe, as asked for above
        for line in self._process.stdout:
            match json.loads(line):
                case {"board": shown, "replies": replies}:
                    self._replies = replies
                    board_of(self._run_id).set(**shown)
                case {"failed": pickled}:
                    self._error = pickle.loads(base64.b64decode(pickled))  # noqa: S301 - our own process wrote it
                case {"made": True}:
                    self._over.set()
                case _:
                    self._opened.set()
        self._process.wait()
        self._over.set()
        self._opened.set()


def begin(settings: SynthesisSettings) -> HeadStart | None:
    """A head start for a run with `settings`; None where its calls have to wait for the flow.

    They wait where Prefect has to watch each call (a global limit), where one clock measures them all (a rate, a time
    limit), where they are not made one by one (batches), where two kinds share one budget (a judge, or vectors within
    limits) or several processes do (a cluster), where they may need an approval or where something is kept in a block,
    for only Prefect can read it. A simulated model of the run's own has nothing to gain.
    """
    provider = PROVIDERS.get(settings.provider)
    limited = any(limit is not None for limit in (settings.max_cost, settings.max_tokens, settings.max_calls))
    waits = names_blocks(settings) or (
        runner_choice().name != "threads"
        or settings.batch_api
        or settings.judging
        or settings.concurrency_limit
        or settings.requests_per_minute
        or settings.tokens_per_minute
        or settings.max_minutes
        or settings.approve_over is not None
        or (settings.semantic_threshold is not None and limited)
    )
    if provider is None or waits or (provider.name == "simulated" and settings.base_url is None):
        return None
    return HeadStart(provider.protocol)
