"""Blocks in runs: what ModelEndpoint, DatasetStore and InstructionTemplate bring, and that no key leaves them."""

import json
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings
from pydantic import SecretStr
from s3_server import S3

from datasynth import caller
from datasynth.flows.blocks import BLOCKS, DatasetStore, InstructionTemplate, ModelEndpoint, registered_blocks
from datasynth.schemas.errors import InputError, RunError
from datasynth.schemas.report import RunReport
from datasynth.schemas.settings import SynthesisSettings
from datasynth.tasks.blocks.naming import with_endpoint
from datasynth.tasks.blocks.source import forget_blocks
from datasynth.tasks.judge.choice import judge_settings
from datasynth.tasks.llm.simulated.process import SimulatedServer
from datasynth.tasks.rounds.runs import RunCard
from datasynth.tasks.sources.recipes import read_recipe
from datasynth.tasks.storage.store import Store

KEY = "sk-of-the-block-4f1a6c"
Run = Callable[..., RunReport]
PLACE: dict[str, Any] = {"provider": "anthropic", "base_url": None, "model": None}
"""What settings say of the endpoint where a block says it: nothing, or a default, which says as little."""


@pytest.fixture(autouse=True)
def blocks(prefect: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The types are registered, nothing was read before, and the environment has no key."""
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable, raising=False)
    forget_blocks()
    yield
    forget_blocks()


@pytest.fixture
def guarded(endpoint: SimulatedServer) -> SimulatedServer:
    """An endpoint that accepts the block's key alone."""
    endpoint.set(api_key=KEY)
    return endpoint


def saved_endpoint(server: SimulatedServer, name: str, **changes: Any) -> str:
    values = {"provider": "openai", "model": "m", "base_url": f"{server.url}/v1", "api_key": SecretStr(KEY)} | changes
    ModelEndpoint(**values).save(name, overwrite=True)
    forget_blocks()
    return name


def saved_store(s3: S3, name: str, folder: str) -> str:
    DatasetStore(
        address=f"s3://bucket/{folder}",
        key_id=s3.environment["AWS_ACCESS_KEY_ID"],
        secret=SecretStr(s3.environment["AWS_SECRET_ACCESS_KEY"]),
        endpoint_url=s3.environment["AWS_ENDPOINT_URL"],
        region="us-east-1",
    ).save(name, overwrite=True)
    return name


def everything_the_api_tells(client: SyncPrefectClient) -> str:
    """Runs, states, task runs, logs, artifacts and events of the server, as one text."""
    told = []
    for path in ("flow_runs", "task_runs", "logs", "artifacts", "deployments", "flows"):
        for offset in range(0, 10_000, 200):
            page = client.request("POST", f"/{path}/filter", json={"limit": 200, "offset": offset}).json()  # pyright: ignore
            told.append(json.dumps(page))
            if len(page) < 200:
                break
    told.append(client.request("POST", "/events/filter", json={"filter": {}, "limit": 50}).text)  # pyright: ignore
    return "\n".join(told)


def files_below(*folders: Path) -> Iterator[tuple[Path, bytes]]:
    for folder in folders:
        yield from ((path, path.read_bytes()) for path in folder.rglob("*") if path.is_file())


def test_a_run_reaches_model_and_store_with_what_blocks_say_and_no_key_is_anywhere(
    run: Run, guarded: SimulatedServer, s3: S3, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from prefect.settings import PREFECT_HOME

    name = saved_endpoint(guarded, "team-model", input_price=1.0, output_price=2.0)
    saved_store(s3, "team-store", "of-blocks")
    with temporary_settings({PREFECT_LOGGING_TO_API_ENABLED: True}):
        report = run(**PLACE, endpoint=name, store="block:team-store", target_count=20, min_quality=0.1)
    secret = s3.environment["AWS_SECRET_ACCESS_KEY"]
    assert (report.total, report.provider, report.model) == (20, "openai", "m")
    assert report.run_url.startswith("s3://bucket/of-blocks/support_zh/runs/")
    assert report.spend.cost_usd == pytest.approx(
        (report.spend.usage.input + report.spend.usage.cache_read + 2 * report.spend.usage.output) / 1e6
    )
    assert (s3.folder / "bucket" / "of-blocks" / "support_zh" / "index").exists()

    with get_client(sync_client=True) as client:
        told = everything_the_api_tells(client)
    out, err = capfd.readouterr()
    assert "team-model" in told  # the search looks in the right place
    for hidden in (KEY, secret):
        assert hidden not in told + out + err + report.model_dump_json() + repr(report)
        homes = (tmp_path, PREFECT_HOME.value(), s3.folder)
        assert not [path for path, content in files_below(*homes) if hidden.encode() in content]


def test_a_store_in_a_folder_needs_no_keys(run: Run, endpoint: SimulatedServer, tmp_path: Path) -> None:
    DatasetStore(address=str(tmp_path / "kept")).save("folder", overwrite=True)
    report = run(provider="simulated", base_url=None, model=None, store="block:folder/trials", target_count=5)
    assert report.run_url.startswith(f"{tmp_path}/kept/trials/support_zh/")


def test_a_key_that_the_endpoint_refuses_is_in_no_error(run: Run, guarded: SimulatedServer) -> None:
    wrong = "sk-wrong-9d2b"
    name = saved_endpoint(guarded, "wrong-key", api_key=SecretStr(wrong))
    with pytest.raises(RunError) as caught:
        run(**PLACE, endpoint=name)
    assert wrong not in f"{caught.value!r} {''.join(traceback.format_exception(caught.value))}"
    assert "the key in the block model-endpoint/wrong-key" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "clash"),
    [
        ({"provider": "deepseek"}, "provider"),
        ({"base_url": "http://elsewhere.example/v1"}, "base_url"),
        ({"api_key_env": "MINE"}, "api_key_env"),
    ],
)
def test_a_key_is_sent_nowhere_but_where_the_block_says(
    given: dict[str, str], clash: str, run: Run, guarded: SimulatedServer
) -> None:
    name = saved_endpoint(guarded, "clashing")
    with pytest.raises(InputError, match=clash):
        run(**PLACE | given, endpoint=name)
    assert guarded.stats()["requests"] == 0


