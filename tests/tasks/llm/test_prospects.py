"""When what an endpoint said ends the run, rather than the call."""

import pytest

from datasynth.schemas.errors import RunError
from datasynth.tasks.llm.asking import LONGEST_OBEYED, Prospects
from datasynth.tasks.llm.endpoints import PROVIDERS, Endpoint
from datasynth.tasks.llm.failures import failure_of_status


@pytest.fixture
def prospects() -> Prospects:
    return Prospects(Endpoint(PROVIDERS["vllm"], "a-model", "http://127.0.0.1:9/v1", "key", "KEY"))


def test_an_endpoint_that_wants_to_be_left_alone_for_hours_ends_the_run(prospects: Prospects) -> None:
    with pytest.raises(RunError, match=r"127\.0\.0\.1:9/v1 asks to be left alone for 240 minutes \(429: a quota"):
        prospects.failed(
            failure_of_status(429, {"error": {"message": "a quota"}}, {"retry-after": "14400"}, frozenset())
        )


def test_a_wait_that_can_be_waited_for_does_not(prospects: Prospects) -> None:
    prospects.failed(failure_of_status(429, {}, {"retry-after": f"{LONGEST_OBEYED:g}"}, frozenset()))
    assert prospects.fatal is None
