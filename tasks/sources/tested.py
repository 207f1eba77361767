"""Seeds that repeat what a model will be tested with: no prompt shows them.

A model that is shown a test item writes variations of it. Those in the item's own words are rejected later, paid for in
vain; those in other words pass, and the test is worth less for it. A seed is nobody's accepted record, so nothing is
lost by leaving it out, but it is said: who finds test items among the seeds may want to know where they came from.
"""

from collections.abc import Sequence

from datasynth.schemas.messages import Message, say
from datasynth.schemas.recipe import SeedProblem
from datasynth.schemas.record import RecordSchema
from datasynth.tasks.sources.seeds import Named


def untested(
    named: Sequence[Named], schema: RecordSchema, paths: Sequence[str]
) -> tuple[list[Named], tuple[SeedProblem, ...]]:
    """Those of `named` that repeat no item of the evaluation sets at `paths`, and a problem for each of the others.

    Raises:
        InputError: an evaluation set cannot be read.
    """
    # NumPy and the sets are needed by those alone who name a set.
    from datasynth.tasks.dedup.contamination import Decontamination, read_evaluation_set  # noqa: PLC0415

    asked = [field.name for field in schema.asked]
    texts = [{name: seed[name] for name in asked if name in seed} for _, seed in named]
    overlaps = Decontamination([read_evaluation_set(path) for path in paths]).overlaps(texts)
    problems = tuple(
        SeedProblem(
            seed=name,
            field="",
            reason=say(
                "it repeats {share} of item {item} of the evaluation set {path}, so no prompt shows it.",
                share=f"{overlap.share:.0%}",
                item=overlap.item,
                path=overlap.path,
            ),
        )
        for (name, _), overlap in zip(named, overlaps, strict=True)
        if overlap is not None
    )
    return [one for one, overlap in zip(named, overlaps, strict=True) if overlap is None], problems


def tested_note(count: int) -> Message:
    """How many seeds repeat test items."""
    return say(
        "Seeds that repeat items of an evaluation set: {count}. No prompt shows them, for the model would write more "
        "like them; find out how they came among the seeds.",
        count=f"{count:,}",
    )
