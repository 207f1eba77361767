"""A flow called by a command: Prefect is made ready beside the imports, and a stop says what is left."""

import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from datasynth import prefect_setup
from datasynth.cli.speech import err, speech
from datasynth.launch import Stopped, api_named_in_errors, ended_by_signals, leave_now, rare_collections, waited_for
from datasynth.schemas.messages import Message

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


def call_flow(
    load: Callable[[], Callable[[Asked], Answer]],
    asked: Asked,
    *,
    stopped: Sequence[Message],
    beside: contextlib.AbstractContextManager[object] | None = None,
) -> Answer:
    """What a flow makes of `asked`, with a local Prefect server where none is configured.

    Args:
        load: Imports the flow, which takes seconds.
        asked: The flow's only argument.
        stopped: Said when Ctrl-C or SIGTERM ends it, and so this process.
        beside: Held while the flow runs.
    """
    server = prefect_setup.begin(verbose=speech.verbose)
    try:
        with ended_by_signals() as told:
            err(waited_for(server))
            with rare_collections():
                flow = load()
            prefect_setup.ready(server)
            if told:
                raise Stopped  # the first one was lost in somebody's import
            with beside or contextlib.nullcontext(), prefect_setup.patient(), api_named_in_errors():
                return flow(asked)
    except Stopped:
        for sentence in stopped:
            err(sentence)
        sys.stderr.flush()
        # Threads may still wait for answers that nobody wants now.
        leave_now(1)
        raise
