"""Blocks: what a person keeps by name on a Prefect server, read there when a run names it, wherever the task runs.

Nothing here knows Prefect; `datasynth.tasks.steps` does, and is imported only where something names a block.
"""

import re
import threading
import time
from typing import Any, TypeVar

from pydantic import ValidationError

from datasynth.schemas.blocks import BlockFields, EndpointFields, StoreFields, TemplateFields
from datasynth.schemas.errors import InputError, RunError

ENDPOINT, STORE, TEMPLATE = "model-endpoint", "dataset-store", "instruction-template"
"""Prefect's slugs of the block types."""
NAME = re.compile("[a-z0-9-]+")
FRESH_SECONDS = 60.0
"""How long a process takes what it read for what is there: a key that was changed arrives within a minute, also where
a process outlives its runs."""

_read: dict[tuple[str, str], tuple[float, BlockFields]] = {}
_lock = threading.Lock()
Fields = TypeVar("Fields", bound=BlockFields)


def endpoint_block(name: str) -> EndpointFields:
    """The ModelEndpoint called `name`; raises as `_block` does."""
    return _block(EndpointFields, ENDPOINT, name)


def store_block(name: str) -> StoreFields:
    """The DatasetStore called `name`; raises as `_block` does."""
    return _block(StoreFields, STORE, name)


def template_block(name: str) -> TemplateFields:
    """The InstructionTemplate called `name`; raises as `_block` does."""
    return _block(TemplateFields, TEMPLATE, name)


def forget_blocks() -> None:
    """Has every block read again: a run starts with what is there now."""
    with _lock:
        _read.clear()


def _block(kind: type[Fields], slug: str, name: str) -> Fields:
    """What is called `name`, as it stood at most `FRESH_SECONDS` ago.

    Raises:
        InputError: there is no such block, no Prefect API to ask, or a field of it cannot be used.
        RunError: the Prefect API does not answer, and nothing was read before.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            "{name} cannot be the name of a block. Names have lower-case letters, digits and dashes; the Prefect UI "
            "shows them under Blocks.",
            name=name,
        )
    with _lock:
        at, known = _read.get((slug, name), (0.0, None))
    if isinstance(known, kind) and time.monotonic() - at < FRESH_SECONDS:
        return known
    # Prefect takes seconds to import, and only a block needs it here.
    from datasynth.tasks.steps import read_block  # noqa: PLC0415

    try:
        found = _checked(kind, slug, name, read_block(slug, name))
    except RunError:
        if not isinstance(known, kind):
            raise
        found = known  # the API is away for a moment, and a run outlives that
    with _lock:
        _read[slug, name] = time.monotonic(), found
    return found


def _checked(kind: type[Fields], slug: str, name: str, values: dict[str, Any]) -> Fields:
    try:
        # The UI sends an empty text for a field that was emptied.
        return kind.model_validate({field: value for field, value in values.items() if value not in (None, "")})
    except ValidationError as error:
        problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field, words = ".".join(map(str, problem["loc"])), problem["msg"]
    # Outside the except clause: the validation error, which knows the values, must not travel along.
    raise InputError(
        "The block {block}: {field}: {problem}. Correct it in the Prefect UI, under Blocks.",
        block=f"{slug}/{name}",
        field=field,
        problem=words,
    )
