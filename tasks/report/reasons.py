"""What the reasons in a funnel mean, in words."""

from datasynth.schemas.messages import Message, say

_MISSING = {
    "unparsable": say("nothing readable in the reply"),
    "empty": say("the reply was empty"),
    "truncated": say("the reply was cut off at its token limit"),
    "refused": say("the model declined"),
    "tool_call": say("the model called a tool instead"),
    "short": say("the reply held fewer records than asked for"),
    "bad_request": say("the endpoint refused the request"),
    "rate_limited": say("rate limit, retries used up"),
    "server_error": say("server error, retries used up"),
    "timeout": say("no answer in time"),
    "connection": say("connection lost"),
    "budget": say("not called: a limit was reached"),
    "stopped": say("not called: the run was stopped"),
}

_CHECKS = {
    "type": say("wrong type"),
    "required": say("required field missing"),
    "null": say("null where none is allowed"),
    "enum": say("not one of the allowed values"),
    "range": say("out of range"),
    "multiple_of": say("not a multiple of the given number"),
    "min_length": say("too short"),
    "max_length": say("too long"),
    "pattern": say("does not match the pattern"),
    "format": say("not in the given format"),
    "unicode": say("text that is not Unicode"),
    "min_items": say("too few items"),
    "max_items": say("too many items"),
    "unique_items": say("repeated items"),
    "any_of": say("fits none of the alternatives"),
    "additional": say("a field that the schema does not allow"),
    "blank": say("blank text"),
    "same": say("rejected answer the same as the chosen one"),
    "roles": say("speakers of a conversation out of order"),
    "unstorable": say("cannot be stored unchanged"),
    "refusal": say("the answer declines"),
    "boilerplate": say("the model speaks of itself"),
    "placeholder": say("a placeholder where content should be"),
    "prompt_leak": say("the prompt's own words"),
    "language": say("in the wrong language"),
    "echo": say("the answer repeats the question"),
    "repetition": say("the same words over and over"),
    "preference": say("chosen answer looks worse than the rejected one"),
    "sensitive": say("a word of the lists of sensitive words"),
    "personal_data": say("personal data"),
}

_DUPLICATES = {
    "exact_duplicate": say("the same as a seed or an earlier record"),
    "near_duplicate": say("nearly the same as a seed or an earlier record"),
    "semantic": say("says in other words what a seed or an earlier record says"),
    "uncompared": say("a limit was met before its meaning could be compared"),
    "contaminated": say("repeats an item of an evaluation set"),
}


_JUDGED = {
    "below_quality": say("below the quality asked for"),
    "unjudged": say("the judge gave no score"),
}


def reason_in_words(reason: str) -> Message | None:
    """A funnel reason for people: a `MissReason`, or `step.reason` of a rejection; None for one without words."""
    step, _, check = reason.partition(".")
    match step:
        case "validate":
            return _CHECKS.get(check)
        case "dedup":
            return _DUPLICATES.get(check)
        case "judge":
            return _JUDGED.get(check)
        case "surplus":
            return say("valid and new, but the count was already met")
        case _:
            return _MISSING.get(reason)


def check_in_words(check: str) -> Message | None:
    """What the check or the comparison `check` objects to, whichever of the two has one of this name."""
    return reason_in_words(f"validate.{check}") or reason_in_words(f"dedup.{check}")
