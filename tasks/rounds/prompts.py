"""The prompts of a shard."""

from datasynth.schemas.calls import Prompt, Shard
from datasynth.tasks.prompt.render import call_prompt, static_prompt
from datasynth.tasks.prompt.structured import reply_schema
from datasynth.tasks.rounds.job import Job, ShardPlan


def shard_of(plan: ShardPlan, job: Job) -> Shard:
    """What the calls of `plan` ask: a function of the plan, the recipe and the settings alone."""
    recipe, detection, settings = job.recipe, job.detection, job.settings
    blocks: dict[int, str] = {}
    return Shard(
        round=plan.round,
        number=plan.number,
        of=plan.of,
        static=static_prompt(recipe, detection, settings),
        json_schema=None if settings.structured_output == "off" else reply_schema(recipe.record_schema),
        prompts=tuple(Prompt(call, call_prompt(recipe, detection, call, blocks)) for call in plan.calls),
        share=plan.share,
    )
