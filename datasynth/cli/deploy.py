"""`datasynth deploy`."""

import click

from datasynth.cli.commands import command, option
from datasynth.cli.speech import err, out, speech
from datasynth.schemas.messages import say


@command(
    "deploy",
    short="Set up flows, schedules and triggers on a Prefect server.",
    help="Sets up on the configured Prefect server what runs by hand, on a schedule or when an analysis finished: the "
    "deployments of FILE, the work pool they need, and a concurrency limit for each provider. Repeating it does no "
    "harm: what was switched on or off on the server stays so.\n\nFILE is a prefect.yaml; by default the one that "
    "comes with DataSynth.",
)
@click.argument("file", required=False)
@option("--show", is_flag=True, help="Print the prefect.yaml that comes with DataSynth, to be edited; change nothing.")
def deploy(file: str | None, show: bool) -> None:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.flows.deployment_file import deployment_file, read_deployments  # noqa: PLC0415
    from datasynth.prefect_api import require_api  # noqa: PLC0415

    if show:
        click.echo(deployment_file(), nl=False)
        return
    document = read_deployments(file)
    require_api(verbose=speech.verbose)
    err(say("Connecting to Prefect ..."))
    from datasynth.flows.deploy import deploy as apply  # noqa: PLC0415 - Prefect takes seconds

    applied = apply(document)
    for pool in applied.new_pools:
        out(say("New work pool: {name} (process)", name=pool))
    if applied.new_limits:
        out(say("New concurrency limits: {names}", names=", ".join(applied.new_limits)))
    if applied.new_blocks:
        out(say("New types of block: {names}", names=", ".join(applied.new_blocks)))
    out(say("Deployed: {names}", names=", ".join(applied.deployments)))
    for pool in applied.pools:
        out(say("Next, where the runs shall go on: {command}", command=f"prefect worker start --pool {pool}"))
