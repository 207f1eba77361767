"""The local Prefect server of one run, as a process: `python -m datasynth.prefect_server`.

It writes its port as the first line of its standard output and `ready` as the second, and leaves when its standard
input ends: when whoever started it closes the pipe or dies, by whatever signal. It is the server that Prefect itself
would start (`prefect.server.api.server.SubprocessASGIServer`), but the wait for it can be spent on other work, it
takes its port without a race, and it cannot outlive us.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What SubprocessASGIServer sets: no page to serve, and only the services that a passing server needs.
PASSING_SERVER = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
GRACE_SECONDS = 5


def main() -> None:
    """Serves until standard input ends."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    leaving = threading.Event()
    servers: list[Any] = []
    threading.Thread(target=_leave_with_parent, args=(leaving, servers), daemon=True).start()
    os.environ.update(PASSING_SERVER)
    # Imported here: ten seconds of imports must not delay the port or the watch on standard input.
    import uvicorn  # noqa: PLC0415
    from prefect.server.api.server import create_app  # noqa: PLC0415
    from prefect.settings import get_current_settings  # noqa: PLC0415

    home = Path(get_current_settings().home)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            with one_at_a_time(home):
                await super().startup(sockets)
            print("ready", flush=True)

    server = Server(uvicorn.Config(create_app(), log_level="error", lifespan="on"))
    servers.append(server)
    if not leaving.is_set():
        server.run(sockets=[listener])


def _leave_with_parent(leaving: threading.Event, servers: list[Any]) -> None:
    # os.read: a thread that holds sys.stdin's lock would make the interpreter's own exit fail.
    while os.read(0, 4096):
        pass
    leaving.set()
    for server in servers:
        server.should_exit = True
        threading.Event().wait(GRACE_SECONDS)
    os._exit(0)


@contextlib.contextmanager
def one_at_a_time(home: Path) -> Iterator[None]:
    """Lets one process at a time make or migrate the database in `home`; two at once break each other's tables."""
    try:
        import fcntl  # noqa: PLC0415
    except ImportError:  # Windows: no such lock, as with Prefect's own server
        yield
        return
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "datasynth-server.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main()
