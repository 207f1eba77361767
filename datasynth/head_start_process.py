"""The process of a head start: `python -m datasynth.head_start_process PROTOCOL`; see `datasynth.head_start`."""

import base64
import contextlib
import gc
import json
import os
import pickle
import sys
import threading
import time
from typing import Any

from datasynth.schemas.errors import AuthenticationError, RequestRefusedError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.rounds.progress import board_of

SHOWN = ("target", "round", "phase", "calls_planned", "calls_done", "calls_in_flight", "retries", "refusals", "tokens")
"""Fields of `Progress` that are reported, beside the cost."""
LOOK_SECONDS = 0.25


def main() -> None:
    """Works in one thread, and hears in this one what the parent says."""
    gc.disable()  # of what is imported nothing is ever garbage, and looking for it takes a third of the time
    up = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever else prints must not stand between our lines
    _import_for(sys.argv[1])
    gc.freeze()
    gc.enable()
    words = sys.stdin.buffer
    if not (first := words.readline()):
        return
    settings = SynthesisSettings.model_validate(json.loads(first))
    threading.Thread(target=_work, args=(settings, up), daemon=True).start()
    for word in words:
        _stop(settings, at_once=json.loads(word) == "stop")
    os._exit(1)  # the parent is gone, and with it whoever wants the answers


def _import_for(protocol: str) -> None:
    """All that takes long, before the parent has even read its settings."""
    import datasynth.tasks.rounds.first_calls  # noqa: F401, PLC0415
    from datasynth.tasks.llm.clients import import_sdk  # noqa: PLC0415

    import_sdk(protocol)


def _work(settings: SynthesisSettings, up: Any) -> None:
    from datasynth.tasks.rounds.first_calls import make_first_calls  # noqa: PLC0415 - imported by now

    over = threading.Event()
    reporter = threading.Thread(target=_report, args=(settings.run_id or "", up, over))
    reporter.start()

    def made() -> None:
        over.set()
        reporter.join()
        _say(up, {"made": True})

    failed: Exception | None = None
    try:
        make_first_calls(settings, lambda: _say(up, {"opened": True}), made)
    except Exception as error:  # noqa: BLE001 - whatever it is, the flow finds it again, and our parent waits for our end
        failed = error
    over.set()
    reporter.join()
    if isinstance(failed, AuthenticationError | RequestRefusedError):
        _say(up, {"failed": base64.b64encode(pickle.dumps(failed)).decode()})
    os._exit(0)


def _stop(settings: SynthesisSettings, *, at_once: bool) -> None:
    # In a thread: after "enough" may still come "stop".
    threading.Thread(target=_stop_engines, args=(None if at_once else settings.request_timeout,), daemon=True).start()


def _stop_engines(grace: float | None) -> None:
    from datasynth.tasks.generate.engines import GRACE, stop_engines  # noqa: PLC0415 - imported by now

    while True:  # until the work ends the process: an engine may only be opening
        with contextlib.suppress(RuntimeError):  # it may have closed its loop meanwhile, and so stopped
            stop_engines(GRACE if grace is None else grace)
        time.sleep(LOOK_SECONDS)


def _report(run_id: str, up: Any, over: threading.Event) -> None:
    """Says how far the calls are, four times a second and once more at the end."""
    while True:
        last = over.wait(LOOK_SECONDS)
        now = board_of(run_id).now()
        if now.target:
            shown = {name: getattr(now, name) for name in SHOWN} | {"cost_usd": now.cost_usd}
            _say(up, {"board": shown, "replies": now.calls_done - now.replayed})
        if last:
            return


def _say(up: Any, word: dict[str, Any]) -> None:
    up.write(json.dumps(word).encode() + b"\n")


if __name__ == "__main__":
    main()
