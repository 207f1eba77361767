"""One run from first to last: Prefect made ready beside our imports, the flow called, its progress watched."""

import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Protocol

from datasynth import prefect_setup
from datasynth.caller import CallerProcess
from datasynth.schemas.errors import DataSynthError, RunError
from datasynth.schemas.messages import Message, say
from datasynth.schemas.recipe import Recipe
from datasynth.schemas.report import RunReport
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.llm.endpoints import PROVIDERS
from datasynth.tasks.rounds.runs import new_run_id, run_to_resume

STOP_AGAIN_SECONDS = 0.5


class Watching(Protocol):
    """Shows a run while it goes on."""

    def waiting(self, message: Message) -> contextlib.AbstractContextManager[object]:
        """Around a wait of some seconds, with what is waited for."""
        ...

    def running(self, run_id: str) -> contextlib.AbstractContextManager[object]:
        """Around the run itself, whose board is `datasynth.tasks.rounds.progress.board_of(run_id)`."""
        ...


class Stopped(KeyboardInterrupt):
    """Somebody ended the run from outside: Ctrl-C, or SIGTERM."""


def with_run_id(settings: SynthesisSettings, recipe: Recipe) -> tuple[SynthesisSettings, bool]:
    """`settings` with a run id, so that the run can be watched, and whether it is that of an earlier run.

    The id given stands; else, to resume, it is that of the latest fitting run; else a new one.
    """
    if settings.run_id:
        return settings, False
    card = run_to_resume(settings, recipe) if settings.resume else None
    return settings.model_copy(update={"run_id": card.run_id if card else new_run_id()}), card is not None


def launch(
    settings: SynthesisSettings,
    server: prefect_setup.LocalServer | None,
    caller: CallerProcess | None,
    watching: Watching,
) -> RunReport:
    """Runs the flow.

    Args:
        settings: With a `run_id`, so that the run can be watched.
        server: From `prefect_setup.begin`, started before everything else that takes time.
        caller: From `caller.begin`, likewise; it is told here to go, and has ended when this returns.
        watching: What the user sees.

    Raises:
        Stopped: by a signal. What was paid for is kept, and the same run can be gone on with.
        DataSynthError: the run failed.
    """
    if settings.run_id is None:
        raise RunError("A run needs an id before it starts. Give run_id.")
    with ended_by_signals() as told, _under_way(caller, settings):
        with watching.waiting(waited_for(server)):
            # Prefect and Polars take seconds to import: meanwhile the server starts, and the first calls leave.
            with rare_collections():
                from datasynth.flows.synthesize import synthesize  # noqa: PLC0415
                from datasynth.tasks.rounds.meanwhile import CHECKS, REPORT, import_all  # noqa: PLC0415

            # While somebody else makes the calls, nobody waits for what this process imports.
            _beside(partial(import_all, CHECKS if caller is None else (*CHECKS, *REPORT)))
            prefect_setup.ready(server)
            if caller is None or not _calls_for(caller, settings):
                _beside(partial(_import_sdk, settings))
        if told:
            raise Stopped  # the first one was lost in somebody's import
        with watching.running(settings.run_id), prefect_setup.patient(), api_named_in_errors():
            return synthesize(settings)


def _calls_for(caller: CallerProcess, settings: SynthesisSettings) -> bool:
    """Has the flow's calls made by `caller`, and whether it could open the run; if not, the flow finds out why."""
    from datasynth.tasks.generate.engines import calls_made_by  # noqa: PLC0415 - imported by now
    from datasynth.tasks.rounds.runs import store_of  # noqa: PLC0415

    caller.wait_until_open()
    if caller.lost:
        return False
    calls_made_by(settings.run_id or "", caller)
    store_of(settings).take_as_right()
    return True


def _import_sdk(settings: SynthesisSettings) -> None:
    from datasynth.tasks.llm.clients import import_sdk  # noqa: PLC0415 - imported by now

    with contextlib.suppress(ImportError):  # the engine meets the same error, and says what it is for
        import_sdk(PROVIDERS[settings.provider].protocol)


def _beside(imports: Callable[[], None]) -> None:
    """Imports in a thread that nobody waits for, while Prefect's answers are."""
    threading.Thread(target=imports, name="datasynth-imports", daemon=True).start()


@contextlib.contextmanager
def api_named_in_errors() -> Iterator[None]:
    """Says of a run that ended because its Prefect API had gone that it is the API that does not answer."""
    try:
        yield
    except (DataSynthError, KeyboardInterrupt):
        raise
    except Exception:
        prefect_setup.require_answer()
        raise


@contextlib.contextmanager
def _under_way(caller: CallerProcess | None, settings: SynthesisSettings) -> Iterator[None]:
    """Around everything that goes on beside the process that makes the calls, which ends with it, however it ends."""
    if caller is None:
        yield
        return
    caller.go(settings)
    try:
        yield
    finally:
        caller.stop()


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Around imports: they make a million objects that stay, and looking for garbage among them takes a fifth of it."""
    before = gc.get_threshold()
    gc.set_threshold(200_000, 100, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def waited_for(server: prefect_setup.LocalServer | None) -> Message:
    if server is None:
        return say("Connecting to Prefect ...")
    return say(
        "Starting a local Prefect server (a first start takes up to a minute; set PREFECT_API_URL to use yours) ..."
    )


@contextlib.contextmanager
def ended_by_signals() -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM end the run, and `Stopped` comes out, whatever Prefect makes of the signal.

    The exception alone is not enough: raised inside somebody's clean-up it can be lost. So the engines are told too,
    again and again in case one is only starting, and a second signal ends the process at once.

    Yields:
        The signals that came.
    """
    told: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield told  # signals are the main thread's
        return
    over = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        if told:
            leave_now(1)
        told.append(number)
        threading.Thread(target=_stop_engines, args=(over,), daemon=True).start()
        raise Stopped

    earlier = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    except BaseException as error:
        if told or isinstance(error, KeyboardInterrupt) or type(error).__name__ == "TerminationSignal":
            raise Stopped from error
        raise
    finally:
        over.set()
        for number, handler in earlier.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _stop_engines(over: threading.Event) -> None:
    while True:
        # Not imported with this module: it belongs to what takes seconds, and is there once there is anything to stop.
        engines = sys.modules.get("datasynth.tasks.generate.engines")
        if stop := getattr(engines, "stop_engines", None):  # None while it is being imported
            with contextlib.suppress(RuntimeError):  # it may have closed its loop meanwhile, and so stopped
                stop()
        if over.wait(STOP_AGAIN_SECONDS):
            return


def leave_now(code: int) -> None:
    """Ends this process without waiting for threads whose work was given up; the local server ends with it."""
    os._exit(code)
