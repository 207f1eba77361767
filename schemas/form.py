"""JSON Schemas as the Prefect UI makes forms of them.

Prefect 3.8 (`SchemaFormProperties` of its first UI, `schema-form` of its second) sorts fields by `position`, takes
`title` and `description`, makes a list of an `enum`, hides the text of a `password`, and shows a value that may be null
as two tabs, "str" and "None". It folds nothing: a nested object is a card, always open. It sends every default along.
"""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import Field

PROVIDER_NAMES = (
    "anthropic",
    "openai",
    "deepseek",
    "dashscope",
    "qianfan",
    "moonshot",
    "zhipu",
    "ollama",
    "vllm",
    "simulated",
)
"""What can be chosen as a provider: the names of `PROVIDERS` in tasks/llm/endpoints.py, in their order."""


def parameter(title: str, description: str, **bounds: Any) -> Any:
    """A field for a flow's parameter: Prefect puts the parameter's name in place of the field's own title."""
    return Field(json_schema_extra={"title": title, "description": description}, **bounds)


def form(*first: str, about: str | None = None) -> Callable[[dict[str, Any]], None]:
    """A `json_schema_extra` that makes a model a form: `first` come first, the others in the order of their definition.

    `about` is what the form says at its head, in place of the model's docstring, which is for programmers.

    A field that may be left out becomes a plain input, without the tab for null: left empty it is not sent. Prefect
    takes null for such a field all the same (`_fix_null_typing` in its schema_tools).
    """

    def arrange(schema: dict[str, Any]) -> None:
        if about is not None:
            schema["description"] = about
        fields: dict[str, dict[str, Any]] = schema.get("properties", {})
        for position, name in enumerate(_ordered(first, list(fields))):
            fields[name] |= {"position": position}
            _without_null(fields[name])

    return arrange


def _ordered(first: Sequence[str], names: Sequence[str]) -> list[str]:
    return [*(name for name in first if name in names), *(name for name in names if name not in first)]


def _without_null(field: dict[str, Any]) -> None:
    match field.get("anyOf"):
        # A choice keeps its null, for an enum that does not name it refuses it.
        case [{"type": _} as kind, {"type": "null"}] if "enum" not in kind:
            del field["anyOf"]
            if field.get("default", ...) is None:
                del field["default"]
            field |= {key: value for key, value in kind.items() if key not in field}
        case _:
            return
