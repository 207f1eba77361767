"""A run's calls, made by a process of their own (`datasynth.caller_process`) from the first to the last.

Prefect, Polars and an SDK take ten seconds of imports on two slow cores, a local Prefect server ten more; a second
process needs neither Prefect nor its server to ask a model. It works ahead, round by round, while this one imports
Prefect, and makes the calls of later rounds when the flow asks for them, beside whatever this one is busy with. What it
makes is in the run's folder. It never outlives us: its standard input ends with us.

Between the two go pickled values. Down: the name of a protocol; the settings; `(number, shard)`, to make the shard's
calls; `(number, round)`, to leave the settling of rounds to the flow, which has come to this one; `"stop"`. Up:
`("opened", rounds)`, `("board", fields of Progress)` and `("answer", number, a ShardReceipt, None or an error)`.
"""

import contextlib
import itertools
import pickle
import subprocess
import threading
from concurrent.futures import Future
from typing import Any

from datasynth import early
from datasynth.schemas.calls import Shard, ShardReceipt
from datasynth.schemas.errors import RunError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.blocks.naming import names_blocks
from datasynth.tasks.llm.endpoints import PROVIDERS
from datasynth.tasks.rounds.progress import board_of
from datasynth.tasks.rounds.spreading import runner_choice

STOP_SECONDS = 8
"""How long the process may take to end once it was told to stop: its calls get three seconds."""
CALLERS_OWN = ("calls_done", "calls_in_flight", "replayed", "retries", "refusals", "tokens", "cost_usd")
"""Fields of `Progress` that the process moves after the flow has come, which sets the others."""


class CallerProcess:
    """The process, as its parent sees it."""

    def __init__(self, protocol: str) -> None:
        """Starts it, unless it has been (`datasynth.early`); it imports the SDK that speaks `protocol` while the
        settings are still being looked at.
        """
        self._process = early.taken()
        self._run_id = ""
        self.finished_before = 0
        """Rounds that were finished when the process opened the run."""
        self._opened = threading.Event()
        self._speaking = threading.Lock()
        self._numbers = itertools.count()
        self._asked: dict[int, Future[Any]] = {}
        self._asking = threading.Lock()
        self._flow_has_come = False
        self._stopped = False
        self._over = False
        self._tell(protocol)

    def go(self, settings: SynthesisSettings) -> None:
        """Lets it open the run that `settings` (with a `run_id`) name, and make its first calls."""
        self._run_id = settings.run_id or ""
        threading.Thread(target=self._listen, name="datasynth-caller", daemon=True).start()
        self._tell(settings)

    def wait_until_open(self) -> None:
        """Returns when the run is on storage, so that two processes never write it at once, or when nothing came of it.

        What went wrong before that moment is left for the flow to find again.
        """
        self._opened.wait()

    @property
    def lost(self) -> bool:
        """Whether it has ended without being told to."""
        return self._over and not self._stopped

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def run(self, shard: Shard) -> ShardReceipt:
        """Has the calls of `shard` made, unless they are already on their way or done; blocks.

        Raises:
            DataSynthError: the run cannot go on, or was stopped.
            ConnectionError: the process ended. What it was answered is in the journal.
        """
        return self._ask(shard)

    def leave(self, round: int) -> None:
        """Has it leave the settling of rounds to the flow, which has come to `round`; returns when that is settled, or
        not about to be.

        Raises:
            RunError: the run was stopped.
        """
        with contextlib.suppress(ConnectionError):  # it settles nothing any more
            self._ask(round)

    def _ask(self, what: Shard | int) -> Any:
        self._flow_has_come = True
        number, answer = next(self._numbers), Future[Any]()
        with self._asking:
            self._asked[number] = answer
        self._tell((number, what))
        if self._over:  # it may have ended before the question was noted
            self._give_up()
        return answer.result()

    def stop(self) -> None:
        """Ends the process within seconds, at once if it was never told to go; what it has paid for is kept."""
        self.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        """Tells the process to end, and does not wait for it."""
        if self._stopped:
            return
        self._stopped = True
        if not self._run_id:
            self._process.kill()
        self._tell("stop")

    def _tell(self, word: Any) -> None:
        assert self._process.stdin is not None  # noqa: S101 - a pipe, as asked for above
        with self._speaking, contextlib.suppress(OSError):  # it has ended, and that is no news
            self._process.stdin.write(pickle.dumps(word))
            self._process.stdin.flush()

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - a pipe, as asked for above
        # It ends with the end of the file, or where the process was killed in the middle of a word with any error.
        with contextlib.suppress(Exception):
            while True:
                self._hear(pickle.load(self._process.stdout))  # noqa: S301 - our own process wrote it
        self._process.kill()  # whatever it was: a process that is not understood is none
        self._process.wait()
        self._over = True
        board_of(self._run_id).set(storage_away=False)  # whatever it waited for
        self._give_up()
        self._opened.set()

    def _hear(self, word: tuple[Any, ...]) -> None:
        match word:
            case ("opened", int(rounds)):
                self.finished_before = rounds
                self._opened.set()
            case ("board", shown):
                self._show(shown)
            case ("answer", number, found):
                with self._asking:
                    answer = self._asked.pop(number)
                if isinstance(found, Exception):
                    answer.set_exception(found)
                else:
                    answer.set_result(found)

    def _show(self, shown: dict[str, Any]) -> None:
        """Moves the board of this process; once the flow is under way, only what belongs to the round it is at."""
        board = board_of(self._run_id)
        board.set(storage_away=shown["storage_away"])
        if not self._flow_has_come:
            board.set(**shown)
        elif board.now().round == shown["round"]:
            board.set(**{name: shown[name] for name in CALLERS_OWN})

    def _give_up(self) -> None:
        """Answers everything that was asked: the process is gone."""
        with self._asking:
            answers = tuple(self._asked.values())
            self._asked.clear()
        for answer in answers:
            if self._stopped:
                answer.set_exception(RunError("The run was stopped."))
            else:
                answer.set_exception(ConnectionError("The process that makes the calls has ended."))


def begin(settings: SynthesisSettings) -> CallerProcess | None:
    """A process for the calls of a run with `settings`; None where they have to be made by the flow's own.

    That is where Prefect has to watch each call (a global limit), where one clock measures them and other work (a rate,
    a time limit), where they are not made one by one (batches), where two kinds share one budget (a judge, or vectors
    within limits) or several processes do (a cluster), where they may need an approval or where something is kept in a
    block, for only Prefect can read it. A simulated model of the run's own has nothing to gain.
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
        early.discard()
        return None
    return CallerProcess(provider.protocol)
