"""Small inputs for the tests of the faces."""

import json
from pathlib import Path
from typing import Any

ANALYSES = Path(__file__).parents[2] / "examples/datarecipe"

FIELDS = [
    {"name": "instruction", "type": "text", "description": "A cook's question"},
    {"name": "response", "type": "text", "description": "The answer"},
]
SEEDS = [
    {
        "instruction": "Why do my scrambled eggs turn out rubbery?",
        "response": "The heat is too high. Cook them slowly and take the pan off while they still look wet.",
    },
    {
        "instruction": "How do I keep a vinaigrette from separating?",
        "response": "Whisk mustard into the vinegar first, then add the oil in a thin stream.",
    },
]


def written(path: Path, content: Any) -> Path:
    """`path`, holding `content`: text as it is, anything else as JSON."""
    path.write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path
