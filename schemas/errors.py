"""Every error that a caller can act on. The command line prints its message and exits with `exit_code`."""

from typing import Any

from datasynth.schemas.messages import Language, Message, say


class DataSynthError(Exception):
    """What was found, where, and what to do about it, as one translatable message."""

    exit_code = 1

    def __init__(self, template: str, **values: Any) -> None:
        self.message: Message = say(template, **values)
        super().__init__(template, values)

    def __str__(self) -> str:
        return self.message.text()

    def __reduce__(self) -> tuple[Any, ...]:
        # Prefect pickles exceptions into task states; the default would drop the keyword values.
        return _rebuild, (type(self), self.message)

    def text(self, language: Language) -> str:
        """The message in `language`."""
        return self.message.text(language)


def _rebuild(kind: type[DataSynthError], message: Message) -> DataSynthError:
    return kind(message.template, **message.values)


class InputError(DataSynthError):
    """Something the user gave cannot be used: a path, a file's content, an option, a missing key."""

    exit_code = 2


class RunError(DataSynthError):
    """A run could not go on; what was paid for is kept."""


class AuthenticationError(RunError):
    """The endpoint refused the key. Never retried: the next call would be refused too."""


class RequestRefusedError(RunError):
    """The endpoint refused every request as malformed or unknown (400, 404), with its explanation."""


class StorageError(RunError):
    """The data set's storage cannot be read or written."""
