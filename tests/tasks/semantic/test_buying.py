"""What vectors may cost: reserved at their worst case, never beyond a limit, never lost, never paid twice."""

import socketserver
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasynth.schemas.errors import RunError
from datasynth.schemas.record import Field
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.views import View
from datasynth.tasks.llm.budget import Budget, Purse
from datasynth.tasks.llm.journal import Journal
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.semantic.buying import Account, vector_store
from datasynth.tasks.semantic.embedders import embedder_of, embedding_price, most_billed
from datasynth.tasks.semantic.screening import SemanticScreen, Uncompared
from datasynth.tasks.semantic.shelf import StoredVectors, VectorShelf
from datasynth.tasks.storage.store import Store

WHOLE = View("record", (Field(name="text"),), least_units=0)
PRICE = 100.0
"""USD per million tokens: so that cents are counted, not their millionths."""


def text(n: int) -> str:
    return f"Question {n} about plant {n * n} and the {n % 7} weeks in which it is watered {'again ' * (n % 5)}"


def texts(count: int) -> list[dict[str, str]]:
    return [{"text": text(n)} for n in range(count)]


def names(count: int) -> list[str]:
    return [str(n) for n in range(count)]


@pytest.fixture
def store() -> Store:
    return Store(f"memory://{uuid.uuid4().hex}")


def screen(address: str, store: Store, purse: Purse, **values: object) -> SemanticScreen:
    options = SynthesisSettings.model_validate(
        {
            "analysis_dir": "x",
            "semantic_threshold": 1.0,
            "embedding_model": "sim-embed",
            "embedding_base_url": f"{address}/v1",
            "embedding_price": PRICE,
            "max_retries": 1,
            "retry_delay": 0.01,
        }
        | values
    )
    account = Account(store.url("journal"), embedding_price(options), options, lambda: purse)
    embedder = embedder_of(options)
    return SemanticScreen(embedder, VectorShelf(store, "r1", embedder.name), account, threshold=1.0, whole=WHOLE)


def taken_over(store: Store, purse: Purse) -> Purse:
    """`purse` as a later process finds it."""
    journal = Journal(vector_store(store.url("journal")))
    Budget(None, purse=purse).take_over(journal.spend(), journal.abandoned())
    return purse


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(1, 300), limit=st.integers(1, 6000), dollars=st.booleans())
def test_no_limit_is_passed_and_all_that_was_had_is_compared(
    endpoint: SimulatedServer, count: int, limit: int, dollars: bool
) -> None:
    endpoint.reset()
    purse = Purse(max_cost=limit * PRICE / 1e6) if dollars else Purse(max_tokens=limit)
    store = Store(f"memory://{uuid.uuid4().hex}")
    ours = screen(endpoint.url, store, purse)
    found = ours.judged(1, texts(count), names(count))
    billed = endpoint.stats()["tokens"]["input"]
    assert billed <= limit
    assert ours.spend(1).usage.input == billed
    compared = [one for one in found if not isinstance(one, Uncompared)]
    assert found[: len(compared)] == compared  # the first ones, in order
    if ours.limit is None:
        assert len(compared) == count
    else:
        assert ours.limit == ("max_cost" if dollars else "max_tokens")
        # Another vector, at its worst case, would not have fitted.
        assert billed + most_billed([text(len(compared))]) > limit


def test_a_met_limit_is_met_for_the_rest_of_the_process_and_what_is_on_the_shelf_stays_usable(
    endpoint: SimulatedServer, store: Store
) -> None:
    ours = screen(endpoint.url, store, Purse(max_tokens=400))
    first = ours.judged(1, texts(100), names(100))
    had = sum(one is None for one in first)
    assert 0 < had < 100
    billed = endpoint.stats()["tokens"]["input"]
    assert ours.judged(2, texts(100), names(100)) == first
    assert endpoint.stats()["tokens"]["input"] == billed


