"""Records that say the same in other words: through a real endpoint, paid once, decided by order alone."""

import os
import subprocess
import sys
import uuid
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from s3_server import free_port

from datasynth.schemas.errors import AuthenticationError, InputError, RunError, StorageError
from datasynth.schemas.record import Field
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.views import View
from datasynth.tasks.llm.budget import Purse
from datasynth.tasks.llm.prices import Price
from datasynth.tasks.llm.simulated.embeddings import embedding
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.semantic import neighbours as neighbours_module
from datasynth.tasks.semantic.buying import Account
from datasynth.tasks.semantic.embedders import embedder_of, embedding_price, require_embedder
from datasynth.tasks.semantic.neighbours import Neighbour, Neighbours, cosine
from datasynth.tasks.semantic.screening import SemanticScreen
from datasynth.tasks.semantic.shelf import VectorShelf
from datasynth.tasks.storage.store import Store

WHOLE = View("record", (Field(name="text"),), least_units=0)
ENGLISH = "How long does the delivery of a parcel to Hamburg take before Christmas?"
REWORDED = "Before Christmas, how long will a parcel take for the delivery to Hamburg?"
OTHER = "Which mushrooms may be eaten raw, and which of them are poisonous?"
CHINESE, UMGESTELLT = "春节前寄一个包裹到上海要多久", "寄包裹到上海，春节前要多久呢"


def with_(endpoint: SimulatedServer | None, **values) -> SynthesisSettings:
    where = {"embedding_base_url": f"{endpoint.url}/v1"} if endpoint else {}
    base = {
        "analysis_dir": "x",
        "semantic_threshold": 0.9,
        "embedding_model": "sim-embed",
        "max_retries": 0,
        "retry_delay": 0.01,
    }
    return SynthesisSettings.model_validate(base | where | values)


def records(*texts: str) -> list[dict[str, str]]:
    return [{"text": text} for text in texts]


def screen(
    endpoint: SimulatedServer, store: Store, run: str = "r1", purse: Purse | None = None, **values
) -> SemanticScreen:
    options = with_(endpoint, **values)
    embedder = embedder_of(options)
    paid = purse or Purse()
    account = Account(store.url(f"journal/{run}"), embedding_price(options), options, lambda: paid)
    shelf = VectorShelf(store, run, embedder.name)
    return SemanticScreen(embedder, shelf, account, threshold=options.semantic_threshold or 1.0, whole=WHOLE)


@pytest.fixture
def store() -> Store:
    return Store(f"memory://{uuid.uuid4().hex}")


def test_a_question_in_other_words_is_found_in_english_and_chinese(endpoint, store):
    ours = screen(endpoint, store)
    ours.add(0, records(ENGLISH, CHINESE), ["a", "b"])
    found = ours.judged(1, records(REWORDED, UMGESTELLT, OTHER), ["c", "d", "e"])
    assert [isinstance(one, Neighbour) and one.id for one in found] == ["a", "b", False]


def test_of_records_that_say_the_same_the_first_is_new(endpoint, store):
    found = screen(endpoint, store).judged(1, records(ENGLISH, OTHER, REWORDED), ["a", "b", "c"])
    assert [isinstance(one, Neighbour) and one.id for one in found] == [False, False, "a"]


def test_what_was_paid_for_is_never_asked_for_again(endpoint, store):
    first = screen(endpoint, store)
    expected = first.judged(1, records(ENGLISH, OTHER, REWORDED), ["a", "b", "c"])
    paid = endpoint.stats()["tokens"]["input"]
    again = screen(endpoint, store)  # another process, after a crash
    assert again.judged(1, records(ENGLISH, OTHER, REWORDED), ["a", "b", "c"]) == expected
    assert endpoint.stats()["tokens"]["input"] == paid
    assert again.spend(1) == first.spend(1)
    assert first.spend(1).usage.input == paid


def test_a_later_run_is_compared_with_what_an_earlier_one_kept_and_pays_nothing_for_it(endpoint, store):
    first = screen(endpoint, store)
    first.add(1, records(ENGLISH), ["r1/0.0"])
    first.save("r1-00001.npz")
    paid = endpoint.stats()["tokens"]["input"]
    later = screen(endpoint, store, "r2")
    assert later.load(["r1-00001.npz", "r0-00001.npz"]) == ["r0-00001.npz"]
    assert endpoint.stats()["tokens"]["input"] == paid
    assert later.judged(1, records(REWORDED), ["r2/0.0"])[0] is not None


def test_vectors_of_another_model_are_not_compared(endpoint, store):
    first = screen(endpoint, store)
    first.add(1, records(ENGLISH), ["r1/0.0"])
    first.save("r1-00001.npz")
    assert screen(endpoint, store, "r2", embedding_model="other").load(["r1-00001.npz"]) == ["r1-00001.npz"]


