"""Where in a schema something stands, for error messages and for following references."""

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say

DEEPEST = 40
"""Levels of nesting that a record may have; a deeper schema is a mistake or an attack, not a record."""

MOST = 5000
"""Fields and references that are followed: a few lines of nested references can stand for billions of fields."""


@dataclass(frozen=True)
class Place:
    """One spot in the schema document `root`, which was read from `where`."""

    where: str
    root: Any
    path: str = ""
    """The field it belongs to, such as `source.topic` or `steps[]`; empty for the record itself."""
    references: tuple[str, ...] = ()
    """The `$ref`s followed at this spot."""
    trail: tuple[str, ...] = ()
    """The `$ref`s followed on the way here, this spot's included."""
    depth: int = 0
    steps: Iterator[int] = dataclasses.field(default_factory=itertools.count, compare=False, repr=False)
    """Counts the fields and references of the whole document; all its places share it."""

    def field(self, name: str) -> Self:
        """The place of the field `name` in this object."""
        return self._deeper(f"{self.path}.{name}" if self.path else name)

    def item(self) -> Self:
        """The place of each item of this array."""
        return self._deeper(f"{self.path}[]")

    def through(self, reference: str) -> Self:
        """The same place after following `reference`.

        Raises:
            InputError: it was followed before at this spot, so that following it would never end.
        """
        if reference in self.references:
            raise self._endless(reference)
        self._count()
        return replace(self, references=(*self.references, reference), trail=(*self.trail, reference))

    def after(self, others: list[Self]) -> Self:
        """The same place, remembering also the references that `others`, parts of its schema, followed."""
        known, trail = list(self.references), list(self.trail)
        for other in others:
            known += other.references[len(self.references) :]
            trail += other.trail[len(self.trail) :]
        return replace(self, references=tuple(known), trail=tuple(trail))

    def _deeper(self, path: str) -> Self:
        self._count()
        below = replace(self, path=path, references=(), depth=self.depth + 1)
        if below.depth > DEEPEST:
            repeated = next((r for r in self.trail if self.trail.count(r) > 1), None)
            if repeated:
                raise self._endless(repeated)
            raise replace(below, path=_start(path)).problem(
                say("nested more than {levels} levels deep. Flatten the schema.", levels=DEEPEST)
            )
        return below

    def _count(self) -> None:
        if next(self.steps) >= MOST:
            raise replace(self, path=_start(self.path)).problem(
                say("the schema describes more than {most} fields, counting nested ones. Simplify it.", most=MOST)
            )

    def _endless(self, reference: str) -> InputError:
        return replace(self, path=_start(self.path)).problem(
            say(
                "{reference} contains itself, and DataSynth's records have a fixed depth. Write the levels out.",
                reference=reference,
            )
        )

    def problem(self, what: Message) -> InputError:
        """An error that says where `what` was found."""
        if not self.path:
            return InputError("{where}: {problem}", where=self.where, problem=what)
        return InputError('{where}: field "{field}": {problem}', where=self.where, field=self.path, problem=what)


def _start(path: str) -> str:
    """`path`, or its beginning where it is too long to read."""
    return path if len(path) <= 60 else path[:59] + "…"
