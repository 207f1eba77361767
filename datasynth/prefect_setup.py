"""Prefect made ready for a run: a configured API is used, else a local server starts beside our own imports.

Nothing here imports Prefect, which takes seconds; what it reads is decided before the first import of it.
"""

import atexit
import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datasynth.schemas.errors import RunError
from datasynth.schemas.messages import Message, say

START_LIMIT_SECONDS = 300
"""A first start makes the database: half a minute on two slow cores, more where the disk is slow too."""
ANSWER_LIMIT_SECONDS = 8
"""How long a configured API may take to answer at all."""

QUIET = {
    # Prefect's lines tell an operator of tasks; the progress display tells the user of records.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    # Each event that it cannot deliver while its API is away is a page long.
    "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
}
ALWAYS = {
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": str(START_LIMIT_SECONDS),
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "false",
}


def set_environment(*, verbose: bool) -> None:
    """Sets Prefect's environment for a run, before Prefect is imported; what the user set stands."""
    for name, value in (ALWAYS if verbose else ALWAYS | QUIET).items():
        os.environ.setdefault(name, value)


class LocalServer:
    """A Prefect server of our own, started at once and awaited later; it ends with this process, however that ends."""

    def __init__(self, *, verbose: bool) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the server
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.process = subprocess.Popen(
            # -P: a folder called `prefect` or `tasks` where the user stands must not be imported.
            [sys.executable, "-P", "-m", "datasynth.prefect_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if verbose else self._log,
            # Ctrl-C goes to the whole terminal group; the run needs its server to say how it ended.
            start_new_session=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()
        self.api_url = f"http://127.0.0.1:{self._line(START_LIMIT_SECONDS)}/api"
        # Registered before Prefect is imported, so run after Prefect's own last words to the server.
        atexit.register(self.stop)

    def _listen(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - it is a pipe, as asked for above
        for line in self.process.stdout:
            self._lines.put(line.decode().strip())
        self._lines.put("")

    def _line(self, timeout: float) -> str:
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            line = ""
        if not line:
            raise RunError(
                "The local Prefect server did not start: {detail}. Run again with -v to see its log, or set "
                "PREFECT_API_URL to a server of yours.",
                detail=self._last_words(),
            )
        return line

    def _last_words(self) -> str | Message:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else say("no answer after {seconds} s", seconds=START_LIMIT_SECONDS)

    def wait(self) -> None:
        """Returns when the server answers.

        Raises:
            RunError: it ended, or took longer than `START_LIMIT_SECONDS`.
        """
        deadline = time.monotonic() + START_LIMIT_SECONDS
        while self._line(deadline - time.monotonic()) != "ready":
            pass
        # The next wait, in the same process, finds the same word.
        self._lines.put("ready")

    def stop(self) -> None:
        """Ends the server; repeating it does no harm."""
        atexit.unregister(self.stop)
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_server: LocalServer | None = None


def begin(*, verbose: bool = False, environ: Mapping[str, str] = os.environ) -> LocalServer | None:
    """Starts the local server, or makes sure that the configured API answers. Call it before Prefect is imported.

    Returns:
        The server to wait for; None where an API is configured, or where only Prefect can tell (its settings may
        stand in `.env`, `prefect.toml` or `pyproject.toml`, and a program that has imported it has read them).

    Raises:
        RunError: the configured API does not answer.
    """
    global _server  # noqa: PLW0603 - one server serves all runs of a process
    if _server is not None and _server.process.poll() is None:
        return _server
    preloaded = "prefect" in sys.modules
    set_environment(verbose=verbose)
    configured = configured_api(environ)
    if configured:
        check_answers(configured)
    if configured is not None or preloaded:
        return None
    _server = LocalServer(verbose=verbose)
    os.environ["PREFECT_API_URL"] = _server.api_url
    return _server


def configured_api(environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> str | None:
    """The address of the API that Prefect's environment or active profile names.

    Returns:
        None where there is none; an empty text where settings files may name one that only Prefect itself can read.
    """
    if url := environ.get("PREFECT_API_URL"):
        return url
    here = folder or Path()
    if (here / "prefect.toml").exists() or any(
        word in _text(here / name) for name, word in ((".env", "PREFECT_"), ("pyproject.toml", "tool.prefect"))
    ):
        return ""
    home = Path(environ.get("PREFECT_HOME") or Path.home() / ".prefect").expanduser()
    try:
        profiles = tomllib.loads(_text(Path(environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")))
    except tomllib.TOMLDecodeError:
        return ""
    active = environ.get("PREFECT_PROFILE") or profiles.get("active")
    return profiles.get("profiles", {}).get(active, {}).get("PREFECT_API_URL")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return ""


def check_answers(url: str) -> None:
    """Makes sure that something answers at the Prefect API `url`; whether it lets us in is Prefect's to find out.

    Raises:
        RunError: nothing answers.
    """
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=ANSWER_LIMIT_SECONDS):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        if error.code < 500:
            return
        problem = f"HTTP {error.code}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if type(reason).__name__.startswith("SSL"):  # Prefect may have been given the certificate that we lack
            return
        problem = str(reason)
    raise RunError(
        "The Prefect API at {url} does not answer: {problem}. Start it, correct PREFECT_API_URL, or unset it to use "
        "a local server.",
        url=url,
        problem=problem,
    )


def ready(server: LocalServer | None) -> None:
    """Returns when Prefect has an API to talk to. Call it after Prefect was imported.

    Raises:
        RunError: the local server did not start, or the API that Prefect's own settings name does not answer.
    """
    if server is not None:
        server.wait()
    else:
        require_answer()


def require_answer() -> None:
    """Makes sure that the API that Prefect's settings name answers. Call it after Prefect was imported.

    Raises:
        RunError: it does not.
    """
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415 - imported by now, and the only one who knows

    if url := PREFECT_API_URL.value():
        check_answers(url)


@contextlib.contextmanager
def patient() -> Iterator[None]:
    """Gives the server that Prefect itself may start the time it needs, also in a program that had imported Prefect.

    Flow runs send no heartbeats meanwhile, unless somebody has set how often: they are for runs that a worker has, and
    the thread that sends them looks once a second only whether the run has ended.
    """
    from prefect import settings  # noqa: PLC0415 - imported by now

    limit = settings.PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS
    ours: dict[Any, Any] = {limit: max(int(limit.value() or 0), START_LIMIT_SECONDS)}
    if "heartbeat_frequency" not in settings.get_current_settings().flows.model_fields_set:
        ours[settings.PREFECT_FLOWS_HEARTBEAT_FREQUENCY] = None
    with settings.temporary_settings(ours):
        yield
