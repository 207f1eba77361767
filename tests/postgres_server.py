"""A real PostgreSQL for tests: Debian's binaries, on a free loopback port, in a folder of its own, ended by its pid."""

import asyncio
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from s3_server import free_port

PATIENCE_SECONDS = 60


@contextmanager
def serve_postgres() -> Iterator[str]:
    """Runs a server with an empty database; gives its address for SQLAlchemy, with the password."""
    binaries = _binaries()
    user = _unprivileged()
    # Not below pytest's folder, which root alone may enter, and PostgreSQL refuses to be root.
    home = Path(tempfile.mkdtemp(prefix="datasynth-postgres-"))
    try:
        password, port = secrets.token_hex(16), free_port()
        (home / "password").write_text(password)
        if user:
            for path in (home, home / "password"):
                shutil.chown(path, user)
        data = home / "data"
        # The folder that pytest was started in may be closed to that user.
        subprocess.run(
            [binaries / "initdb", "-D", data, "-U", "prefect", "-A", "scram-sha-256", "--pwfile", home / "password"],
            user=user, cwd=home, check=True, capture_output=True,
        )  # fmt: skip
        with (home / "log").open("w") as log:
            server = subprocess.Popen(
                [
                    binaries / "postgres", "-D", data, "-p", str(port), "-c", "listen_addresses=127.0.0.1",
                    "-c", "unix_socket_directories=", "-c", "fsync=off",
                ],
                user=user, cwd=home, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            if not asyncio.run(_answers(port, password, server)):
                pytest.fail(f"PostgreSQL did not start (exit code {server.poll()}):\n{(home / 'log').read_text()}")
            yield f"postgresql+asyncpg://prefect:{password}@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # "fast shutdown": it does not wait for clients
            server.wait(30)
    finally:
        shutil.rmtree(home)


def _binaries() -> Path:
    """The folder of the newest PostgreSQL here."""
    found = [Path(one).resolve().parent for one in (shutil.which("postgres"),) if one]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    for folder in reversed(found):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    missing = "No PostgreSQL server here: apt-get install postgresql"
    if os.environ.get("CI"):
        pytest.fail(f"{missing}; .ci/run does.")
    pytest.skip(missing)


def _unprivileged() -> str | None:
    """Whom PostgreSQL may run as where we are root."""
    if os.geteuid():
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


async def _answers(port: int, password: str, server: subprocess.Popen[bytes]) -> bool:
    """Whether the server takes connections, once it does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            opened = await asyncpg.connect(
                host="127.0.0.1", port=port, user="prefect", password=password, database="postgres"
            )
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(0.05)
        else:
            await opened.close()
            return True
    return False
