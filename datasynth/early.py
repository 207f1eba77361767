"""Starts the process that makes a run's calls before anything else is imported: it needs seconds for its own imports.

Nothing but the standard library here. Whoever starts it early does not know yet whether the run will use it.
"""

import subprocess
import sys

_started: list[subprocess.Popen[bytes]] = []


def begin() -> None:
    """Starts it, for the run that this process is about to begin."""
    _started.append(
        subprocess.Popen(
            # -P: a folder called `tasks` where the user stands must not be imported.
            [sys.executable, "-P", "-m", "datasynth.caller_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Ctrl-C goes to the whole terminal group; this one is told what to do.
            start_new_session=True,
        )
    )


def taken() -> subprocess.Popen[bytes]:
    """The process that was started, or one that is started now."""
    if not _started:
        begin()
    return _started.pop()


def discard() -> None:
    """Ends a process that was started and is not needed."""
    while _started:
        process = _started.pop()
        process.kill()
        process.wait()
