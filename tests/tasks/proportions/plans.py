"""Parts in files and runs of a test's own, filled without Prefect."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasynth.schemas.proportions import ProportionalReport, ProportionalSettings
from datasynth.tasks.proportions.checking import read_parts
from datasynth.tasks.proportions.layout import write_mixture
from datasynth.tasks.proportions.mixture import Mixture
from datasynth.tasks.proportions.opening import open_proportional_run

WORDS = [f"word{n}" for n in range(400)]


def texts(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Records that are not alike."""
    drawing = random.Random(f"texts {seed}")
    return [{"question": " ".join(drawing.sample(WORDS, 30)), "level": ["easy", "hard"][n % 2]} for n in range(count)]


def near(record: dict[str, Any]) -> dict[str, Any]:
    """As `record`, but for one word."""
    return record | {"question": record["question"].rsplit(" ", 1)[0] + " another"}


def written(path: Path, records: Sequence[dict[str, Any]]) -> str:
    path.write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records), encoding="utf-8")
    return str(path)


def plan(home: Path, *parts: dict[str, Any], **changes: Any) -> ProportionalSettings:
    """Settings of a run `r1` of the data set `mix`, in a store of the test's own."""
    values = {"name": "mix", "store": str(home / "store"), "run_id": "r1", "parts": list(parts)} | changes
    return ProportionalSettings.model_validate(values)


def opened(settings: ProportionalSettings) -> Mixture:
    parts = read_parts(settings)
    return Mixture(settings, open_proportional_run(settings, parts, None), parts)


def put_together(settings: ProportionalSettings) -> ProportionalReport:
    """The data set of a plan whose parts are all existing records."""
    mixture = opened(settings)
    while len(mixture.taken) < len(mixture.parts):
        mixture.draw()
    return write_mixture(mixture)
