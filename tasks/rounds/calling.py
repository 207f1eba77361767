"""A run's calls in a process without Prefect: ahead of the flow while that is on its way, then as it asks for them.

Opens, plans and settles the run's rounds exactly as the flow will, in the same folder. The flow then finds card, plans,
replies and finished rounds, as after a crash; nothing here decides anything that the flow would decide otherwise.
"""

import contextlib
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait

from datasynth.schemas.calls import Shard, ShardReceipt
from datasynth.schemas.errors import DataSynthError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.generate.engines import close_engine, engine_of, stop_engine
from datasynth.tasks.rounds.commit import forget_committer
from datasynth.tasks.rounds.job import MOST_SHARDS, ShardPlan
from datasynth.tasks.rounds.meanwhile import CHECKS, import_all
from datasynth.tasks.rounds.opening import open_job, with_estimate
from datasynth.tasks.rounds.planning import next_round, take_note
from datasynth.tasks.rounds.progress import board_of
from datasynth.tasks.rounds.prompts import shard_of
from datasynth.tasks.rounds.runs import sums
from datasynth.tasks.rounds.settling import commit_round, judge_round
from datasynth.tasks.rounds.sizing import stop_reason
from datasynth.tasks.semantic.embedders import compares_meanings
from datasynth.tasks.sources.recipes import read_recipe
from datasynth.tasks.storage.patience import make_haste

Called = tuple[Shard, Future[ShardReceipt]]
MOST_AHEAD = 2_000
"""Records of a round that is settled ahead: the flow comes before a larger one is made, and two processes need not both
have the memory for it."""


class Calls:
    """The calls of one run, each shard's made once."""

    def __init__(self, settings: SynthesisSettings) -> None:
        """Opens the run that `settings` (with a `run_id`) mean and plans its next round.

        Raises:
            DataSynthError: it cannot be opened.
        """
        recipe = read_recipe(settings)
        detection = detect_kind(recipe.record_schema, recipe.seeds, settings.data_type)
        self._job = job = open_job(settings, recipe, detection, None)
        self._outcomes = list(job.run.outcomes())
        self.finished_before = len(self._outcomes)
        """Rounds that were finished when the run was opened."""
        self._board = board_of(job.card.run_id)
        self._board.set(target=job.card.target, phase="generating")
        take_note(job, self._outcomes)
        self._plans = self._next()
        self._begun: dict[tuple[int, int], Called] = {}
        """By round and number."""
        self._beginning = threading.Lock()
        self._asked = threading.Event()
        """Set once the flow asks for anything."""
        self._settling = threading.Lock()
        self._threads = ThreadPoolExecutor(MOST_SHARDS, "shards")

    @property
    def wanted(self) -> bool:
        """Whether the run has calls left to make."""
        return bool(self._plans)

    def ahead(self) -> None:
        """Makes the calls of the round that was planned, settles it, and so on until the flow has come so far.

        Once the flow asks, the round under way is settled still and the next one's calls are made; the flow settles
        that. It ends earlier where a shard has failed, which the flow finds again, or the run is complete.

        Raises:
            DataSynthError: the engine cannot be opened, or a round cannot be settled.
        """
        engine_of(self._job.place)
        # Where vectors are bought, the flow alone buys them.
        settles = not compares_meanings(self._job.settings)
        while True:
            with self._settling:
                if not self._plans or not settles or self._asked.is_set() or _asked(self._plans) > MOST_AHEAD:
                    break
                self._plans = self._settled(self._plans)
        wait(self._called(self._plans))
        forget_committer(self._job.run)

    def estimate(self) -> None:
        """Writes down what the run should take, once for the flow too."""
        with contextlib.suppress(DataSynthError):  # the report meets the same error
            with_estimate(self._job)

    def run(self, shard: Shard) -> ShardReceipt:
        """The receipt of `shard`, whose calls are made now unless they are on their way or done; what failed is tried
        again.

        Raises:
            DataSynthError: the run cannot go on, or was stopped.
        """
        self._asked.set()
        return self._start(shard).result()

    def leave(self, round: int) -> None:
        """Leaves the settling of rounds to the flow, which has come to `round`; returns when that is settled, or not
        about to be: two processes never settle a round at once.
        """
        self._asked.set()
        if round > len(self._outcomes):
            with self._settling:
                pass

    def stop(self) -> None:
        """Gives calls in flight some seconds and frees everything; what was paid for is in the journal."""
        make_haste()
        stop_engine(self._job.place)
        close_engine(self._job.place)

    def _next(self) -> list[ShardPlan]:
        """The next round's plan; empty where the run is over."""
        job, outcomes = self._job, self._outcomes
        total = self._total()
        stop = stop_reason(outcomes, total=total, target=job.card.target, resumed=self.finished_before)
        return next_round(job, outcomes) if stop is None else []

    def _total(self) -> int:
        return sums(self._outcomes).counts.accepted + self._job.card.carried_over

    def _called(self, plans: list[ShardPlan]) -> list[Future[ShardReceipt]]:
        return [self._start(shard_of(plan, self._job)) for plan in plans]

    def _settled(self, plans: list[ShardPlan]) -> list[ShardPlan]:
        """Makes the calls of a round and settles it; the plan of the next one, if there is one and all is well."""
        job, shards = self._job, self._called(plans)
        import_all(CHECKS)
        wait(shards)
        if any(shard.exception() for shard in shards):
            return []
        receipts = [shard.result() for shard in shards]
        self._outcomes.append(commit_round(judge_round(receipts, plans, job), plans, job, self._total()))
        take_note(job, self._outcomes)
        return self._next()

    def _start(self, shard: Shard) -> Future[ShardReceipt]:
        at = (shard.round, shard.number)
        with self._beginning:
            begun = self._begun.get(at)
            if begun is not None and begun[0] == shard and not _failed(begun[1]):
                return begun[1]
            if begun is not None:
                wait([begun[1]])  # never two at the same calls
            if shard.round > self._board.now().round:
                self._begun.clear()  # the flow has all of the rounds before
                self._board.set(round=shard.round, phase="generating", calls_planned=0, calls_done=0)
            future = self._threads.submit(engine_of(self._job.place).run, shard)
            self._begun[at] = shard, future
            return future


def _asked(plans: list[ShardPlan]) -> int:
    """Records that a round asks for."""
    return sum(call.asked for plan in plans for call in plan.calls)


def _failed(future: Future[ShardReceipt]) -> bool:
    return future.done() and future.exception() is not None
