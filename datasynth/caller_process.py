"""The process that makes a run's calls: `python -m datasynth.caller_process`; see `datasynth.caller`."""

import contextlib
import gc
import os
import pickle
import sys
import threading
from typing import TYPE_CHECKING, Any, BinaryIO

from datasynth.schemas.calls import Shard
from datasynth.schemas.errors import DataSynthError
from datasynth.tasks.rounds.progress import board_of

if TYPE_CHECKING:
    from datasynth.tasks.rounds.calling import Calls

SHOWN = (
    "target", "accepted", "rejected", "missing", "round", "phase", "calls_planned", "calls_done", "calls_in_flight",
    "replayed", "retries", "refusals", "tokens", "cost_usd", "storage_away",
)  # fmt: skip
"""Fields of `Progress` that are reported."""
LOOK_SECONDS = 0.25


def main() -> None:
    """Hears in this thread what the parent says; works in others."""
    gc.disable()  # of what is imported nothing is ever garbage, and looking for it takes a third of the time
    up = Up(os.fdopen(os.dup(1), "wb", buffering=0))
    os.dup2(2, 1)  # whatever else prints must not stand between our words
    down = sys.stdin.buffer
    try:
        _import_for(down)
        gc.freeze()
        gc.enable()
        _obey(pickle.load(down), down, up)  # noqa: S301 - our own parent wrote it
    except Exception:  # noqa: BLE001 - the end of the file, or half a word: the parent is gone, and who wants answers
        os._exit(1)


def _import_for(down: BinaryIO) -> None:
    """All that takes long, before the parent has even read its settings."""
    import datasynth.tasks.rounds.calling  # noqa: F401, PLC0415
    from datasynth.tasks.llm.clients import import_sdk  # noqa: PLC0415
    from datasynth.tasks.llm.transport import tls_context  # noqa: PLC0415

    threading.Thread(target=tls_context, daemon=True).start()
    import_sdk(pickle.load(down))  # noqa: S301 - our own parent wrote it


class Up:
    """The way to the parent; any thread may speak."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def tell(self, *word: Any) -> None:
        data = pickle.dumps(word)
        with self._lock:
            while data:
                data = data[self._pipe.write(data) :]


def _obey(settings: Any, down: BinaryIO, up: Up) -> None:
    from datasynth.tasks.rounds.calling import Calls  # noqa: PLC0415 - imported by now

    opened: list[Calls] = []
    worker = threading.Thread(target=_work, args=(settings, opened, up), daemon=True)
    worker.start()
    while True:
        word = pickle.load(down)  # noqa: S301 - our own parent wrote it
        # In threads: whatever goes on, "stop" must be heard.
        match word:
            case "stop":
                threading.Thread(target=_stop, args=(opened,), daemon=True).start()
            case (number, asked):
                threading.Thread(target=_answer, args=(number, asked, opened, settings.run_id, up), daemon=True).start()


def _work(settings: Any, opened: "list[Calls]", up: Up) -> None:
    from datasynth.tasks.rounds.calling import Calls  # noqa: PLC0415 - imported by now

    try:
        calls = Calls(settings)
    except Exception:  # noqa: BLE001 - whatever it is, the flow finds it again, and our parent waits for our end
        os._exit(1)
    if not calls.wanted:
        os._exit(0)
    opened.append(calls)
    up.tell("opened", calls.finished_before)
    threading.Thread(target=_report, args=(settings.run_id, up), daemon=True).start()
    with contextlib.suppress(Exception):  # whatever it is, the flow finds it again when it asks
        calls.ahead()
    calls.estimate()


def _answer(number: int, asked: Shard | int, opened: "list[Calls]", run_id: str, up: Up) -> None:
    try:
        found = opened[0].run(asked) if isinstance(asked, Shard) else opened[0].leave(asked)
    except Exception as error:  # noqa: BLE001 - the parent raises it
        found = _portable(error)
    _report_once(run_id, up)  # so that the board is exact once the answer is known
    up.tell("answer", number, found)


def _portable(error: Exception) -> Exception:
    """`error` if it is ours; of another one, which might hold anything, only what it is."""
    return error if isinstance(error, DataSynthError) else RuntimeError(type(error).__name__)


def _stop(opened: "list[Calls]") -> None:
    if opened:
        opened[0].stop()
    os._exit(0)


def _report(run_id: str, up: Up) -> None:
    """Says how far the calls are, four times a second."""
    ever = threading.Event()
    while not ever.wait(LOOK_SECONDS):
        _report_once(run_id, up)


def _report_once(run_id: str, up: Up) -> None:
    now = board_of(run_id).now()
    up.tell("board", {name: getattr(now, name) for name in SHOWN})


if __name__ == "__main__":
    main()