def test_settings_beat_the_block_in_all_but_its_place(run: Run, guarded: SimulatedServer, tmp_path: Path) -> None:
    name = saved_endpoint(guarded, "beaten", input_price=1.0, output_price=2.0, concurrency=3, requests_per_minute=999)
    values = PLACE | {"model": "another", "requests_per_minute": 60_000}
    report = run(**values, endpoint=name, target_count=5)
    told = json.loads((Path(report.run_url) / "settings.json").read_bytes())
    assert (report.model, told["requests_per_minute"], told["concurrency"]) == ("another", 60_000, 3)
    assert report.spend.cost_usd is None  # the block's prices are those of its own model


def test_a_run_is_not_gone_on_with_when_its_block_has_become_another_model(run: Run, guarded: SimulatedServer) -> None:
    name = saved_endpoint(guarded, "changing")
    run(**PLACE, endpoint=name, target_count=5, run_id="the-run")
    saved_endpoint(guarded, "changing", model="other")
    with pytest.raises(InputError, match="other settings"):
        run(**PLACE, endpoint=name, target_count=10, run_id="the-run")


def test_the_fingerprint_is_that_of_the_same_model_named_directly(
    run: Run, guarded: SimulatedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = saved_endpoint(guarded, "twin")
    by_block = run(**PLACE, endpoint=name, target_count=5, run_id="by-block")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    directly = run(model="m", target_count=5, run_id="directly")
    cards = [RunCard.model_validate_json((Path(r.run_url) / "run.json").read_bytes()) for r in (by_block, directly)]
    assert cards[0].settings_fingerprint == cards[1].settings_fingerprint


def test_a_template_takes_the_place_of_the_guidelines(settings_for: Callable[..., SynthesisSettings]) -> None:
    text = 'Write as a {{role}}. {{ role }}s never say {"role"} or {{}}.'
    InstructionTemplate(text=text).save("role", overwrite=True)
    recipe = read_recipe(settings_for(template="role", template_values={"role": "{{teller}} {0}"}))
    assert recipe.guidelines == 'Write as a {{teller}} {0}. {{teller}} {0}s never say {"role"} or {{}}.'


def test_a_changed_template_is_another_recipe(run: Run, endpoint: SimulatedServer) -> None:
    plain: dict[str, Any] = {"provider": "simulated", "base_url": None, "model": None, "template": "changed"}
    InstructionTemplate(text="Be brief.").save("changed", overwrite=True)
    run(**plain, target_count=5, run_id="templated")
    InstructionTemplate(text="Be long.").save("changed", overwrite=True)
    with pytest.raises(InputError, match="another recipe"):
        run(**plain, target_count=6, run_id="templated")


@pytest.mark.parametrize("named", [{"endpoint": "none"}, {"store": "block:none"}, {"template": "none"}])
def test_a_block_that_is_not_there_is_named_with_what_to_do(named: dict[str, str], run: Run) -> None:
    provider = "anthropic" if "endpoint" in named else "simulated"
    with pytest.raises(InputError, match=r"no block [a-z-]+/none .* datasynth deploy"):
        run(**PLACE | {"provider": provider} | named)


def test_without_a_prefect_api_the_error_says_where_blocks_are_kept() -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}), pytest.raises(InputError, match="PREFECT_API_URL"):
        Store("block:none")


