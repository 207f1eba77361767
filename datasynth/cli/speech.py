"""What the command line says, in the reader's language, and how loudly."""

import os
import shutil
import sys
from collections.abc import Sequence
from itertools import pairwise

import click

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import Language, Message, catalogue, language_of_environment

LANGUAGES: tuple[Language, ...] = ("en", "zh")
NAMES = ("datasynth", "knowlyr-datasynth")
"""What this program is installed as."""


class Speech:
    """Language and loudness of this process. One command is run in a process, so there is one of it."""

    def __init__(self) -> None:
        self.language: Language = "en"
        self.verbose = False
        self.words: tuple[str, ...] = ()
        """The command line after the program's name."""
        self.chosen = False
        """The language was asked for with `--lang`; else it is the locale's."""

    def begin(self, words: Sequence[str]) -> None:
        """Settles the language before anything is parsed, so that `--help` and parse errors are in it too."""
        self.verbose, self.chosen = False, False
        self.words = tuple(words)
        self.language = language_of_environment()
        for word, following in pairwise([*words, ""]):
            name, equals, value = word.partition("=")
            if name == "--lang" and (chosen := value if equals else following) in LANGUAGES:
                self.set_language(chosen)

    def set_language(self, name: str) -> None:
        """Takes the value of `--lang`.

        Raises:
            InputError: there is no such language here.
        """
        if name not in LANGUAGES:
            raise InputError("--lang: there is no {name} here. Choose {known}.", name=name, known=", ".join(LANGUAGES))
        self.language, self.chosen = "zh" if name == "zh" else "en", True


speech = Speech()


def in_words(message: Message | str) -> str:
    """`message` in the reader's language; plain text (paths, data) stays as it is."""
    return message.text(speech.language) if isinstance(message, Message) else message


def translated(text: str) -> str:
    """A fixed text, such as an option's help, in the reader's language."""
    return catalogue(speech.language).get(text, text)


def out(message: Message | str = "") -> None:
    """Says what was asked for, on standard output."""
    click.echo(in_words(message))


def err(message: Message | str = "") -> None:
    """Says what goes on, or went wrong, on standard error."""
    click.echo(in_words(message), err=True)


def program() -> str:
    """This program as it can be typed here: by name, or by path where no shell would find the name."""
    called = sys.argv[0]
    name = os.path.basename(called)
    if name not in NAMES:
        return NAMES[0]
    return name if shutil.which(name) else shown_path(called)


def shown_path(path: str) -> str:
    """`path` as short as it can be typed here: relative if it lies below the working directory."""
    if "://" in path or not os.path.isabs(path):
        return path
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
