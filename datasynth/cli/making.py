"""`generate` and `create` in their first moments: what takes longest is begun before the rest is imported."""

from datasynth.cli.speech import speech
from datasynth.schemas.settings import SynthesisSettings


def make(settings: SynthesisSettings, *, dry_run: bool) -> int:
    """Makes the records, or says with `dry_run` what it would do; returns the exit code.

    Raises:
        DataSynthError: before the run for bad input; after it has begun, the message also says how to go on.
    """
    if dry_run:
        from datasynth.cli.plan import show_plan  # noqa: PLC0415

        show_plan(settings)
        return 0
    from datasynth import caller, prefect_setup  # noqa: PLC0415

    # While this process imports the rest and reads the recipe, these import too.
    server = prefect_setup.begin(verbose=speech.verbose)
    process = caller.begin(settings)
    from datasynth.cli.run import run  # noqa: PLC0415

    return run(settings, server, process)
