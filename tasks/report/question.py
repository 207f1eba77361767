"""What a person is asked before a run may cost more than was agreed, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from datasynth.schemas.messages import Language, Message, say
from datasynth.schemas.report import Counts, Estimate, Spend
from datasynth.tasks.report import facts
from datasynth.tasks.report.cells import plain
from datasynth.tasks.report.live import records_markdown, unlinked
from datasynth.tasks.report.summary import dollars


@dataclass(frozen=True)
class Question:
    """May this run go on?"""

    run_id: str
    target: int
    counts: Counts
    """Of what was made so far."""
    spend: Spend
    estimate: Estimate | None
    """For the whole run; None where the pilot brought nothing to go by."""
    limit: float
    """`approve_over`, USD."""
    budget: float | None
    """`max_cost`, USD."""
    until: datetime
    """When nobody is waited for any more, UTC."""
    simulated: bool
    """No language model wrote the records."""


def estimate_sentence(estimate: Estimate | None, target: int) -> Message:
    """What the whole run should take, or that nobody can say."""
    if estimate is None:
        return say(
            "The pilot brought no record that could be accepted, so nobody can say what {target} records will cost.",
            target=f"{target:,}",
        )
    took = {
        "target": f"{target:,}",
        "calls": f"{estimate.calls:,}",
        "tokens": f"{estimate.input_tokens + estimate.output_tokens:,}",
    }
    if estimate.cost_usd is None:
        return say(
            "The price of the model is unknown; all {target} records should take about {calls} calls and {tokens} "
            "tokens.",
            **took,
        )
    return say(
        "All {target} records should cost about {cost} ({calls} calls, {tokens} tokens).",
        **took,
        cost=dollars(estimate.cost_usd),
    )


def question_sentences(question: Question) -> list[Message]:
    """All that a person needs to say yes or no."""
    counts, spend = question.counts, question.spend
    sentences = [
        estimate_sentence(question.estimate, question.target),
        say(
            "So far {accepted} of {asked} records asked for were accepted; this cost {cost}.",
            accepted=f"{counts.accepted:,}",
            asked=f"{counts.asked:,}",
            cost=facts.price(spend.cost_usd),
        ),
        say("Runs that may cost more than {limit} wait for a person's yes.", limit=dollars(question.limit)),
    ]
    cost = question.estimate.cost_usd if question.estimate else None
    if question.budget is not None and cost is not None and cost > question.budget:
        sentences.append(
            say("Its budget of {budget} is less: the run would stop there.", budget=dollars(question.budget))
        )
    return [
        *sentences,
        say(
            "While it waits nothing is spent. After a no, or without an answer until {time} (UTC), it ends; its "
            "records are kept, and a run with the run_id {run} goes on with them.",
            time=f"{question.until:%Y-%m-%d %H:%M}",
            run=question.run_id,
        ),
    ]


def question_text(question: Question, language: Language) -> str:
    """The sentences as Markdown."""
    return "\n\n".join(unlinked(plain(one.text(language), longest=1000)) for one in question_sentences(question))


def question_markdown(question: Question, records: Sequence[dict[str, Any]], language: Language) -> str:
    """The question with the records to judge it by, the newest ones."""
    title = plain(say("May this run go on?").text(language))
    preview = plain(say("{count} records of the pilot", count=len(records)).text(language))
    return "\n\n".join(
        [
            f"# {title}",
            question_text(question, language),
            f"## {preview}",
            records_markdown(records, language, simulated=question.simulated),
        ]
    )