def test_a_value_that_cannot_be_is_named_and_not_shown(guarded: SimulatedServer) -> None:
    from datasynth.tasks.blocks.source import endpoint_block

    with get_client(sync_client=True) as client:
        saved_endpoint(guarded, "odd")
        document = client.read_block_document_by_name("odd", "model-endpoint")
        changed = {"data": {"api_key": {"not": KEY}}, "merge_existing_data": True}
        client.request("PATCH", "/block_documents/{id}", path_params={"id": document.id}, json=changed)  # pyright: ignore
    with pytest.raises(InputError, match="api_key") as caught:
        endpoint_block("odd")
    assert KEY not in f"{caught.value!r} {''.join(traceback.format_exception(caught.value))}"


def test_a_store_travels_by_name_and_each_process_asks_for_its_keys(s3: S3) -> None:
    saved_store(s3, "travelling", "far")
    store = Store("block:travelling")
    store.write("a", b"1")
    address = store.at("deeper").address()
    assert address == "block:travelling:s3://bucket/far/deeper"
    assert Store("block:travelling:s3://bucket/far").read("a") == b"1"
    with pytest.raises(InputError, match="is not below"):
        Store("block:travelling:s3://bucket/other")
    with pytest.raises(InputError, match="is not below"):
        Store("block:travelling/../other")


@pytest.mark.parametrize(
    ("judge", "block"),
    [
        ({"judge_model": "other"}, "x"),
        ({"judge_provider": "openai"}, None),
        ({"judge_base_url": "http://elsewhere.example/v1"}, None),
        ({"judge_api_key_env": "MINE", "min_quality": 0.5}, None),
    ],
)
def test_a_judge_elsewhere_is_not_sent_the_key_of_the_block(judge: dict[str, Any], block: str | None) -> None:
    settings = SynthesisSettings.model_validate({"analysis_dir": "a", "endpoint": "x", "provider": "vllm"} | judge)
    assert judge_settings(settings).endpoint == block


ELSEWHERE = """
import pickle, sys
from datasynth.tasks.llm.endpoints import resolve_endpoint
from datasynth.tasks.storage.store import Store
settings, address = pickle.load(sys.stdin.buffer)
print(resolve_endpoint(settings).key, Store(address).read("a").decode())
"""


