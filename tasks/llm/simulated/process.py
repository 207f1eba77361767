"""The simulated model server as a process of its own, that ends with the process that started it."""

import dataclasses
import http.client
import json
import select
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import Any, Self

from datasynth.schemas.errors import RunError
from datasynth.tasks.llm.simulated.knobs import Knobs

START_LIMIT = 60.0
"""Seconds to wait for the address; a busy two-core machine needs about two."""
STOP_LIMIT = 5.0
CALL_LIMIT = 30.0


class SimulatedServer:
    """A server on a free loopback port: `with SimulatedServer.start({"latency": 0.2}) as server: server.url`.

    It runs in its own session, so that Ctrl-C reaches the caller alone, and it holds the reading end of a pipe
    whose end of file is the caller's death, however violent.
    """

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.process = process
        self.url = url
        """Base URL for the Anthropic SDK; the OpenAI SDK's is this and `/v1`."""

    @classmethod
    def start(cls, knobs: Knobs | dict[str, Any] | None = None) -> Self:
        """A running server, once it can be reached.

        Raises:
            InputError: an unknown knob or an impossible value.
            RunError: the process did not come up.
        """
        checked = knobs if isinstance(knobs, Knobs) else Knobs.of(knobs or {})
        command = [sys.executable, "-m", __package__ or "datasynth.tasks.llm.simulated", "--exit-with-stdin", "--knobs"]
        # A file, not a pipe: nobody reads it while the server runs, and a full pipe would stop the server.
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [*command, json.dumps(dataclasses.asdict(checked))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
            url = _first_line(process)
            if url.startswith("http://"):
                return cls(process, url)
            _end(process)
            errors.seek(0)
            said = errors.read().decode(errors="replace")
            raise RunError(
                "The simulated model server did not start: {said}",
                said=said.strip() or f"no answer in {START_LIMIT:g} s",
            )

    def stats(self) -> dict[str, Any]:
        """What the server counted; its keys are explained at `tally.Tally.figures`."""
        return self._call("GET", "/_stats")

    def set(self, **knobs: Any) -> Knobs:
        """Turns these knobs and leaves the others; returns all as they are then.

        Raises:
            InputError: an unknown knob or an impossible value.
        """
        current = Knobs.of(self._call("GET", "/_knobs"))
        wanted = Knobs.of(knobs, current)
        return Knobs.of(self._call("POST", "/_knobs", json.dumps(dataclasses.asdict(wanted))))

    def reset(self) -> None:
        """Makes the server forget all it was asked: counts, attempts and cached prompts."""
        self._call("POST", "/_reset", "")

    def stop(self) -> None:
        """Ends the server; stopping twice is harmless."""
        _end(self.process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _call(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=CALL_LIMIT)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise RunError(
                "The simulated model server does not answer at {url}: {error}", url=self.url, error=str(error)
            ) from error
        finally:
            connection.close()
        if response.status != 200:
            raise RunError("The simulated model server refused {path}: {error}", path=path, error=str(answer))
        return answer


def _first_line(process: subprocess.Popen[bytes]) -> str:
    """What the process prints first; empty if it ends or takes too long."""
    if process.stdout is None:
        return ""
    deadline = time.monotonic() + START_LIMIT
    line = b""
    while not line.endswith(b"\n") and (left := deadline - time.monotonic()) > 0:
        if not select.select([process.stdout], [], [], left)[0] or not (byte := process.stdout.read1(4096)):  # type: ignore[attr-defined]
            break
        line += byte
    return line.decode().strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
