"""Announcements as Prefect events: a run's own never break it, and a person's are sent or refused."""

import asyncio
from collections.abc import Iterable
from typing import Any, TypeVar, cast

from prefect import Flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.events import Event, Resource, emit_event
from prefect.events.clients import get_events_client
from prefect.states import Completed

from datasynth.schemas.announcement import Announcement
from datasynth.schemas.errors import RunError
from datasynth.schemas.messages import Message
from datasynth.schemas.report import RunReport
from datasynth.tasks.report.announcements import run_ended, run_failed
from datasynth.tasks.report.summary import headline

RECONNECTIONS = 3

Report = TypeVar("Report")


def announced(report: RunReport) -> RunReport:
    """`report`, after it was told how the run ended."""
    return concluded(report, run_ended(report), headline(report))


def concluded(report: Report, announcement: Announcement, sentences: Iterable[Message]) -> Report:
    """`report` as what a flow returns, after `announcement` was told.

    It is the state that the flow run ends in, for Prefect shows a state's message where people look for how a run went,
    and gives whoever called the flow what the state holds.
    """
    emit(announcement)
    message = " ".join(str(sentence) for sentence in sentences)
    return cast(Report, Completed(message=message, data=report))


def announce_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """A flow's hook for runs that failed or crashed. Prefect logs what a hook raises and goes on."""
    tell_failure(flow_run, state)


def tell_failure(flow_run: FlowRun, state: State, *, dataset: str = "dataset") -> None:
    """Tells that a run failed or crashed whose settings name its data set under the key `dataset`."""
    settings = flow_run.parameters.get("settings")
    known = settings if isinstance(settings, dict) else getattr(settings, "model_dump", dict)()
    told = {**known, "dataset": known.get(dataset)}
    emit(run_failed(str(flow_run.id), told, state.message or state.name or ""))


def emit(announcement: Announcement) -> None:
    """Tells it. Nobody waits for the event, and its loss harms nothing."""
    emit_event(announcement.event, announcement.resource, payload=announcement.payload)


def send(announcement: Announcement) -> None:
    """Sends an event and returns when the server has it.

    Raises:
        RunError: the server did not take it.
    """
    event = Event(
        event=announcement.event,
        resource=Resource(announcement.resource),
        payload=announcement.payload,
    )
    try:
        asyncio.run(_send(event))
    except Exception as error:
        raise RunError(
            "The event {event} could not be sent: {error}. Look whether the Prefect server is up and takes websockets, "
            "then try again.",
            event=announcement.event,
            error=f"{type(error).__name__}: {error}",
        ) from error


async def _send(event: Event) -> None:
    # A checkpoint after every event is a ping that the server must answer: it has the event, or this raises.
    async with get_events_client(reconnection_attempts=RECONNECTIONS, checkpoint_every=1) as client:
        await client.emit(event)