def test_a_process_on_another_machine_gets_the_keys_itself_and_is_sent_none(
    prefect_api: str, guarded: SimulatedServer, s3: S3, tmp_path: Path, settings_for: Callable[..., SynthesisSettings]
) -> None:
    settings = with_endpoint(settings_for(**PLACE, endpoint=saved_endpoint(guarded, "elsewhere")))
    saved_store(s3, "elsewhere", "elsewhere")
    store = Store("block:elsewhere").at("deeper")
    store.write("a", b"read")
    sent = pickle.dumps((settings, store.address()))
    assert KEY.encode() not in sent + pickle.dumps(store)
    assert s3.environment["AWS_SECRET_ACCESS_KEY"].encode() not in sent + pickle.dumps(store)
    environment = os.environ | {"PREFECT_API_URL": prefect_api, "PREFECT_HOME": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", ELSEWHERE], input=sent, env=environment, capture_output=True, check=True
    )
    assert found.stdout.decode().split() == [KEY, "read"]


def test_registering_twice_changes_nothing_and_every_field_of_a_block_is_explained() -> None:
    with get_client(sync_client=True) as client:
        registered_blocks(client)
        assert registered_blocks(client) == []
        for block in BLOCKS:
            kind = client.read_block_type_by_slug(block.get_block_type_slug())
            assert kind.logo_url
            assert "datasynth generate" in (kind.code_example or "")
            schema = client.get_most_recent_block_schema_for_block_type(kind.id)
            assert schema is not None
            for name, field in schema.fields["properties"].items():
                assert field["title"], name
                assert field["description"], name
                assert "anyOf" not in field, name


@pytest.mark.parametrize("named", [{"endpoint": "x"}, {"store": "block:x"}, {"template": "x"}])
def test_a_run_that_names_a_block_makes_its_own_calls(named: dict[str, str]) -> None:
    values = {"analysis_dir": "x", "provider": "openai", "model": "m"} | named
    assert caller.begin(SynthesisSettings.model_validate(values)) is None


def typed(api: str | None, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What `datasynth WORDS` does at a terminal."""
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    environment |= {"PREFECT_HOME": str(home)} | ({"PREFECT_API_URL": api} if api else {})
    command = [sys.executable, "-m", "datasynth", *words, "--lang", "en"]
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)


def test_a_terminal_names_blocks_too(
    prefect_api: str, guarded: SimulatedServer, examples: Path, s3: S3, tmp_path: Path
) -> None:
    saved_endpoint(guarded, "typed", input_price=1.0, output_price=2.0)
    saved_store(s3, "typed", "typed")
    source = (str(examples / "support_zh"), "-n", "10", "--endpoint", "typed", "--store", "block:typed")
    dry = typed(prefect_api, tmp_path, "generate", *source, "--dry-run")
    assert "Model: m at openai" in dry.stdout, dry.stderr
    assert "($1.0 in, $2.0 out per million tokens)" in dry.stdout
    made = typed(prefect_api, tmp_path, "generate", *source, "-o", str(tmp_path / "out.json"))
    assert made.returncode == 0, made.stderr
    listed = typed(prefect_api, tmp_path, "runs", "block:typed")
    assert "support_zh" in listed.stdout, listed.stderr
    assert KEY not in dry.stdout + dry.stderr + made.stdout + made.stderr


@pytest.mark.parametrize("words", [("--endpoint", "x"), ("--template", "x"), ("--store", "block:x")])
def test_a_terminal_without_a_prefect_api_says_what_to_set(
    words: tuple[str, ...], examples: Path, tmp_path: Path
) -> None:
    told = typed(None, tmp_path, "generate", str(examples / "support_zh"), *words, "-p", "simulated")
    assert told.returncode == 2
    assert "PREFECT_API_URL" in told.stderr
