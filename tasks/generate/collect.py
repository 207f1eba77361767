"""From replies to candidates: parses what a round's calls brought, in plan order, and counts what never came."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import orjson
import polars as pl

from datasynth.schemas.calls import CallResult, PlannedCall, Reply
from datasynth.schemas.frames import Candidates
from datasynth.schemas.record import RecordSchema
from datasynth.tasks.generate.parse import ParsedReply, parse_reply
from datasynth.tasks.llm.journal import Journal

CHUNK = 256
"""Replies read from the journal at a time."""


@dataclass
class Collected:
    """What a round's calls brought."""

    candidates: pl.DataFrame
    """Frame `Candidates`."""
    replies: pl.DataFrame
    """One row a reply used: `reply` (journal key), `model` (as the endpoint named it), `simulated`."""
    missing: Counter[str] = field(default_factory=Counter)
    """Records by `MissReason`."""
    unasked: int = 0
    trouble: Counter[str] = field(default_factory=Counter)
    """What the endpoint said of calls without a reply, by calls."""


def readable(reply: Reply, schema: RecordSchema) -> bool:
    """Whether `reply` holds at least one record."""
    return bool(parse_reply(reply.text, schema, cut=reply.stop == "length").records)


def collect(
    calls: Sequence[PlannedCall], results: Iterable[CallResult], journal: Journal, schema: RecordSchema
) -> Collected:
    """Candidates of a round in plan order, whatever order the replies arrived in."""
    by_index = {r.index: r for r in results}
    rows: dict[str, list] = {"call": [], "position": [], "record": [], "reply": []}
    replies: dict[str, list] = {"reply": [], "model": [], "simulated": []}
    collected = Collected(pl.DataFrame(), pl.DataFrame())
    for start in range(0, len(calls), CHUNK):
        chunk = calls[start : start + CHUNK]
        keys = [key for call in chunk if (r := by_index.get(call.index)) and (key := r.reply)]
        found = dict(journal.read(keys))
        for call in chunk:
            result = by_index.get(call.index) or CallResult(call.index, None, "stopped")
            reply = found.get(result.reply or "")
            if reply is None:
                collected.missing[result.miss or "stopped"] += call.asked
                if result.detail:
                    collected.trouble[result.detail] += 1
                continue
            parsed = parse_reply(reply.text, schema, cut=reply.stop == "length")
            _count(collected, call.asked, reply, parsed)
            for position, record in enumerate(parsed.records):
                rows["call"].append(call.index)
                rows["position"].append(position)
                rows["record"].append(orjson.dumps(record).decode())
                rows["reply"].append(result.reply)
            replies["reply"].append(result.reply)
            replies["model"].append(reply.model)
            replies["simulated"].append(reply.simulated)
    collected.candidates = Candidates.validate(
        pl.DataFrame(rows, schema={"call": pl.Int64, "position": pl.Int64, "record": pl.String, "reply": pl.String})
    )
    collected.replies = pl.DataFrame(replies, schema={"reply": pl.String, "model": pl.String, "simulated": pl.Boolean})
    return collected


def _count(collected: Collected, asked: int, reply: Reply, parsed: ParsedReply) -> None:
    got = len(parsed.records)
    collected.unasked += max(0, got - asked)
    absent = max(0, asked - got)
    if not absent:
        return
    if reply.stop == "length":
        collected.missing["truncated"] += absent
    elif got == 0 and reply.stop == "refusal":
        collected.missing["refused"] += absent
    elif got == 0 and reply.stop == "tool":
        collected.missing["tool_call"] += absent
    elif got == 0 and parsed.miss:
        collected.missing[parsed.miss] += absent
    else:
        spoilt = min(parsed.lost, absent)
        collected.missing["unparsable"] += spoilt
        collected.missing["short"] += absent - spoilt
    collected.missing = +collected.missing
