"""Pairs in which the better answer looks worse."""

import pytest

GOOD = "Fill it with equal parts of water and vinegar, boil it, wait half an hour and rinse it twice."
PROMPT = "How do I descale the kettle we bought last year?"


def pair(chosen: str, rejected: str = GOOD) -> dict[str, str]:
    return {"prompt": PROMPT, "chosen": chosen, "rejected": rejected}


@pytest.mark.parametrize(
    "chosen",
    ["...!", "N/A", "Fill it with equal parts of water and vinegar, boil it, wait half an hour and", "```\nx = 1"],
)
def test_a_chosen_answer_that_looks_worse_is_refused(found, chosen):
    assert ("chosen", "preference") in found(pair(chosen))


@pytest.mark.parametrize("chosen", ["Vinegar", "4", "Use vinegar, then rinse", GOOD[:-1], f"{GOOD}\n- Tip: use lemon"])
def test_a_chosen_answer_that_is_short_or_has_no_full_stop_is_not_worse(found, chosen):
    assert found(pair(chosen)) == []


def test_both_may_have_the_same_flaw(found):
    assert ("chosen", "preference") not in found(pair("I can't help with that.", "Sorry, I can't do that."))


def test_a_declining_chosen_answer_is_worse_even_where_refusals_are_not_checked(found):
    record = pair("I can't help with that.")
    assert found(record, skip_checks=("refusal",)) == [("chosen", "preference")]


def test_what_a_seed_does_is_no_flaw(found):
    seed = pair("I'm sorry, but I can't help with that.")
    assert found(pair("Sorry, I can't do that."), seeds=[seed]) == []
