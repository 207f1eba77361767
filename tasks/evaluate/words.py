"""An evaluation in sentences, the same on a terminal and in its report."""

from datasynth.schemas.evaluation import Evaluation, Gate, Judged, Repeats, Validity
from datasynth.schemas.messages import Message, say
from datasynth.schemas.report import Spend
from datasynth.tasks.report.summary import dollars, possible_sentences, simulated_warning


def warnings_of(evaluation: Evaluation) -> list[Message]:
    """What stands before all else: that no language model wrote the records, or judged them."""
    found = [simulated_warning()] if evaluation.simulated else []
    if evaluation.judged and evaluation.judged.simulated:
        found.append(
            say("Simulated: no language model gave these scores. They are made up, to try the machinery with.")
        )
    return found


def verdict_sentence(evaluation: Evaluation) -> Message:
    """The verdict, first of all."""
    missed = sum(not gate.met for gate in evaluation.gates)
    match evaluation.verdict:
        case "passed":
            return say("Passed: all gates are met ({gates}).", gates=len(evaluation.gates))
        case "failed":
            return say("Failed: {missed} of {gates} gates not met.", missed=missed, gates=len(evaluation.gates))
        case _:
            return say("Measured: no gate was given, so there is no verdict.")


def gate_sentence(gate: Gate) -> Message:
    """A gate, what was found, and whether it is met."""
    found: Message | str = say("nothing could be measured") if gate.found is None else _shown(gate, gate.found)
    facts = {"found": found, "wanted": _shown(gate, gate.wanted)}
    match gate.name, gate.met:
        case "min_valid", True:
            return say("met: valid records {found}, at least {wanted} wanted", **facts)
        case "min_valid", False:
            return say("NOT met: valid records {found}, at least {wanted} wanted", **facts)
        case "min_quality", True:
            return say("met: mean score {found}, at least {wanted} wanted", **facts)
        case "min_quality", False:
            return say("NOT met: mean score {found}, at least {wanted} wanted", **facts)
        case _, True:
            return say("met: near-duplicates {found}, at most {wanted} wanted", **facts)
        case _:
            return say("NOT met: near-duplicates {found}, at most {wanted} wanted", **facts)


def _shown(gate: Gate, value: float) -> str:
    """As many digits as tell what was found from what was wanted."""
    digits = 2
    while digits < 6 and gate.found is not None and gate.found != gate.wanted:
        if round(gate.found, digits) != round(gate.wanted, digits):
            break
        digits += 1
    return f"{value:.{digits}f}" if gate.name == "min_quality" else f"{value:.{digits - 2}%}"


def validity_sentences(validity: Validity) -> list[Message]:
    """What the checks found."""
    records, valid = f"{validity.records:,}", f"{validity.valid:,}"
    if validity.valid == validity.records:
        return [say("All {records} records are valid: they fit their schema and pass all checks.", records=records)]
    return [
        say("{valid} of {records} records are valid.", valid=valid, records=records),
        say(
            "Not fit for their schema: {unfit}; fit, but bad training data: {bad}.",
            unfit=f"{validity.records - validity.fit:,}",
            bad=f"{validity.fit - validity.valid:,}",
        ),
    ]


def repeats_sentences(repeats: Repeats) -> list[Message]:
    """How many records repeat one another, or a seed."""
    facts = {"records": f"{repeats.records:,}", "threshold": f"{repeats.threshold:g}"}
    if repeats.repeating:
        template = say(
            "{count} of {records} records repeat an earlier one, {exact} of them exactly (Jaccard from {threshold}).",
            **facts,
            count=f"{repeats.repeating:,}",
            exact=f"{repeats.exact:,}",
        )
    else:
        template = say("None of {records} records repeats an earlier one (Jaccard from {threshold}).", **facts)
    sentences = [template]
    if repeats.seeds is not None:
        sentences.append(say("{count} records repeat a seed.", count=f"{repeats.seeds:,}"))
    return sentences


def judged_sentences(judged: Judged) -> list[Message]:
    """What the judge said, and what it cost."""
    facts = {
        "model": judged.model,
        "scored": f"{judged.scored:,}",
        "sampled": f"{judged.sampled:,}",
        "mean": say("unknown") if judged.mean is None else f"{judged.mean:.2f}",
    }
    sentences = [say("Mean score by {model}: {mean} ({scored} of the {sampled} records drawn have one).", **facts)]
    if judged.spread is not None:
        sentences.append(
            say(
                "{judges} judgements of each record, {spread} apart on average.",
                judges=judged.judges,
                spread=f"{judged.spread:.2f}",
            )
        )
    return [*sentences, spend_sentence(judged.spend), *possible_sentences(judged.spend)]


def spend_sentence(spend: Spend) -> Message:
    """What all judgements cost, whenever they were paid for."""
    return say(
        "These judgements cost {cost} ({tokens} tokens in {calls} calls).",
        cost=say("price unknown") if spend.cost_usd is None else dollars(spend.cost_usd),
        tokens=f"{spend.usage.total:,}",
        calls=f"{spend.calls:,}",
    )


def paid_sentence(evaluation: Evaluation) -> Message | None:
    """That some of it was paid before, by an evaluation that asked the same; None where it was not."""
    if evaluation.judged is None or evaluation.paid == evaluation.judged.spend:
        return None
    return say(
        "This evaluation paid for {paid} of these {calls} calls; an earlier one had asked the same.",
        paid=f"{evaluation.paid.calls:,}",
        calls=f"{evaluation.judged.spend.calls:,}",
    )
