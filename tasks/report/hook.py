"""The command that a user wants run after a success, such as `knowlyr-datacheck validate {analysis_dir}`."""

import shlex
import subprocess
import sys

from datasynth.schemas.messages import Language, Message, language_of_environment, say


def run_post_hook(
    command: str, *, analysis_dir: str, output_path: str, count: int, language: Language | None = None
) -> int:
    """Runs `command` without a shell and returns its exit code; the data is safe, so nothing is raised.

    Args:
        command: Split into words as a POSIX shell would, then `{analysis_dir}`, `{output_path}` and `{count}` are put
            in; a value stays one word whatever it holds, and other braces stay as they are.
        analysis_dir: The DataRecipe analysis, or empty.
        output_path: The file written, or empty.
        count: Records in it.
        language: Of what is said here; by default that of the locale.

    Returns:
        The command's own code; 127 if there is no such program, 126 if it cannot be run, 2 if the command cannot be
        read (the codes of a POSIX shell). What went wrong is said on standard error.
    """
    try:
        words = hook_words(command, analysis_dir=analysis_dir, output_path=output_path, count=count)
    except ValueError as error:
        code, trouble = 2, say("Post-hook {command}: {error}. Mend its quotation marks.", command=command, error=error)
    else:
        code, trouble = _run(words) if words else (0, None)
    if trouble:
        print(trouble.text(language or language_of_environment()), file=sys.stderr)
    return code


def _run(words: list[str]) -> tuple[int, Message | None]:
    """The exit code, and what went wrong."""
    program = words[0]
    try:
        code = subprocess.run(words, check=False).returncode
    except FileNotFoundError:
        return 127, say(
            "Post-hook: there is no program {program}. Install it, or correct --post-hook.", program=program
        )
    except (OSError, ValueError) as error:  # ValueError: a null byte in a word
        return 126, say("Post-hook: {program} cannot be run: {error}.", program=program, error=str(error))
    if code:
        return code, say("Post-hook: {command} ended with code {code}.", command=shlex.join(words), code=code)
    return 0, None


def hook_words(command: str, *, analysis_dir: str, output_path: str, count: int) -> list[str]:
    """The words of `command` with the values put in.

    Raises:
        ValueError: a quotation mark is not closed.
    """
    values = {"{analysis_dir}": analysis_dir, "{output_path}": output_path, "{count}": str(count)}
    return [_filled(word, values) for word in shlex.split(command)]


def _filled(word: str, values: dict[str, str]) -> str:
    """`word` with each name replaced once: a value that holds another name's braces is not filled in turn."""
    for name, value in values.items():
        head, found, tail = word.partition(name)
        if found:
            return _filled(head, values) + value + _filled(tail, values)
    return word
