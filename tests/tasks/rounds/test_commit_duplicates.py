"""A round's commit with evaluation sets, meanings and an index in Redis: what is refused, and that a repeat agrees."""

from collections.abc import Iterator

import orjson
import pytest
from redis_server import RedisServer, serve_redis
from test_commit import (
    DETECTION,
    RECIPE,
    SCHEMA,
    committer,
    data,
    everything,
    harvest,
    new_run,
    rejected,
    text_of,
    with_,
)

from datasynth.schemas.errors import InputError
from datasynth.tasks.dedup.redis_storage import PASSWORD_VARIABLE
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.report.parts import read_records
from datasynth.tasks.rounds.commit import RoundCommitter, forget_committer
from datasynth.tasks.rounds.opening import _require_fitting
from datasynth.tasks.rounds.runs import open_run

ITEM = "Which river flows through the town in which the violin with the marble pegs was made?"


@pytest.fixture
def evaluation(tmp_path) -> str:
    path = tmp_path / "test.jsonl"
    path.write_bytes(orjson.dumps({"id": "q-7", "question": ITEM}) + b"\n")
    return str(path)


def test_a_record_that_repeats_an_evaluation_item_is_refused_by_file_and_item(evaluation) -> None:
    run, options = new_run(decontaminate=(evaluation,))
    rows = [{"text": f"Tell me: {ITEM}"}, {"text": text_of(1)}]
    outcome = committer(run, options).commit(harvest(rows), before=0, target=1000)
    assert outcome.counts.rejected == {"dedup.contaminated": 1}
    assert rejected(run)[0]["detail"] == f"1.000 of q-7 in {evaluation}"
    assert [r["text"] for r in read_records(data(run), SCHEMA)] == [text_of(1)]


def test_what_repeats_an_evaluation_item_is_not_kept_without_validation_either(evaluation) -> None:
    run, options = new_run(decontaminate=(evaluation,), validate_records=False)
    outcome = committer(run, options).commit(harvest([{"text": ITEM}]), before=0, target=1000)
    assert outcome.counts.rejected == {"dedup.contaminated": 1}


def test_a_run_whose_evaluation_set_changed_is_not_resumed(evaluation, tmp_path) -> None:
    run, options = new_run(decontaminate=(evaluation,))
    assert len(run.card.evaluation) == 1
    assert open_run(options, RECIPE).card == run.card
    (tmp_path / "test.jsonl").write_bytes(orjson.dumps({"id": "q-7", "question": ITEM + " Say why."}) + b"\n")
    with pytest.raises(InputError, match="changed"):
        open_run(options, RECIPE)


@pytest.mark.parametrize("content", [None, b"[]"])
def test_a_run_is_not_begun_with_an_evaluation_set_that_says_nothing(content, tmp_path) -> None:
    path = tmp_path / "none.json"
    if content:
        path.write_bytes(content)
    options = with_(str(tmp_path / "store"), decontaminate=(str(path),))
    with pytest.raises(InputError, match=r"none\.json"):
        open_run(options, RECIPE)
    assert not (tmp_path / "store").exists()


def test_a_field_to_deduplicate_on_that_is_not_there_is_found_before_the_run(tmp_path) -> None:
    with pytest.raises(InputError, match="no field colour"):
        _require_fitting(with_(str(tmp_path), dedup_on=("colour",)), RECIPE, DETECTION)


def test_a_field_to_deduplicate_on_is_compared_alone() -> None:
    run, options = new_run(dedup_on=("n",))
    rows = [{"text": text_of(1), "n": 5}, {"text": text_of(2), "n": 5}]
    outcome = committer(run, options).commit(harvest(rows), before=0, target=1000)
    assert outcome.counts.rejected == {"dedup.exact_duplicate": 1}
    assert rejected(run)[0]["field"] == "n"


SAYS = "The heavy anchor of our old ship fell on the violin."
SAYS_SO_TOO = "On the violin fell the heavy anchor of our old ship, 1."
MEANING = {"semantic_threshold": 0.85, "embedding_model": "sim", "dedup_threshold": 1.0}


def test_a_record_that_says_the_same_in_other_words_is_refused_and_paid_once(endpoint: SimulatedServer) -> None:
    run, options = new_run(**MEANING, embedding_base_url=f"{endpoint.url}/v1")
    rounds = [
        harvest([{"text": SAYS}, {"text": text_of(1)}]),
        harvest([{"text": SAYS_SO_TOO}, {"text": text_of(2)}], round=2),
    ]
    made = committer(run, options)
    first, second = (made.commit(one, before=2 * n, target=1000) for n, one in enumerate(rounds))
    assert (first.counts.accepted, second.counts.rejected) == (2, {"dedup.semantic": 1})
    assert rejected(run, 2)[0]["detail"].endswith("like r1/100.0")
    assert first.spend.cost_usd is None  # nobody knows the price at an address of one's own
    paid, written = endpoint.stats()["tokens"]["input"], everything(run)
    usage = (first.spend + second.spend).usage
    assert usage.input == paid + len(rounds)  # the replies' own tokens are one a round
    run.folder.remove("rounds/00002.json")  # a process died just before the end of its round
    forget_committer(run)
    RoundCommitter(run, RECIPE, DETECTION, options).commit(rounds[1], before=2, target=1000)
    assert everything(run) == written
    assert endpoint.stats()["tokens"]["input"] == paid


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with serve_redis(tmp_path_factory.mktemp("redis")) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD_VARIABLE, running.password)
        yield running


def test_a_round_with_its_index_in_redis_writes_the_same_bytes_also_when_repeated(redis_server: RedisServer) -> None:
    rows = [{"text": text_of(n // 2), "n": n // 2} for n in range(8)]
    plain, options = new_run()
    committer(plain, options).commit(harvest(rows), before=0, target=1000)
    run, options = new_run(index_storage=redis_server.address)
    committer(run, options).commit(harvest(rows), before=0, target=1000)
    expected = everything(plain)
    assert everything(run) == expected
    run.folder.remove("rounds/00001.json")
    committer(run, options).commit(harvest(rows), before=0, target=1000)
    assert everything(run) == expected
    assert redis_server.password.encode() not in b"".join(everything(run).values())