def test_what_a_limit_kept_away_is_bought_by_a_later_process_with_a_higher_one_and_nothing_twice(
    endpoint: SimulatedServer, store: Store
) -> None:
    screen(endpoint.url, store, Purse(max_tokens=400)).judged(1, texts(100), names(100))
    later = screen(endpoint.url, store, taken_over(store, Purse(max_tokens=100_000)))
    assert later.judged(1, texts(100), names(100)) == [None] * 100
    assert endpoint.stats()["tokens"]["input"] == sum(-(-len(text(n).encode()) // 4) for n in range(100))


def test_calls_are_counted_too(endpoint: SimulatedServer, store: Store) -> None:
    ours = screen(endpoint.url, store, Purse(max_calls=1))
    found = ours.judged(1, texts(130), names(130))
    assert (found[127], found[128]) == (None, Uncompared("max_calls"))


def test_seeds_that_a_limit_left_without_vectors_leave_every_record_uncompared(
    endpoint: SimulatedServer, store: Store
) -> None:
    ours = screen(endpoint.url, store, Purse(max_tokens=10))
    ours.add(0, texts(3), names(3))
    assert ours.judged(1, [{"text": "a"}], ["x"]) == [Uncompared("max_tokens")]


def test_the_price_of_vectors_whose_process_died_before_it_wrote_it_down_is_written_by_the_next(
    endpoint: SimulatedServer, store: Store
) -> None:
    first = screen(endpoint.url, store, Purse(max_tokens=100_000))
    first.judged(1, texts(5), names(5))
    spent = first.spend(1)
    assert spent.cost_usd
    journal = vector_store(store.url("journal"))
    for name in journal.names("", ".log"):  # all but the intent, which comes first, is lost
        if b'"opens"' not in journal.read(name):
            journal.remove(name)
    assert Journal(journal).abandoned()
    second = screen(endpoint.url, store, Purse())
    assert second.spend(1) == spent
    assert not Journal(journal).abandoned()


class _Reset(socketserver.StreamRequestHandler):
    """Takes the request and goes away: whether it was billed, nobody knows."""

    def handle(self) -> None:
        self.rfile.readline()


@pytest.fixture
def resetting() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Reset) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_requests_that_nobody_answered_count_at_their_worst_case_each_time(resetting: str, store: Store) -> None:
    purse = Purse(max_tokens=100_000)
    with pytest.raises(RunError, match="gave no vectors"):
        screen(resetting, store, purse).judged(1, texts(2), names(2))
    worst = most_billed([text(0), text(1)])
    possible = Journal(vector_store(store.url("journal"))).spend(1)
    assert (possible.calls, possible.possible_calls, possible.possible_tokens) == (0, 2, 2 * worst)
    assert purse.tokens == taken_over(store, Purse()).tokens == 2 * worst


def test_another_try_needs_room_for_its_own_worst_case(resetting: str, store: Store) -> None:
    worst = most_billed([text(0)])
    ours = screen(resetting, store, Purse(max_tokens=worst + 1))
    assert ours.judged(1, texts(1), names(1)) == [Uncompared("max_tokens")]


class _Full(BaseHTTPRequestHandler):
    """Refuses the first request for load, and answers the next."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        refused = self.server.__dict__.setdefault("refused", False)
        self.server.__dict__["refused"] = True
        reply = {"data": [{"index": 0, "embedding": [1.0, 0.0]}], "usage": {"prompt_tokens": 4, "total_tokens": 4}}
        content = orjson.dumps(reply if refused else {"error": {"message": "slow down"}})
        self.send_response(200 if refused else 429)
        for name, value in (("retry-after-ms", "5"), ("content-type", "application/json")):
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_full_endpoint_is_asked_again_and_bills_once(store: Store) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Full) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        purse = Purse(max_tokens=100_000)
        ours = screen(f"http://127.0.0.1:{server.server_address[1]}", store, purse)
        assert ours.judged(1, texts(1), names(1)) == [None]
        server.shutdown()
    assert server.__dict__["refused"]
    assert (ours.spend(1).calls, ours.spend(1).usage.input, purse.tokens) == (1, 4, 4)
    assert not Journal(vector_store(store.url("journal"))).abandoned()


def test_a_report_finds_what_was_bought_and_says_nothing_of_a_text_without_a_vector(
    endpoint: SimulatedServer, store: Store
) -> None:
    screen(endpoint.url, store, Purse()).judged(1, texts(200), names(200))
    billed = endpoint.stats()["replies"]
    stored = StoredVectors(store, "r1", "sim-embed")
    found = stored([text(150), text(3)])
    assert found is not None
    assert found.shape[0] == 2
    assert stored([text(3), "something else"]) is None
    assert StoredVectors(store, "r2", "sim-embed")([text(3)]) is None
    assert endpoint.stats()["replies"] == billed
