"""An object store that is busy, breaks off and is cut off: files appear whole or not at all, and runs end well."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
import s3fs
from processes import COUNT, RUN, Start, await_replies, finished
from s3_proxy import Proxy, s3_proxy
from s3_server import S3, free_port, serve_s3

from datasynth.schemas.errors import StorageError
from datasynth.schemas.report import RunReport
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.storage.store import Store

pytestmark = pytest.mark.timeout(900)
PART = bytes(range(256)) * 40_000
"""10 MB: more than any buffer on the way."""


@pytest.fixture
def proxy(s3: S3) -> Iterator[Proxy]:
    with s3_proxy(s3) as running:
        yield running


def once(fault: str, method: str) -> Callable[[int, str, str], str | None]:
    """The fault happens to the first three requests of a method: a client must try more than once again."""
    left = [fault] * 3
    return lambda number, asked, path: left.pop() if asked == method and left else None


@contextmanager
def uploading(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes `PART` to s3://bucket/killed/part.bin; it does not outlive the block."""
    code = (
        "from datasynth.tasks.storage.store import Store; "
        "Store('s3://bucket/killed').write('part.bin', bytes(range(256)) * 40_000)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ | environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("fault", ["slow", "reset", "cut", "lost"])
def test_a_write_that_meets_a_fault_is_tried_again_until_it_is_whole(
    fault: str, proxy: Proxy, at_s3: Callable[..., None], s3: S3
) -> None:
    at_s3(AWS_ENDPOINT_URL=proxy.url)
    proxy.fault = once(fault, "PUT")
    Store("s3://bucket/faults").write(f"{fault}.bin", PART)
    assert proxy.done == [fault] * 3
    assert (s3.folder / "bucket" / "faults" / f"{fault}.bin").read_bytes() == PART


@pytest.mark.parametrize("fault", ["slow", "reset"])
def test_a_read_that_meets_a_fault_is_tried_again(fault: str, proxy: Proxy, at_s3: Callable[..., None]) -> None:
    at_s3(AWS_ENDPOINT_URL=proxy.url)
    store = Store("s3://bucket/faults")
    store.write("read.bin", PART)
    proxy.fault = once(fault, "GET")
    assert store.read("read.bin") == PART
    assert proxy.done == [fault] * 3


def test_a_part_whose_server_was_killed_in_mid_upload_is_whole_when_it_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_s3(tmp_path) as s3, s3_proxy(s3) as proxy:
        proxy.fault = lambda number, method, path: "held" if method == "PUT" else None
        with uploading(s3.environment | {"AWS_ENDPOINT_URL": proxy.url}):
            assert proxy.holding.wait(60)
            s3.kill()
    # What a dying server leaves on its own disk is its affair (rclone now and then a half): no ledger names it yet.
    with serve_s3(tmp_path) as s3:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        store = Store("s3://bucket/killed")
        store.write("part.bin", PART)
        assert store.read("part.bin") == PART
    s3fs.S3FileSystem.clear_instance_cache()


def test_an_upload_whose_process_is_killed_in_its_middle_leaves_nothing_and_can_be_made_again(
    proxy: Proxy, at_s3: Callable[..., None], s3: S3
) -> None:
    proxy.fault = lambda number, method, path: "held" if method == "PUT" else None
    with uploading(s3.environment | {"AWS_ENDPOINT_URL": proxy.url}) as process:
        assert proxy.holding.wait(60)
        process.kill()
        process.wait()
    proxy.released.set()
    at_s3()
    store = Store("s3://bucket/killed")
    assert store.names() == []
    store.write("part.bin", PART)
    assert store.names() == ["part.bin"]


def test_a_run_killed_while_it_writes_its_part_and_its_manifest_ends_well_on_a_store_full_of_faults(
    start: Start, endpoint: SimulatedServer, s3: S3, proxy: Proxy
) -> None:
    store, folder = "s3://bucket/faulty", s3.folder / "bucket" / "faulty" / "support_zh" / "runs" / RUN
    environment = s3.environment | {"AWS_ENDPOINT_URL": proxy.url}
    for name, words in (("data/part-00001.parquet", ("--run-id", RUN)), ("manifest.json", ("--resume",))):
        proxy.fault = lambda number, method, path, name=name: (
            "held" if method == "PUT" and path.split("?")[0].endswith(name) else faulty(number)
        )
        killed = start(store, *words, **environment)
        while not proxy.holding.wait(1):
            assert killed.poll() is None, killed.communicate()[0]
        killed.kill()
        killed.wait()
        assert not (folder / name).exists()
        proxy.holding.clear()
    proxy.fault = lambda number, method, path: faulty(number)
    said = finished(start(store, "--resume", **environment))
    assert {"slow", "reset", "lost"} <= set(proxy.done), said
    assert len(pl.read_parquet(folder / "data" / "*.parquet")) == COUNT
    assert (folder / "manifest.json").exists()
    assert endpoint.stats()["repeats"] == 0


def test_a_store_that_is_away_for_half_a_minute_is_waited_for(
    start: Start, endpoint: SimulatedServer, s3: S3, proxy: Proxy
) -> None:
    store, folder = "s3://bucket/away", s3.folder / "bucket" / "away" / "support_zh" / "runs" / RUN
    going = start(store, "--run-id", RUN, **s3.environment | {"AWS_ENDPOINT_URL": proxy.url})
    await_replies(endpoint, going, 20)
    back = time.monotonic() + 30
    proxy.fault = lambda number, method, path: "reset" if time.monotonic() < back else None
    said = finished(going)
    assert "waiting for the storage" in said
    assert time.monotonic() > back
    assert proxy.done
    assert len(pl.read_parquet(folder / "data" / "*.parquet")) == COUNT
    assert endpoint.stats()["repeats"] == 0


def faulty(number: int) -> str | None:
    """What happens to every third request or so."""
    return {3: "slow", 7: "reset", 10: "lost", 13: "slow"}.get(number % 17)


@pytest.mark.parametrize(
    ("store", "changes", "said"),
    [
        ("s3://no-such-bucket/store", {}, "bucket does not exist"),
        ("s3://bucket/store", {"AWS_SECRET_ACCESS_KEY": "not-the-secret"}, "signature"),
        ("s3://bucket/store", {"AWS_ACCESS_KEY_ID": "nobody"}, "[Aa]ccess [Kk]ey"),
        ("s3://bucket/store", {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}, "Could not connect"),
    ],
    ids=["bucket", "secret", "key", "endpoint"],
)
def test_a_store_that_cannot_be_used_is_named_before_a_model_is_asked(
    store: str,
    changes: dict[str, str],
    said: str,
    run: Callable[..., RunReport],
    at_s3: Callable[..., None],
    endpoint: SimulatedServer,
    s3: S3,
) -> None:
    at_s3(**changes)
    with pytest.raises(StorageError, match=said) as raised:
        run(store=store)
    message = str(raised.value)
    assert store in message
    assert "Check the address" in message
    assert s3.environment["AWS_SECRET_ACCESS_KEY"] not in message
    assert "not-the-secret" not in message
    assert endpoint.stats()["requests"] == 0
