"""What a user sees of a run while it goes on: a live display on a terminal, plain lines elsewhere, calls in Python."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from datasynth.amounts import records_of, replies_from_journal, retries
from datasynth.schemas.messages import Language, Message, say
from datasynth.tasks.report.reasons import reason_in_words
from datasynth.tasks.report.summary import dollars, duration
from datasynth.tasks.rounds.progress import Progress, board_of

LIVE_SECONDS = 0.25
LINE_SECONDS = 10.0
"""A log file is read afterwards: one line in ten seconds tells enough and stays short."""
BAR_WIDTH = 32
MOST_REASONS = 3

log = logging.getLogger("datasynth")

PHASES = {
    "starting": say("starting"),
    "generating": say("generating"),
    "waiting": say("waiting for the provider's batch"),
    "judging": say("judging"),
    "checking": say("checking"),
    "reporting": say("writing the report"),
    "done": say("done"),
}
STORAGE_AWAY = say("waiting for the storage, which does not answer")


@contextlib.contextmanager
def watched(run_id: str, show: Callable[[Progress], None], *, every: float) -> Iterator[None]:
    """Calls `show` with the run's progress every so many seconds, from a thread of its own, and once after a good end.

    What stopped the run has its own last word.
    """
    board, over = board_of(run_id), threading.Event()

    def look() -> None:
        while not over.wait(every):
            show(board.now())

    watcher = threading.Thread(target=look, name="datasynth-progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    show(board.now())


class Forecast:
    """How much of a run is done, and how long the rest will take at the pace so far."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None

    def see(self, now: Progress) -> tuple[float, float | None]:
        """The share done, 0 to 1, and the seconds left (None before anything can be said)."""
        share, moment = share_done(now), self._clock()
        if self._first is None:
            # What an earlier process made, or the journal answers at once, says nothing about the pace.
            if now.calls_done:
                self._first = (moment, share)
            return share, None
        began, at = self._first
        if share <= at or share >= 1:
            return share, None
        return share, (moment - began) * (1 - share) / (share - at)


def share_done(now: Progress) -> float:
    """The share of the run that is done; a round's records count by its calls until they are judged."""
    if not now.target:
        return 0.0
    missing = max(0, now.target - now.accepted)
    called = min(1.0, now.calls_done / now.calls_planned) if now.calls_planned else 0.0
    if now.judges:
        called = (called + (now.phase == "judging")) / 2
    return min(1.0, (now.accepted + missing * called) / now.target)


def counts_line(now: Progress) -> Message:
    """Records accepted of asked."""
    return records_of(now.accepted, now.target)


def time_left(seconds: float) -> Message:
    """How long the rest will take, in whole seconds."""
    whole = max(1, round(seconds))
    return say("about {duration} left", duration=say("{seconds} s", seconds=whole) if whole < 10 else duration(whole))


def details_line(now: Progress, left: float | None, language: Language) -> str:
    """Everything else worth a glance, most important first."""
    parts = [*calls_parts(now), *loss_parts(now, language), *work_parts(now)]
    return joined([*parts, time_left(left)] if left is not None else parts, language)


def calls_parts(now: Progress) -> list[Message]:
    """Where the run is."""
    phase = STORAGE_AWAY if now.storage_away else PHASES[now.phase]
    parts = [say("round {number}, {phase}", number=now.round, phase=phase) if now.round else phase]
    if now.calls_planned:
        parts.append(
            say(
                "calls {done} of {planned}, {in_flight} in flight",
                done=f"{now.calls_done:,}",
                planned=f"{now.calls_planned:,}",
                in_flight=max(0, now.calls_in_flight),
            )
        )
    return parts


def loss_parts(now: Progress, language: Language) -> list[Message]:
    """What was asked for and is not in the data set, and why."""
    parts = []
    if lost := sum(now.rejected.values()):
        parts.append(say("rejected {count} ({reasons})", count=lost, reasons=reasons_text(now.rejected, language)))
    if lost := sum(now.missing.values()):
        parts.append(say("missing {count} ({reasons})", count=lost, reasons=reasons_text(now.missing, language)))
    return parts


def work_parts(now: Progress) -> list[Message | str]:
    """What it took."""
    parts: list[Message | str] = [replies_from_journal(now.replayed)] if now.replayed > 0 else []
    if now.retries:
        parts.append(retries(now.retries))
    return [
        *parts,
        say("{tokens} tokens", tokens=f"{now.tokens:,}"),
        say("price unknown") if now.cost_usd is None else dollars(now.cost_usd),
    ]


