"""Runs the simulated model server alone: `python -m datasynth.tasks.llm.simulated --port 8000 --latency 0.2`."""

import argparse
import asyncio
import dataclasses
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

import orjson
from aiohttp import web

from datasynth.schemas.errors import InputError
from datasynth.tasks.llm.simulated.knobs import TYPES, Knobs
from datasynth.tasks.llm.simulated.server import Server

LEAVE = 0.3
"""Seconds that requests in flight get when the server stops; those that never end are cut off then."""


def parser() -> argparse.ArgumentParser:
    """The command line: one flag for each knob."""
    result = argparse.ArgumentParser(
        prog="python -m datasynth.tasks.llm.simulated",
        description="A loopback model server in Anthropic's and OpenAI's protocols. No language model answers.",
    )
    result.add_argument("--port", type=int, default=0, help="Port on 127.0.0.1; 0 takes a free one.")
    result.add_argument("--exit-with-stdin", action="store_true", help="Stop when standard input ends.")
    result.add_argument("--knobs", default="{}", metavar="JSON", help="Knobs as one JSON object; flags go before it.")
    for field in dataclasses.fields(Knobs):
        flag, about = "--" + field.name.replace("_", "-"), str(field.metadata["about"]).replace("%", "%%")
        if TYPES[field.name] is bool:
            result.add_argument(flag, dest=field.name, action="store_true", default=None, help=about)
        else:
            result.add_argument(flag, dest=field.name, metavar="X", help=about)
    return result


def knobs_of(arguments: argparse.Namespace) -> Knobs:
    """The knobs that a command line sets.

    Raises:
        InputError: one of them cannot be.
    """
    try:
        given: Any = orjson.loads(arguments.knobs)
    except orjson.JSONDecodeError as error:
        raise InputError("--knobs is not JSON: {error}. Give an object.", error=str(error)) from error
    if not isinstance(given, dict):
        raise InputError(
            "--knobs is not an object: {text}. Give one such as {example}.",
            text=arguments.knobs,
            example='{"latency": 1}',
        )
    flags = {f.name: getattr(arguments, f.name) for f in dataclasses.fields(Knobs)}
    return Knobs.of(given | {name: value for name, value in flags.items() if value is not None})


async def serve(knobs: Knobs, port: int, *, exit_with_stdin: bool) -> None:
    """Serves until a signal, or until standard input ends; prints the address once it can be reached."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    runner = web.AppRunner(Server(knobs).app, access_log=None, handler_cancellation=True, shutdown_timeout=LEAVE)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port, backlog=2048)
        await site.start()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        if exit_with_stdin:
            threading.Thread(target=_await_end_of_input, args=(loop, stop), daemon=True).start()
        bound = runner.addresses[0][1]
        print(f"http://127.0.0.1:{bound}", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


def serve_until_stopped(knobs: Knobs, port: int, *, exit_with_stdin: bool = False) -> None:
    """`serve`, in an event loop of its own.

    Raises:
        InputError: the port is taken or may not be used.
    """
    try:
        asyncio.run(serve(knobs, port, exit_with_stdin=exit_with_stdin))
    except OSError as error:
        raise InputError(
            "Cannot listen on 127.0.0.1:{port}: {error}. Choose another --port.",
            port=port,
            error=error.strerror or str(error),
        ) from error


def _await_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # os.read, because a thread inside sys.stdin's lock would make the interpreter's own exit fail.
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stop.set)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; its exit code is 2 for bad flags or a port that is taken."""
    arguments = parser().parse_args(argv)
    try:
        serve_until_stopped(knobs_of(arguments), arguments.port, exit_with_stdin=arguments.exit_with_stdin)
    except InputError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
