"""Vectors are bought within the run's limits: each request is reserved at its worst case before it leaves.

Nothing else of the run is in flight meanwhile: a round's records are compared once all of its calls have ended, and
the judge is asked afterwards. What a request brought is on storage before its price is written down, and a process that
dies in between has it written down by the next one.
"""

import secrets
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from datasynth.schemas.calls import Reply, Usage
from datasynth.schemas.errors import AuthenticationError, RunError
from datasynth.schemas.report import Spend, StopReason
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.budget import Budget, Purse, Reservation
from datasynth.tasks.llm.engine import FIRST_REFUSAL_WAIT, LONGEST_WAIT
from datasynth.tasks.llm.failures import CallFailure
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.llm.loop import LoopThread
from datasynth.tasks.llm.prices import Price
from datasynth.tasks.semantic.embedders import AT_ONCE, Embedder, most_billed
from datasynth.tasks.semantic.shelf import Bought, VectorShelf
from datasynth.tasks.storage.store import Store

Text = tuple[bytes, str]
"""A text behind its digest."""


def vector_store(journal_url: str) -> Store:
    """Where a run's journal says what its vectors cost, beside the replies' own."""
    return Store(journal_url).at("vectors")


class Account:
    """What a run's vectors are paid from, and where that is written down."""

    def __init__(
        self, journal_url: str, price: Price | None, settings: SynthesisSettings, purse: Callable[[], Purse]
    ) -> None:
        """
        Args:
            journal_url: Of the run.
            price: Of the embedding model; None where unknown.
            settings: Of the run: its retries and waits.
            purse: What the run may still spend, asked for whenever something is bought.
        """
        self.store = vector_store(journal_url)
        self.price = price
        self.settings = settings
        self.purse = purse

    def spend(self, round: int) -> Spend:
        """What a round's vectors cost."""
        return Journal(self.store).spend(round)


class Purchase:
    """Some requests for vectors, one after the other."""

    def __init__(
        self, embedder: Embedder, shelf: VectorShelf, account: Account, journal: Journal, loop: LoopThread
    ) -> None:
        self._embedder = embedder
        self._shelf = shelf
        self._journal = journal
        self._loop = loop
        self._settings = account.settings
        self._price = account.price
        self._budget = Budget(account.price, purse=account.purse())

    def of(self, round: int, texts: Sequence[Text]) -> StopReason | None:
        """Puts the vectors of `texts` on the shelf, in order; the limit that ended it, if one did.

        As a limit comes near, fewer texts go into a request, in the end one.

        Raises:
            RunError: the endpoint fails; what it gave before that is kept.
        """
        size, done = AT_ONCE, 0
        while done < len(texts):
            some = texts[done : done + size]
            limit = self._request(round, some)
            if limit is None:
                done += len(some)
            elif limit == "max_calls" or len(some) == 1:
                return limit
            else:
                size = len(some) // 2
        return None

    def settle(self, bought: Bought) -> None:
        """Writes down what a request cost whose process died before it could."""
        usage = Usage(input=bought.tokens)
        cost = self._price.cost(usage) if self._price and bought.metered else None
        self._entered(bought, usage, cost=cost, unmetered=None)

    def _request(self, round: int, some: Sequence[Text]) -> StopReason | None:
        words = [text for _, text in some]
        failures, refused_since = 0, 0.0
        while True:
            held = self._budget.reserve(most_billed(words), 0)
            if not isinstance(held, Reservation):
                return held
            failure = self._attempt(round, some, words, held)
            if failure is None:
                return None
            if failure.remedy == "wait":
                refused_since = refused_since or time.monotonic()
            patient = failure.remedy == "wait" and time.monotonic() - refused_since < self._settings.request_timeout
            if not patient and (failure.remedy != "retry" or failures >= self._settings.max_retries):
                raise self._error(failure)
            first = FIRST_REFUSAL_WAIT if failure.remedy == "wait" else self._settings.retry_delay
            time.sleep(min(failure.retry_after or first * 2**failures, LONGEST_WAIT))
            failures += 1

    def _attempt(self, round: int, some: Sequence[Text], words: list[str], held: Reservation) -> CallFailure | None:
        token = secrets.token_hex(8) if self._budget.limited else ""
        if token:
            self._wait_for(self._journal.append_intent(token, held, round=round))
        try:
            embedded = self._embedder.embed(words)
        except CallFailure as failure:
            if failure.maybe_billed:
                self._lose(held, round, token)
            else:
                self._budget.release(held)
                if token:
                    self._wait_for(self._journal.append_refusal(round=round, closes=token))
            return failure
        except BaseException:
            self._lose(held, round, token)
            raise
        reply = _reply(Usage(input=embedded.tokens), self._embedder.name, metered=embedded.metered)
        cost, unmetered = self._budget.settle_reply(held, reply)
        digests = [digest for digest, _ in some]
        bought = self._shelf.put(
            round, digests, embedded.vectors, tokens=embedded.tokens, metered=embedded.metered, token=token
        )
        self._entered(bought, reply.usage, cost=cost, unmetered=unmetered)
        return None

    def _lose(self, held: Reservation, round: int, token: str) -> None:
        self._wait_for(self._journal.append_loss(self._budget.write_off(held), round=round, closes=token))

    def _entered(self, bought: Bought, usage: Usage, *, cost: Any, unmetered: Reservation | None) -> None:
        reply = _reply(usage, self._embedder.name, metered=bought.metered)
        self._wait_for(
            self._journal.append(
                bought.name, reply, round=bought.round, cost=cost, unmetered=unmetered, closes=bought.token
            )
        )

    def _wait_for(self, writing: Coroutine[Any, Any, None]) -> None:
        self._loop.run(writing)

    def _error(self, failure: CallFailure) -> RunError:
        if failure.authentication:
            return AuthenticationError(
                "The embedding endpoint {where} refused the key. Set the right one.", where=self._embedder.where
            )
        return RunError(
            "The embedding endpoint {where} gave no vectors for model {model} ({error}). What was paid for is "
            "kept: resume the run when it answers.",
            where=self._embedder.where,
            model=self._embedder.name,
            error=failure.detail[:300],
        )


@contextmanager
def purchasing(embedder: Embedder, shelf: VectorShelf, account: Account) -> Iterator[Purchase]:
    """A `Purchase`, with the run's journal of vectors open as long as it lasts."""
    journal, loop = Journal(account.store), LoopThread("vectors")
    try:
        purchase = Purchase(embedder, shelf, account, journal, loop)
        for bought in shelf.bought:
            if bought.name not in journal:
                purchase.settle(bought)
        yield purchase
    finally:
        loop.close()
        journal.close()


def _reply(usage: Usage, model: str, *, metered: bool) -> Reply:
    """The request as the journal knows it; its vectors are on the shelf."""
    return Reply("", "end", usage, model, metered=metered)
