"""Instructions with places for values: text put into text, in one pass, and nothing evaluated."""

import re
from collections.abc import Mapping

from datasynth.schemas.errors import InputError
from datasynth.schemas.messages import say
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.blocks.source import template_block

VARIABLE = re.compile(r"\{\{\s*(\w[\w-]*)\s*\}\}")
"""`{{name}}`, with letters of any script, digits, `_` and `-`. Braces around anything else are text."""


def given_guidelines(settings: SynthesisSettings) -> str | None:
    """What `settings` say in place of the source's guidelines, as text or as a template; None where they say nothing.

    Raises:
        InputError: there is no such template; a value is missing or has no place; guidelines are given as well.
    """
    if settings.template is None:
        if settings.template_values:
            raise InputError("There are template_values, and no template for them. Name one, or leave them out.")
        return settings.guidelines
    if settings.guidelines is not None:
        raise InputError("Guidelines are given, and a template too ({name}). Give one of them.", name=settings.template)
    return filled(template_block(settings.template).text, settings.template_values, name=settings.template)


def filled(text: str, values: Mapping[str, str], *, name: str) -> str:
    """`text` with `values` in the places of its variables. What a value holds is never looked into.

    Args:
        text: The template's.
        values: By variable.
        name: The template's, for errors.

    Raises:
        InputError: a variable has no value, or a value no variable.
    """
    variables = dict.fromkeys(VARIABLE.findall(text))
    missing = [variable for variable in variables if variable not in values]
    unknown = [variable for variable in values if variable not in variables]
    if missing or unknown:
        raise InputError(
            "The template {name} has the variables {variables}. {problem} Give a value for each of them in "
            "template_values (--template-value NAME=TEXT), and for nothing else.",
            name=name,
            variables=", ".join(variables) or "-",
            problem=say("Without a value: {names}.", names=", ".join(missing))
            if missing
            else say("Unknown: {names}.", names=", ".join(unknown)),
        )
    return VARIABLE.sub(lambda found: values[found[1]], text)