def joined(parts: Sequence[Message | str], language: Language) -> str:
    """One line of them all."""
    return " · ".join(part.text(language) if isinstance(part, Message) else part for part in parts)


def reasons_text(counts: dict[str, int], language: Language, most: int = MOST_REASONS) -> str:
    """The most frequent reasons of a funnel with their counts."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{reason_text(reason, language)} {n:,}" for reason, n in ordered[:most]]
    return ("、" if language == "zh" else ", ").join([*shown, "…"] if len(ordered) > most else shown)


def reason_text(reason: str, language: Language) -> str:
    """A funnel reason in words, or its name where it has none."""
    words = reason_in_words(reason)
    return words.text(language) if words else reason


class TerminalDisplay:
    """A display that redraws itself in place."""

    def __init__(self, console: Console, language: Language) -> None:
        self.console = console
        self.language: Language = language

    @contextlib.contextmanager
    def waiting(self, message: Message) -> Iterator[None]:
        """A spinner beside `message`."""
        spinner = Spinner("dots", text=Text(message.text(self.language)))
        with Live(spinner, console=self.console, transient=True, refresh_per_second=8):
            yield

    @contextlib.contextmanager
    def running(self, run_id: str) -> Iterator[None]:
        """A bar with the figures below it."""
        forecast = Forecast()
        with Live(console=self.console, transient=True, refresh_per_second=4) as live:

            def show(now: Progress) -> None:
                live.update(self.drawn(now, *forecast.see(now)))

            with watched(run_id, show, every=LIVE_SECONDS):
                yield

    def drawn(self, now: Progress, share: float, left: float | None) -> RenderableType:
        """What stands on the screen at one moment."""
        if not now.target:
            return Spinner("dots", text=Text(joined(calls_parts(now), self.language)))
        beside = [counts_line(now), *([] if left is None else [time_left(left)])]
        row = Table.grid(padding=(0, 1))
        bar = ProgressBar(
            total=1,
            completed=share,
            width=BAR_WIDTH,
            pulse=not share,
            complete_style="cyan",
            finished_style="green" if now.accepted >= now.target else "cyan",
            pulse_style="cyan",
        )
        row.add_row(bar, Text(joined(beside, self.language)))
        # A line each, so that a narrow terminal breaks none but the longest.
        losses = [[part] for part in loss_parts(now, self.language)]
        below = [joined(parts, self.language) for parts in (calls_parts(now), work_parts(now), *losses)]
        return Group(row, *(Text(line, style="dim") for line in below))


class PlainLines:
    """A line now and then, where nothing can be redrawn."""

    def __init__(self, write: Callable[[str], None], language: Language, *, every: float = LINE_SECONDS) -> None:
        self.write = write
        self.language: Language = language
        self.every = every

    @contextlib.contextmanager
    def waiting(self, message: Message) -> Iterator[None]:
        """Says once what is waited for."""
        self.write(message.text(self.language))
        yield

    @contextlib.contextmanager
    def running(self, run_id: str) -> Iterator[None]:
        """A line whenever something changed since the last one."""
        forecast, last = Forecast(), ""

        def show(now: Progress) -> None:
            nonlocal last
            _, left = forecast.see(now)
            if not now.target or (line := self.line(now, None)) == last:
                return
            last = line
            self.write(self.line(now, left))

        with watched(run_id, show, every=self.every):
            yield

    def line(self, now: Progress, left: float | None) -> str:
        """One moment in one line."""
        return f"{counts_line(now).text(self.language)} · {details_line(now, left, self.language)}"


class Callback:
    """Calls a function with the records accepted and asked for, whenever the first changes; shows nothing."""

    def __init__(self, on_progress: Callable[[int, int], None] | None) -> None:
        self.on_progress = on_progress

    def waiting(self, message: Message) -> AbstractContextManager[None]:
        """Nothing."""
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def running(self, run_id: str) -> Iterator[None]:
        """Calls from a thread; an error in the function ends the calls, not the run."""
        last = -1

        def show(now: Progress) -> None:
            nonlocal last
            if self.on_progress is None or not now.target or now.accepted == last:
                return
            last = now.accepted
            try:
                self.on_progress(now.accepted, now.target)
            except Exception:
                log.exception("on_progress failed and is not called again; the run goes on")
                self.on_progress = None

        with watched(run_id, show, every=LIVE_SECONDS):
            yield
