"""The index in a real Redis decides as the one in memory does, and several runs share it."""

import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from redis_server import RedisServer, serve_redis
from s3_server import free_port
from short_records import TWO_VIEWS, short_records

from datasynth.schemas.errors import InputError, StorageError
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.dedup.index import DedupSettings, Match, NearDuplicateIndex, Shared
from datasynth.tasks.dedup.redis_index import RedisIndex
from datasynth.tasks.dedup.redis_storage import PASSWORD_VARIABLE, require_reachable

SETTINGS = DedupSettings()
RECORDS = short_records(10)
FEW = settings(max_examples=25, deadline=None)  # each speaks to a real server some hundred times


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with serve_redis(tmp_path_factory.mktemp("redis")) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD_VARIABLE, running.password)
        yield running


@pytest.fixture
def name() -> str:
    return uuid.uuid4().hex


def index(server: RedisServer, name: str, run: str = "r1", rules: DedupSettings = SETTINGS) -> RedisIndex:
    return RedisIndex(rules, TWO_VIEWS, server.address, Shared(name, f"{run}/"))


def record(question: str, answer: str = "") -> dict[str, str]:
    return {"question": question, "answer": answer}


def names(records, run: str = "r1") -> list[str]:
    return [f"{run}/{i}.0" for i in range(len(records))]


@FEW
@given(RECORDS, RECORDS, st.sampled_from([0.5, 0.7, 1.0]))
def test_one_writer_gets_the_verdicts_and_the_saved_index_of_the_one_in_memory(server, seeds, records, threshold):
    rules = DedupSettings(threshold=threshold)
    ours, theirs = index(server, uuid.uuid4().hex, rules=rules), NearDuplicateIndex(rules, TWO_VIEWS)
    for each in (ours, theirs):
        each.add(seeds, [f"seed-{i}" for i in range(len(seeds))])
    assert ours.peek(records) == theirs.peek(records)
    assert ours.screen(records, names(records)) == theirs.screen(records, names(records))
    assert ours.peek(records) == theirs.peek(records)
    assert ours.unsaved == theirs.unsaved
    assert ours.dump() == theirs.dump()


@FEW
@given(RECORDS, RECORDS)
def test_a_saved_index_fills_an_empty_redis(server, before, records):
    saved = NearDuplicateIndex(SETTINGS, TWO_VIEWS)
    saved.screen(before, names(before, "r0"))
    data = saved.dump()
    ours, theirs = index(server, uuid.uuid4().hex), NearDuplicateIndex(SETTINGS, TWO_VIEWS)
    for each in (ours, theirs):
        each.load(data)
    assert ours.screen(records, names(records)) == theirs.screen(records, names(records))


def test_near_duplicates_of_long_texts_are_found_as_in_memory(server, name, language):
    import random

    rng = random.Random(4)
    originals = [rng.choices(language.words, k=60) for _ in range(150)]
    copies = [language.reworded(words, rng.randrange(14), rng) for words in originals]
    records = [record(language.text(words)) for words in originals + copies]
    theirs = NearDuplicateIndex(SETTINGS, TWO_VIEWS).screen(records, names(records))
    assert index(server, name).screen(records, names(records)) == theirs
    assert sum(match is not None for match in theirs) > 60


def test_what_one_run_keeps_is_a_duplicate_for_another(server, name):
    assert index(server, name, "a").screen([record("one two three four")], ["a/0.0"]) == [None]
    found = index(server, name, "b").screen([record("One, two three four!")], ["b/0.0"])
    assert found == [Match("exact_duplicate", "a/0.0", 1.0, "record")]


def test_data_sets_do_not_mix(server, name):
    index(server, name).screen([record("one two three")], ["r1/0.0"])
    assert index(server, name + "x").screen([record("one two three")], ["r1/0.0"]) == [None]


def test_workers_at_the_same_time_keep_one_of_each_record(server, name):
    records = [record(f"number {i} is said by everybody at once {i * 7} times") for i in range(60)]
    kept: dict[str, int] = {}

    def work(run: str) -> None:
        worker = index(server, name, run)
        for first in range(0, len(records), 6):
            some = records[first : first + 6]
            found = worker.screen(some, [f"{run}/{first + i}.0" for i in range(6)])
            kept[run] = kept.get(run, 0) + found.count(None)

    workers = [threading.Thread(target=work, args=(run,)) for run in "abc"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    alone = NearDuplicateIndex(SETTINGS, TWO_VIEWS).screen(records, names(records)).count(None)
    assert sum(kept.values()) == len(index(server, name)) == alone


def test_an_unfinished_round_that_comes_again_is_no_duplicate_of_itself(server, name):
    first, second = [record("one two three four five")], [record("six seven eight nine ten")]
    died = index(server, name)
    died.screen(first, ["r1/0.0"])
    died.screen(second, ["r1/1.0"])
    again = index(server, name)
    again.add(first, ["r1/0.0"])  # its round is in the ledger
    assert again.screen([*second, *first], ["r1/1.0", "r1/2.0"]) == [
        None,
        Match("exact_duplicate", "r1/0.0", 1.0, "record"),
    ]
    assert len(again) == 2


def test_seeds_of_one_name_and_other_content_are_both_there(server, name):
    index(server, name, "a").add([record("one two three")], ["seed-1"])
    other = index(server, name, "b")
    other.add([record("four five six")], ["seed-1"])
    found = other.screen([record("one two three"), record("four five six")], ["b/0.0", "b/0.1"])
    assert [match and match.reason for match in found] == ["exact_duplicate", "exact_duplicate"]


def test_adding_or_loading_again_adds_nothing(server, name):
    ours = index(server, name)
    for _ in range(2):
        ours.add([record("one two three"), record("four five six")], ["seed-1", "seed-2"])
        ours.load(ours.dump())
    assert len(ours) == 2


def test_a_redis_that_forgot_the_index_stops_the_run(server, name):
    ours = index(server, name)
    ours.screen([record("one two three")], ["r1/0.0"])
    client = redis.Redis(port=server.port, password=server.password)
    client.flushall()
    with pytest.raises(StorageError, match="lost"):
        ours.screen([record("one two three")], ["r1/1.0"])


def test_a_redis_that_nobody_answers_at_is_an_input_error_before_the_run():
    with pytest.raises(InputError, match="cannot be used"):
        require_reachable(f"redis://127.0.0.1:{free_port()}/0")


def test_a_wrong_password_is_an_input_error_that_does_not_show_it(server, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "open-sesame")
    with pytest.raises(InputError, match=PASSWORD_VARIABLE) as refused:
        require_reachable(server.address)
    assert "open-sesame" not in str(refused.value)


@pytest.mark.parametrize(
    "address", ["redis://:open-sesame@host/0", "redis://u:open-sesame@host", "redis://host/0?password=open-sesame"]
)
def test_a_password_in_the_address_is_refused_and_not_repeated(address):
    with pytest.raises(InputError, match=PASSWORD_VARIABLE) as refused:
        SynthesisSettings.model_validate({"analysis_dir": "x", "index_storage": address})
    assert "open-sesame" not in str(refused.value)


def test_without_the_setting_redis_is_not_imported():
    code = "import sys, datasynth.tasks.dedup.index; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
