"""What an index says of a record, and what is asked of an index wherever it is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from mmap import mmap
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Match:
    """Why a record is a duplicate."""

    reason: Literal["exact_duplicate", "near_duplicate"]
    id: str
    """Of the most similar record kept so far; of several, the one kept first."""
    similarity: float
    """Exact Jaccard similarity of the two shingle sets; 1 for an exact duplicate."""
    view: str
    """The view they are alike in; the whole record if it is, since it comes first."""


@dataclass(frozen=True)
class Shared:
    """Whose an index is that several processes hold together."""

    name: str
    """Of the records compared with each other: the same for every run of a data set."""
    owner: str
    """What the ids of this run's own records begin with."""


class DuplicateIndex(Protocol):
    """What a round's commit needs of an index, wherever it is kept."""

    def __len__(self) -> int: ...
    @property
    def unsaved(self) -> int: ...
    def add(self, records: Sequence[dict[str, Any]], ids: Sequence[str]) -> None: ...
    def screen(self, records: Sequence[dict[str, Any]], ids: Sequence[str]) -> list[Match | None]: ...
    def peek(self, records: Sequence[dict[str, Any]]) -> list[Match | None]: ...
    def dump(self) -> bytes: ...
    def load(self, data: bytes | mmap) -> None: ...
