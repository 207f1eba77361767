"""The Prefect UI as a person uses it: in a real browser, on a real server.

It takes a minute and more, for four processes import Prefect one after the other.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import Reader, browsing, chromium
from deployed import artifacts_of, executed, synthesis_run
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from team import prefect_server, team_at, working

from datasynth.schemas.settings import SynthesisSettings

pytestmark = pytest.mark.timeout(900)
COUNT = 20
FINISH_SECONDS = 300
UI = {"PREFECT_SERVER_UI_API_URL": "/api", "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false"}
"""The page asks the server that it came from, whatever its port is, and advertises nothing."""
HOSTILE = """<img src=x onerror="document.title='owned'"> [x](javascript:alert(1)) https://evil.example/a <b>b</b> |"""
INJECTED = 'img[src="x"], a[href^="javascript"], a[href*="evil.example"], td b'


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prefect server with its UI, which the session's server does not serve."""
    chromium()
    with prefect_server(tmp_path_factory.mktemp("ui"), **UI) as url:
        yield url


@pytest.fixture
def client(prefect: None, api: str) -> Iterator[SyncPrefectClient]:
    with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as opened:
        yield opened


@pytest.mark.skipif(not os.environ.get("DATASYNTH_LONG"), reason="a starved browser loses clicks: make test-long")
def test_a_run_is_started_from_the_form_and_watched_and_its_report_is_there(
    api: str, examples: Path, tmp_path: Path
) -> None:
    analysis = shutil.copytree(examples / "support_zh", tmp_path / "support_zh")
    team = team_at(api, tmp_path, DATASYNTH_STORE=str(tmp_path / "store"))
    team.datasynth("deploy")
    with working(team, tmp_path / "worker.log") as worker, browsing(api.removesuffix("/api"), tmp_path) as reader:
        reader.open("/")
        reader.press("Deployments", "link")
        reader.press("synthesize", "link")
        reader.press("Run")
        reader.press("Custom run", "menuitem")
        reader.fill("DataRecipe analysis", str(analysis))
        reader.fill("Records wanted", str(COUNT))
        reader.choose("Provider", "simulated")
        reader.press("Submit")
        reader.press("View run")
        ended = reader.one_of("Completed", "Failed", "Crashed", patience=FINISH_SECONDS)
        assert ended == "Completed", worker.said()
        reader.shows(f"support_zh · {COUNT} · simulated")
        reader.press("Task Runs", "tab")
        reader.shows("load", "generate", "validate round 1", "dedup round 1", "report")
        open_artifact(reader, "report")
        reader.shows(f"All {COUNT} records made.", "From asked to accepted", "Where things are")
    assert len(list((tmp_path / "store").glob("*/runs/*/manifest.json"))) == 1


def test_who_is_asked_in_the_page_reads_hostile_records_as_text_and_says_yes(
    api: str, client: SyncPrefectClient, settings_for: Callable[..., SynthesisSettings], tmp_path: Path, examples: Path
) -> None:
    analysis = hostile(shutil.copytree(examples / "support_zh", tmp_path / "support_zh"))
    changes = {"analysis_dir": str(analysis), "approve_over": 0.0, "input_price": 1.0, "output_price": 4.0}
    run = synthesis_run(client, settings_for(target_count=COUNT, **changes))
    assert executed(client, run) is None
    address = f"/v2/runs/flow-run/{run.id}"
    with browsing(api.removesuffix("/api"), tmp_path) as reader:
        reader.open(address)
        open_artifact(reader, "approval")
        shown = reader.shows("May this run go on?", "10 records of the pilot", f"All {COUNT} records should cost about")
        assert "<img src=x onerror=" in shown
        assert harmless(reader)
        reader.open(address)
        reader.press("Open menu")
        reader.press("Resume", "menuitem")
        reader.choose("May the run go on?", "yes")
        reader.fill("Budget for the whole run", "7.5")
        reader.press("Resume")
        reader.gone("Suspended")

    assert executed(client, run).settings["max_cost"] == 7.5
    with browsing(api.removesuffix("/api"), tmp_path) as reader:
        for kind in artifacts_of(client, run):
            reader.open(address)
            open_artifact(reader, kind)
            reader.shows(f"-{kind}", "Show Raw Data")
            assert harmless(reader), kind


def open_artifact(reader: Reader, kind: str) -> None:
    """From the page of a run; the link to an artifact's content bears the first digits of its id."""
    reader.press("Artifacts", "tab")
    reader.press(re.compile(f"-{kind}"), "link")
    reader.follow("/artifacts/artifact/")


def hostile(analysis: Path) -> Path:
    """The analysis with markup in every seed."""
    path = analysis / "09_样例数据" / "samples.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    for sample in found["samples"]:
        for field in ("instruction", "response"):
            sample["data"][field] += HOSTILE
    path.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    return analysis


def harmless(reader: Reader) -> bool:
    """Nothing of `HOSTILE` became a part of the page or ran in it."""
    return not reader.count(INJECTED) and reader.page.title() != "owned"
