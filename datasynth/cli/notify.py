"""`datasynth notify`."""

import click

from datasynth.cli.commands import command
from datasynth.cli.speech import err, out, speech
from datasynth.schemas.messages import say


@command(
    "notify",
    short="Tell Prefect that a DataRecipe analysis is finished.",
    help="Tells the configured Prefect server that a DataRecipe analysis is finished, which starts the deployment "
    "synthesize-on-analysis (see datasynth deploy). Meant as the last line of a DataRecipe job.\n\nANALYSIS_DIR is the "
    "folder that knowlyr-datarecipe wrote, or its address, such as s3://bucket/folder. Workers must find it there too.",
)
@click.argument("analysis_dir")
def notify(analysis_dir: str) -> None:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.prefect_api import require_api  # noqa: PLC0415
    from datasynth.tasks.sources.discovery import analysis_at  # noqa: PLC0415

    analysis = analysis_at(analysis_dir)
    require_api(verbose=speech.verbose)
    err(say("Connecting to Prefect ..."))
    from datasynth.flows.announcing import send  # noqa: PLC0415 - Prefect takes seconds

    announcement = analysis.completed()
    send(announcement)
    out(
        say(
            "Sent: {event} for {analysis} (run {run})",
            event=announcement.event,
            analysis=analysis.url,
            run=analysis.run_id,
        )
    )
