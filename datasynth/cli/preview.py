"""`datasynth preview`."""

import json
from typing import TYPE_CHECKING, Any

from datasynth.amounts import records_of
from datasynth.cli.commands import command, option
from datasynth.cli.speech import in_words, out, speech
from datasynth.cli.which_run import STATES, on_one_line, run_argument, whole_number
from datasynth.schemas.messages import Message, say

if TYPE_CHECKING:
    from datasynth.tasks.rounds.listing import RunFacts, RunPlace
    from datasynth.tasks.rounds.stored import StoredRecord

SHOWN = "10"


@command(
    "preview",
    short="Show records of a run, or what was refused.",
    help="Shows the first records of a run in a store, each with its id, the seeds that its call was shown and its "
    "quality where a judge scored it. Long values are cut; datasynth export writes them whole.\n\nRUN is a run's "
    "folder or address, or its id (see datasynth runs).",
)
@run_argument
@option("-n", "--count", metavar="N", default=SHOWN, shown=SHOWN, help="Records to show.")
@option("--rejected", is_flag=True, help="Show what was refused instead, and why.")
def preview(run: str, store: str | None, dataset: str | None, count: str, rejected: bool) -> None:
    # Imported when it runs: `--help` needs nothing but click.
    from datasynth.tasks.rounds.listing import find_run  # noqa: PLC0415
    from datasynth.tasks.rounds.stored import first_records, first_rejected, recipe_of  # noqa: PLC0415

    most = whole_number("--count", count)
    place = find_run(run, store=store, dataset=dataset)
    state, facts = place.facts()
    _show_head(place, state, facts)
    if rejected:
        _show_reasons(facts)
        for number, row in enumerate(first_rejected(place, most), start=1):
            _show_rejected(number, row)
    elif facts.total:
        # A run without its recipe is read by what its first parts hold, for they are what is shown.
        schema = recipe_of(place, most=most).record_schema
        for number, stored in enumerate(first_records(place, schema, most), start=1):
            _show_record(number, stored)
    else:
        out(say("No record was accepted. See why with --rejected."))


def _show_head(place: "RunPlace", state: str, facts: "RunFacts") -> None:
    from datasynth.tasks.report.summary import dollars, simulated_warning  # noqa: PLC0415

    price = facts.spend.cost_usd
    words = [
        place.card.dataset,
        place.card.run_id,
        STATES[state],
        records_of(facts.total, place.card.target),
        say("price unknown") if price is None else dollars(price),
        facts.model,
    ]
    out(" · ".join(on_one_line(in_words(word)) for word in words if word))
    if facts.simulated:
        out(simulated_warning())


def _show_record(number: int, stored: "StoredRecord") -> None:
    lineage = stored.lineage
    words: list[Message | str] = [str(lineage["id"])]
    if part := lineage.get("part"):
        words.append(say("part {part}: {record}", part=part, record=str(lineage.get("record"))))
    if seeds := lineage["seeds"]:
        # Counted from one, as wherever else people read of seeds.
        words.append(say("seeds {seeds}", seeds=", ".join(str(seed + 1) for seed in seeds)))
    if lineage["quality"] is not None:
        words.append(say("quality {quality}", quality=f"{lineage['quality']:.2f}"))
    _show(number, words, json.dumps(stored.record, ensure_ascii=False))


def _show_reasons(facts: "RunFacts") -> None:
    from datasynth.progress import reasons_text  # noqa: PLC0415 - brings Rich

    if not facts.counts.rejected:
        out(say("Nothing was refused."))
        return
    reasons = reasons_text(facts.counts.rejected, speech.language, len(facts.counts.rejected))
    out(say("Refused: {reasons}", reasons=on_one_line(reasons)))


def _show_rejected(number: int, row: dict[str, Any]) -> None:
    from datasynth.progress import reason_text  # noqa: PLC0415 - brings Rich

    reason = f"{row['step']}.{row['reason']}"
    words: list[Message | str] = [reason_text(reason, speech.language), reason]
    if row["field"]:
        words.append(say("field {field}", field=row["field"]))
    _show(number, words, row["record"], row["detail"])


def _show(number: int, words: list[Message | str], record: str, detail: str | None = None) -> None:
    """A record with a heading. What it holds is indented, so that none of its lines can be taken for a heading."""
    from datasynth.tasks.report.records import laid_out, visible  # noqa: PLC0415

    out()
    out(f"{number}. " + " · ".join(on_one_line(in_words(word)) for word in words))
    if detail:
        out(f"   ({on_one_line(detail)})")
    for shown in laid_out(record):
        name, text = on_one_line(shown.name), visible(shown.text)
        if "\n" not in text:
            out((f"   {name}: {text}" if name else f"   {text}").rstrip())
            continue
        if name:
            out(f"   {name}:")
        for line in text.split("\n"):
            out(f"     {line}".rstrip())
