"""How an evaluation came out, as an event that a trigger can act on: only what passed goes on, perhaps."""

import posixpath

from datasynth.schemas.announcement import Announcement, resource
from datasynth.schemas.evaluation import Evaluation
from datasynth.tasks.evaluate.writing import FACTS

EVENT = "datasynth.evaluation."
"""What the verdict is put behind: `datasynth.evaluation.passed`, `.failed` or `.measured`."""


def evaluated(evaluation: Evaluation) -> Announcement:
    """The announcement of an evaluation that stands written."""
    judged = evaluation.judged
    return Announcement(
        f"{EVENT}{evaluation.verdict}",
        resource(
            "datasynth.evaluation",
            f"{evaluation.name}.{evaluation.id}",
            f"{evaluation.name} {evaluation.id}",
        ),
        {
            "evaluation_id": evaluation.id,
            "verdict": evaluation.verdict,
            "data": evaluation.data,
            "kind": evaluation.kind,
            "dataset": evaluation.name,
            "runs": list(evaluation.runs),
            "simulated": evaluation.simulated,
            "records": evaluation.validity.records,
            "valid": evaluation.validity.valid,
            "near_duplicates": evaluation.repeats.repeating,
            "judge": judged.model if judged else None,
            "judged": judged.scored if judged else 0,
            "mean_quality": judged.mean if judged else None,
            "gates": [gate.model_dump(mode="json") for gate in evaluation.gates],
            "cost_usd": evaluation.paid.cost_usd,
            "evaluation_url": posixpath.join(evaluation.url, FACTS),
        },
    )
