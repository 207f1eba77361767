"""The next round's calls without a flow: a head start while Prefect is imported and its server starts.

Opens and plans the run exactly as the flow will, and makes its calls into the same journal. The flow then finds the
card, the plan and the replies, as after a crash; nothing here decides anything that the flow would decide otherwise.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.detect.kinds import detect_kind
from datasynth.tasks.generate.engines import close_engine, engine_of
from datasynth.tasks.rounds.opening import open_job, with_estimate
from datasynth.tasks.rounds.planning import next_round
from datasynth.tasks.rounds.progress import board_of
from datasynth.tasks.rounds.prompts import shard_of
from datasynth.tasks.rounds.runs import sums
from datasynth.tasks.rounds.sizing import stop_reason
from datasynth.tasks.sources.recipes import read_recipe


def make_first_calls(settings: SynthesisSettings, opened: Callable[[], None], made: Callable[[], None]) -> None:
    """Makes the calls of the run's next round until they are done or the engines of this process are stopped.

    Then estimates what the run should take, once for the flow too: that loads a vocabulary of tokens, a second of CPU
    which the calls need better.

    Args:
        settings: with a `run_id`.
        opened: called once the run's card and the round's plan are on storage.
        made: called once the last call has ended and the journal is closed.

    Raises:
        DataSynthError: the run cannot be opened, or its endpoint refuses it.
    """
    recipe = read_recipe(settings)
    detection = detect_kind(recipe.record_schema, recipe.seeds, settings.data_type)
    job = open_job(settings, recipe, detection, None)
    outcomes = list(job.run.outcomes())
    total = sums(outcomes).counts.accepted + job.card.carried_over
    board_of(job.card.run_id).set(target=job.card.target, accepted=total, phase="generating")
    if stop_reason(outcomes, total=total, target=job.card.target, resumed=len(outcomes)) is not None:
        return
    plans = next_round(job, outcomes)
    opened()
    try:
        engine = engine_of(job.place)
        with ThreadPoolExecutor(len(plans)) as threads:
            receipts = [threads.submit(engine.run, shard_of(plan, job)) for plan in plans]
            for receipt in receipts:
                receipt.result()
    finally:
        close_engine(job.place)
    made()
    with_estimate(job)
