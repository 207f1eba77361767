"""Waits for an object store that has answered before and is away for a moment: a run would else end in its middle.

The libraries below try again as well, for some seconds. Of an address that never answered they have the last word, so
that a wrong one is soon named.
"""

import errno
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")
log = logging.getLogger("datasynth")

PATIENCE = 60.0
"""Seconds that a store may be away."""
LONGEST_PAUSE = 4.0
"""Seconds between two tries, at most."""
HASTE = 30.0
"""Seconds after `make_haste` in which nothing is waited for."""
_BUSY = (errno.EBUSY, errno.EIO, getattr(errno, "EREMOTEIO", errno.EIO))
"""What s3fs makes of 500 and 503, and of answers that it does not know."""

_hasty_until = float("-inf")
_waiting: set[object] = set()
"""Who waits, so that a run's progress can say so."""


def waits() -> bool:
    """Whether anybody in this process waits for a store now."""
    return bool(_waiting)


def make_haste() -> None:
    """The process was told to end: for some seconds whoever waits here gives up at its next try."""
    global _hasty_until  # noqa: PLW0603 - it is the process that ends
    _hasty_until = time.monotonic() + HASTE


def tried_again(action: Callable[[], T], what: str) -> T:
    """What `action` returns once the store answers it; it has just failed in a way that may pass.

    Args:
        action: May be repeated.
        what: What it does, for the log.

    Raises:
        Exception: that of the last try, after `PATIENCE` seconds, or of one that will not pass.
    """
    # Needed rarely, and by no run that goes well.
    from tenacity import Retrying, retry_if_exception, wait_random_exponential  # noqa: PLC0415

    log.warning("Cannot %s: the storage does not answer. Trying again for %d s.", what, PATIENCE)
    trying = Retrying(
        retry=retry_if_exception(may_pass),
        wait=wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE),
        stop=_given_up,
        reraise=True,
    )
    _waiting.add(me := object())
    try:
        return trying(action)
    finally:
        _waiting.discard(me)


def _given_up(trying: "RetryCallState") -> bool:
    return time.monotonic() < _hasty_until or (trying.seconds_since_start or 0.0) >= PATIENCE


def may_pass(error: BaseException) -> bool:
    """Whether a store that fails so is away or busy, and will be back; what it refuses, it will refuse again."""
    from botocore.exceptions import ConnectionError as NoConnection  # noqa: PLC0415 - only s3fs needs it imported
    from botocore.exceptions import HTTPClientError  # noqa: PLC0415
    from fsspec.exceptions import FSTimeoutError  # noqa: PLC0415

    if isinstance(error, (NoConnection, HTTPClientError, FSTimeoutError, ConnectionError, TimeoutError)):
        return True
    return isinstance(error, OSError) and error.errno in _BUSY