def test_one_text_is_embedded_once_however_often_it_stands_there(endpoint, store):
    screen(endpoint, store).judged(1, records(*[OTHER] * 300), [str(n) for n in range(300)])
    assert endpoint.stats()["tokens"]["input"] == -(-len(OTHER.encode()) // 4)


def test_a_price_that_nobody_knows_is_unknown_and_openais_is_known(endpoint, store):
    ours = screen(endpoint, store)
    ours.judged(1, records(ENGLISH), ["a"])
    assert ours.spend(1).cost_usd is None
    price = embedding_price(with_(None, embedding_model="text-embedding-3-small"))
    assert price
    assert price.input > 0
    assert embedding_price(with_(endpoint, embedding_price=0.5)) == Price("user", Decimal("0.5"))


def test_a_budget_in_dollars_needs_a_known_price(endpoint):
    with pytest.raises(InputError, match="--embedding-price"):
        require_embedder(with_(endpoint, max_cost=1.0))
    assert require_embedder(with_(endpoint, max_cost=1.0, embedding_price=0.1))


VECTORS = st.lists(
    st.lists(st.integers(-2, 2), min_size=3, max_size=3).map(lambda v: np.array(v, np.float32)), min_size=1, max_size=12
)


@settings(deadline=None)
@given(VECTORS, st.integers(0, 12), st.sampled_from([0.5, 0.9, 1.0]), st.integers(1, 4))
def test_verdicts_are_those_of_a_comparison_pair_by_pair(vectors, kept, threshold, block):
    ids = [str(n) for n in range(len(vectors))]
    usual, neighbours_module.BLOCK = neighbours_module.BLOCK, block
    try:
        ours = Neighbours(threshold)
        ours.keep(np.array(vectors[:kept]).reshape(-1, 3), ids[:kept])
        found = ours.judged(np.array(vectors[kept:]).reshape(-1, 3), ids[kept:])
    finally:
        neighbours_module.BLOCK = usual
    known = list(zip(vectors[:kept], ids[:kept], strict=True))
    for vector, id_, one in zip(vectors[kept:], ids[kept:], found, strict=True):
        alike = [(cosine(vector, other), name) for other, name in known]
        near = max((pair for pair in alike if pair[0] >= threshold), key=lambda pair: pair[0], default=None)
        assert one == (near and Neighbour(near[1], near[0]))
        if one is None:
            known.append((vector, id_))


def test_a_cosine_does_not_depend_on_the_order_of_dimensions():
    rng = np.random.default_rng(0)
    one, other, order = rng.normal(size=1536), rng.normal(size=1536), rng.permutation(1536)
    a, b = one.astype(np.float32), other.astype(np.float32)
    assert cosine(a, b) == cosine(a[order], b[order])


def test_fewer_vectors_than_texts_are_never_put_on_the_shelf(store):
    with pytest.raises(ValueError, match="0 vectors for 1 texts"):
        VectorShelf(store, "r1", "m").put(
            1, [b"0" * 16], np.zeros((0, 3), np.float32), tokens=1, metered=True, token=""
        )
    assert not store.names("vectors")


def test_an_endpoint_that_is_not_there_is_an_error_with_its_address(endpoint, store):
    nobody = f"http://127.0.0.1:{free_port()}/v1"
    with pytest.raises(RunError, match=r"127\.0\.0\.1"):
        screen(endpoint, store, embedding_base_url=nobody).try_out(())


def test_a_refused_key_is_an_authentication_error(endpoint, store, monkeypatch):
    endpoint.set(api_key="right")
    monkeypatch.setenv("EMBEDDING_KEY", "wrong-key")
    with pytest.raises(AuthenticationError) as refused:
        screen(endpoint, store, embedding_api_key_env="EMBEDDING_KEY").try_out(())
    assert "wrong-key" not in str(refused.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"embedding_model": None}, "--embedding-model"),
        ({"embedding_model": "local:x"}, "extra semantic"),
        ({"embedding_model": "text-embedding-3-small"}, "OPENAI_API_KEY"),
    ],
)
def test_what_is_missing_is_named_before_any_money(values, words, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(InputError, match=words):
        require_embedder(with_(None, **values))


def test_damaged_vectors_are_a_storage_error_with_advice(endpoint, store):
    screen(endpoint, store).judged(1, records(ENGLISH), ["a"])
    (folder,) = store.names("vectors")
    (name,) = store.names(f"vectors/{folder}/paid")
    store.write(f"vectors/{folder}/paid/{name}", b"PK\x03\x04 torn")
    with pytest.raises(StorageError, match="Remove the file"):
        screen(endpoint, store)


def test_simulated_vectors_are_the_same_in_any_process():
    code = f"from datasynth.tasks.llm.simulated.embeddings import embedding; print(embedding({ENGLISH!r}).tolist())"
    other = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "3"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert other.stdout.strip() == str(embedding(ENGLISH).tolist())
