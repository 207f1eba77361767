"""Stores that are named in place of an address: `block:NAME`, a DatasetStore that a person keeps on a Prefect server.

Between tasks goes `block:NAME:ADDRESS`: the address as it was when the run began, and whose keys open it. The keys go
nowhere; each process reads them for itself.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from datasynth.schemas.blocks import StoreFields
from datasynth.schemas.errors import InputError
from datasynth.tasks.blocks.source import store_block

SCHEME = "block:"
REFERENCE = re.compile(rf"{SCHEME}(?P<name>[a-z0-9-]+)(:(?P<address>.+)|/(?P<below>.*))?")


def is_named(address: str) -> bool:
    """Whether `address` names a block. A folder of such a name is `./block:...`."""
    return address.startswith(SCHEME)


@dataclass(frozen=True)
class Opening:
    """How fsspec opens an address: the options hold a secret and stay out of `repr`."""

    url: str
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    name: str | None = None
    """Of the block that the options came from."""


def opening_of(address: str) -> Opening:
    """How to open `address`, which may name a block.

    Raises:
        InputError: it is no name of a block; there is no such block; its keys are not for its address, or not for this
            one.
    """
    if not is_named(address):
        return Opening(address)
    parts = REFERENCE.fullmatch(address)
    if parts is None:
        raise InputError(
            "{address}: no name of a DatasetStore. Write block:NAME, with lower-case letters, digits and dashes; a "
            "folder of this name is ./{address}.",
            address=address,
        )
    name, block = parts["name"], store_block(parts["name"])
    _require_keys_fit(name, block)
    root = block.address.rstrip("/") or "/"
    url = parts["address"] or (f"{root.rstrip('/')}/{parts['below']}" if parts["below"] else root)
    if block.options and not _below(url, root):
        # The keys of a block open its own address and nothing beside it, whatever a run's settings say.
        raise InputError(
            "{url} is not below {root}, for which the DatasetStore {name} now stands. Change the block back, or start "
            "a new run.",
            url=url,
            name=name,
            root=root,
        )
    return Opening(url, block.options, name if block.options else None)


def _below(url: str, root: str) -> bool:
    """Whether `url` is `root` or below it; s3 and s3a are the same place."""
    there, above = (address.partition("://")[2].split("/") for address in (url, root))
    return there[: len(above)] == above and ".." not in there


def _require_keys_fit(name: str, block: StoreFields) -> None:
    protocol = block.address.partition("://")[0]
    if block.options and protocol not in ("s3", "s3a"):
        raise InputError(
            "The DatasetStore {name} has S3 keys, and its address is {address}. Give an address that starts with "
            "s3://, or leave the keys out.",
            name=name,
            address=block.address,
        )
    if block.options and bool(block.key_id) != bool(block.secret):
        raise InputError(
            "The DatasetStore {name} has half a pair of S3 keys. Give both the access key ID and the secret, or "
            "neither.",
            name=name,
        )
