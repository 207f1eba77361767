import pytest

from datasynth.schemas.record import Field
from datasynth.tasks.detect import roles


def fields(*names: str) -> list[Field]:
    return [Field(name=name) for name in names]


@pytest.mark.parametrize("name", ["user_input", "User Input", "userInput", "USER-INPUT"])
def test_case_spaces_and_dashes_do_not_matter(name):
    assert [field.name for field in roles.called(roles.INSTRUCTION, fields("x", name))] == [name]


def test_fields_come_in_the_order_of_the_names_not_of_the_schema():
    found = roles.called("question prompt", fields("prompt", "x", "question"))
    assert [field.name for field in found] == ["question", "prompt"]


def test_of_two_fields_with_one_plain_name_the_first_counts():
    assert [field.name for field in roles.called("answer", fields("Answer", "answer"))] == ["Answer"]


def test_a_pair_needs_both_its_fields():
    pair = roles.pair(roles.BETTER_AND_WORSE, fields("rejected", "prompt", "chosen"))
    assert pair is not None
    assert [field.name for field in pair] == ["chosen", "rejected"]
    assert roles.pair(roles.BETTER_AND_WORSE, fields("chosen", "prompt")) is None


def test_every_name_in_the_tables_is_written_plainly():
    texts = [roles.INSTRUCTION, roles.INPUT, roles.RESPONSE, roles.CONVERSATION, roles.HISTORY, roles.VERDICT]
    names = [name for text in texts for name in text.split()]
    names += [name for pair in (*roles.BETTER_AND_WORSE, *roles.TWO_ANSWERS) for name in pair]
    assert [name for name in names if name != roles.plain(name)] == []
