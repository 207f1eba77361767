"""The journal as an engine sees it, and as one sees it whose calls are paid from a share of the run's limits."""

from decimal import Decimal
from typing import Protocol

from datasynth.schemas.calls import Reply
from datasynth.tasks.llm.budget import Reservation
from datasynth.tasks.llm.journal import Journal


class CallLog(Protocol):
    """What an engine needs of a journal."""

    def get(self, key: str) -> Reply | None: ...
    async def append(
        self,
        key: str,
        reply: Reply,
        *,
        round: int,
        cost: Decimal | None,
        unmetered: Reservation | None = None,
        closes: str = "",
    ) -> None: ...
    async def append_intent(self, token: str, worst: Reservation, *, round: int) -> None: ...
    async def append_loss(self, worst: Reservation, *, round: int, closes: str = "") -> None: ...
    async def append_refusal(self, *, round: int, closes: str) -> None: ...
    async def flush(self) -> None: ...


class ShareJournal:
    """A run's journal for calls that are paid from one share of its limits, each entry marked as such.

    Whoever makes these calls again, having the same share, finds what is spent of it.
    """

    def __init__(self, journal: Journal, share: str) -> None:
        self._journal = journal
        self._share = share

    def get(self, key: str) -> Reply | None:
        return self._journal.get(key)

    async def append(
        self,
        key: str,
        reply: Reply,
        *,
        round: int,
        cost: Decimal | None,
        unmetered: Reservation | None = None,
        closes: str = "",
    ) -> None:
        await self._journal.append(
            key, reply, round=round, cost=cost, unmetered=unmetered, closes=closes, share=self._share
        )

    async def append_intent(self, token: str, worst: Reservation, *, round: int) -> None:
        await self._journal.append_intent(token, worst, round=round, share=self._share)

    async def append_loss(self, worst: Reservation, *, round: int, closes: str = "") -> None:
        await self._journal.append_loss(worst, round=round, closes=closes, share=self._share)

    async def append_refusal(self, *, round: int, closes: str) -> None:
        await self._journal.append_refusal(round=round, closes=closes)

    async def flush(self) -> None:
        await self._journal.flush()
