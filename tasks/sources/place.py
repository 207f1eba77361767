"""Where in a schema something stands, for error messages and for following references."""

from dataclasses import dataclass, replace
from typing import Any, Self

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Message, say

DEEPEST = 40
"""Levels of nesting that a record may have; a deeper schema is a mistake or an attack, not a record."""


@dataclass(frozen=True)
class Place:
    """One spot in the schema document `root`, which was read from `where`."""

    where: str
    root: Any
    path: str = ""
    """The field it belongs to, such as `source.topic` or `steps[]`; empty for the record itself."""
    references: tuple[str, ...] = ()
    """The `$ref`s followed on the way here."""
    depth: int = 0

    def field(self, name: str) -> Self:
        """The place of the field `name` in this object."""
        return self._deeper(f"{self.path}.{name}" if self.path else name)

    def item(self) -> Self:
        """The place of each item of this array."""
        return self._deeper(f"{self.path}[]")

    def _deeper(self, path: str) -> Self:
        below = replace(self, path=path, depth=self.depth + 1)
        if below.depth > DEEPEST:
            raise below.problem(say("nested more than {levels} levels deep. Flatten the schema.", levels=DEEPEST))
        return below

    def through(self, reference: str) -> Self:
        """The same place after following `reference`.

        Raises:
            InputError: it was followed before on the way here, so that the records would be endless.
        """
        if reference in self.references:
            raise self.problem(
                say(
                    "{reference} contains itself, and DataSynth's records have a fixed depth. Write the levels out.",
                    reference=reference,
                )
            )
        return replace(self, references=(*self.references, reference))

    def problem(self, what: Message) -> InputError:
        """An error that says where `what` was found."""
        if not self.path:
            return InputError("{where}: {problem}", where=self.where, problem=what)
        return InputError('{where}: field "{field}": {problem}', where=self.where, field=self.path, problem=what)
