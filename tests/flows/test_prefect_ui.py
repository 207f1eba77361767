"""The Prefect UI as a person uses it: in a real browser, on a real server.

It takes a minute and more, for four processes import Prefect one after the other.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import Page, binaries, browsing
from deployed import artifacts_of, executed, state_of, synthesis_run
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from team import prefect_server, team_at, working

from datasynth.schemas.settings import SynthesisSettings

pytestmark = [pytest.mark.xdist_group("prefect"), pytest.mark.timeout(900)]
COUNT = 20
FINISH_SECONDS = 300
UI = {"PREFECT_SERVER_UI_API_URL": "/api", "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false"}
"""The page asks the server that it came from, whatever its port is, and advertises nothing."""
HOSTILE = """<img src=x onerror="document.title='owned'"> [x](javascript:alert(1)) https://evil.example/a <b>b</b> |"""
INJECTED = 'img[src="x"], a[href^="javascript"], a[href*="evil.example"], td b'


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prefect server with its UI, which the session's server does not serve."""
    binaries()
    with prefect_server(tmp_path_factory.mktemp("ui"), **UI) as url:
        yield url


@pytest.fixture
def client(prefect: None, api: str) -> Iterator[SyncPrefectClient]:
    with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as opened:
        yield opened


def test_a_run_is_started_from_the_form_and_watched_and_its_report_is_there(
    api: str, examples: Path, tmp_path: Path
) -> None:
    analysis = shutil.copytree(examples / "support_zh", tmp_path / "support_zh")
    team = team_at(api, tmp_path, DATASYNTH_STORE=str(tmp_path / "store"))
    team.datasynth("deploy")
    with working(team, tmp_path / "worker.log") as worker, browsing(api.removesuffix("/api"), tmp_path) as page:
        page.open("/")
        page.press("Deployments", "link")
        page.press("synthesize", "link")
        page.press("Run")
        page.press("Custom run", "menu item")
        page.fill("DataRecipe analysis", str(analysis))
        page.fill("Records wanted", str(COUNT))
        page.choose("Provider", "simulated")
        page.press("Submit")
        page.press("View run", part=True)
        ended = page.one_of("Completed", "Failed", "Crashed", patience=FINISH_SECONDS)
        assert ended == "Completed", worker.said()
        page.shows(f"support_zh · {COUNT} · simulated")
        page.press("Task Runs", "tab")
        page.shows("load", "generate shard 1/1", "validate round 1", "dedup round 1", "report")
        page.press("Artifacts", "tab")
        page.press("-report", "link", part=True)
        page.follow("/artifacts/artifact/")
        page.shows(f"All {COUNT} records made.", "From asked to accepted", "Where things are")
    assert len(list((tmp_path / "store").glob("*/runs/*/manifest.json"))) == 1


def test_what_seeds_and_models_wrote_is_read_as_text_by_who_says_yes_in_the_page(
    api: str, client: SyncPrefectClient, settings_for: Callable[..., SynthesisSettings], tmp_path: Path, examples: Path
) -> None:
    analysis = hostile(shutil.copytree(examples / "support_zh", tmp_path / "support_zh"))
    changes = {"analysis_dir": str(analysis), "approve_over": 0.0, "input_price": 1.0, "output_price": 4.0}
    run = synthesis_run(client, settings_for(target_count=COUNT, **changes))
    assert executed(client, run) is None
    with browsing(api.removesuffix("/api"), tmp_path) as page:
        page.open(f"/v2/runs/flow-run/{run.id}")
        page.press("Artifacts", "tab")
        page.press("-approval", "link", part=True)
        page.follow("/artifacts/artifact/")
        shown = page.shows("May this run go on?", "10 records of the pilot", f"All {COUNT} records should cost about")
        assert "<img src=x onerror=" in shown
        assert harmless(page)

        page.open(f"/v2/runs/flow-run/{run.id}")
        page.press("Open menu")
        page.press("Resume", "menu item")
        page.choose("May the run go on?", "yes")
        page.fill("Budget for the whole run", "7.5")
        page.press("Resume")
        page.until(lambda: state_of(client, run).name != "Suspended", "run that goes on")
        report = executed(client, run)
        assert report.settings["max_cost"] == 7.5
        for kind, artifact in artifacts_of(client, run).items():
            page.open(f"/v2/artifacts/artifact/{artifact.id}")
            page.shows(f"-{kind}", "Show Raw Data")
            assert harmless(page), kind


def hostile(analysis: Path) -> Path:
    """The analysis with markup in every seed."""
    path = analysis / "09_样例数据" / "samples.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    for sample in found["samples"]:
        for field in ("instruction", "response"):
            sample["data"][field] += HOSTILE
    path.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    return analysis


def harmless(page: Page) -> bool:
    """Nothing of `HOSTILE` became a part of the page or ran in it."""
    return not page.count(INJECTED) and page.driver.title != "owned"
