"""What the simulated model server draws for an attempt."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from datasynth.tasks.llm.simulated.faults import fate_of
from datasynth.tasks.llm.simulated.knobs import Knobs


@given(content=st.binary(max_size=20), attempt=st.integers(1, 9), seed=st.integers(0, 9))
def test_a_steady_server_has_the_same_fault_in_each_reply_and_another_in_each_request(
    content: bytes, attempt: int, seed: int
) -> None:
    knobs = Knobs(seed=seed, rate_429=0.5, rate_malformed=0.3, rate_empty=0.3, steady=True)
    first, later = fate_of(knobs, content, 0), fate_of(knobs, content, attempt)
    assert (later.reply, later.origin) == (first.reply, first.origin)
    assert later.request == fate_of(replace(knobs, steady=False), content, attempt).request
    assert first.reply == fate_of(replace(knobs, steady=False), content, 0).reply
