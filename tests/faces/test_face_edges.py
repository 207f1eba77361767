"""Where the faces touch the machine: outputs, Prefect's address, progress."""

import contextlib
import signal
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from s3_server import free_port

from datasynth import prefect_setup
from datasynth.launch import Stopped, api_named_in_errors, launch
from datasynth.outputs import check_writable
from datasynth.prefect_setup import check_answers, configured_api, set_environment
from datasynth.progress import (
    Callback,
    Forecast,
    PlainLines,
    TerminalDisplay,
    counts_line,
    details_line,
    share_done,
    time_left,
)
from datasynth.schemas.errors import InputError, RunError
from datasynth.schemas.messages import say
from datasynth.settings_input import checked_settings
from datasynth.tasks.rounds.progress import Progress, board_of


def test_looking_whether_a_file_can_be_written_leaves_nothing(tmp_path: Path):
    check_writable(str(tmp_path / "a" / "b" / "out.json"))
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_output_file(tmp_path: Path):
    with pytest.raises(InputError, match="a folder, and a file is to be written"):
        check_writable(str(tmp_path))


def test_a_file_in_place_of_a_folder_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        check_writable(str(tmp_path / "file" / "out.json"))


@pytest.mark.parametrize(
    ("environ", "profiles", "expected"),
    [
        ({"PREFECT_API_URL": "http://a/api"}, "", "http://a/api"),
        ({}, "", None),
        ({}, 'active = "x"\n[profiles.x]\nPREFECT_API_URL = "http://b/api"\n', "http://b/api"),
        ({}, 'active = "y"\n[profiles.x]\nPREFECT_API_URL = "http://b/api"\n', None),
        ({"PREFECT_PROFILE": "x"}, '[profiles.x]\nPREFECT_API_URL = "http://b/api"\n', "http://b/api"),
        ({}, "not toml [", ""),
    ],
)
def test_the_api_is_found_where_prefect_finds_it(environ: dict, profiles: str, expected: str | None, tmp_path: Path):
    (tmp_path / "profiles.toml").write_text(profiles)
    assert configured_api({"PREFECT_HOME": str(tmp_path)} | environ, tmp_path / "elsewhere") == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [("prefect.toml", ""), (".env", "PREFECT_API_URL=x"), ("pyproject.toml", "[tool.prefect]")],
)
def test_settings_files_are_left_to_prefect(name: str, text: str, tmp_path: Path):
    (tmp_path / name).write_text(text)
    assert configured_api({"PREFECT_HOME": str(tmp_path)}, tmp_path) == ""


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/api", "nonsense", "http://"])
def test_an_api_that_does_not_answer_is_named(url: str):
    with pytest.raises(RunError, match="does not answer"):
        check_answers(url)


def test_what_the_user_set_for_prefect_stands(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PREFECT_SERVER_LOGGING_LEVEL", "DEBUG")
    for name in ("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "DO_NOT_TRACK"):
        monkeypatch.setenv(name, "")  # so that the patch takes them back
    with monkeypatch.context() as patch:
        environ = {"PREFECT_SERVER_LOGGING_LEVEL": "DEBUG"}
        patch.setattr("os.environ", environ)
        set_environment(verbose=False)
    assert environ["PREFECT_SERVER_LOGGING_LEVEL"] == "DEBUG"
    assert environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] == "CRITICAL"


def test_a_rounds_calls_count_for_its_records_until_they_are_judged():
    assert share_done(Progress(target=100, accepted=50, calls_planned=10, calls_done=5)) == 0.75
    assert share_done(Progress()) == 0.0


def test_time_left_follows_the_pace_since_the_first_call():
    clock = iter([0.0, 10.0, 20.0])
    forecast = Forecast(lambda: next(clock))
    assert forecast.see(Progress(target=100)) == (0.0, None)
    assert forecast.see(Progress(target=100, calls_planned=10, calls_done=2)) == (0.2, None)
    assert forecast.see(Progress(target=100, calls_planned=10, calls_done=6)) == (0.6, pytest.approx(10.0))


def test_a_line_of_progress_says_what_matters():
    now = Progress(
        target=1000,
        accepted=400,
        phase="generating",
        round=2,
        calls_planned=50,
        calls_done=20,
        calls_in_flight=16,
        rejected={"dedup.near_duplicate": 30, "validate.enum": 2},
        tokens=12345,
        cost_usd=0.5,
    )
    assert str(counts_line(now)) == "400 of 1,000 records"
    assert details_line(now, 61.0, "en") == (
        "round 2, generating · calls 20 of 50, 16 in flight · rejected 32 (nearly the same as a seed or an earlier "
        "record 30, not one of the allowed values 2) · 12,345 tokens · $0.50 · about 1 min 1 s left"
    )
    assert details_line(now, None, "zh").startswith("第 2 轮，生成中 · 调用 20／50，进行中 16 · ")


def test_plain_lines_say_what_is_waited_for_and_how_it_ended():
    lines: list[str] = []
    display = PlainLines(lines.append, "en", every=60)
    with display.waiting(say("Connecting to Prefect ...")):
        pass
    with display.running("plain-lines-test"):
        board_of("plain-lines-test").set(target=10, accepted=10)
    assert [lines[0], lines[1].split(" · ")[0]] == ["Connecting to Prefect ...", "10 of 10 records"]


def test_a_stopped_run_has_no_last_line_of_progress():
    lines: list[str] = []
    board_of("stopped-lines-test").set(target=10, accepted=3)
    with contextlib.suppress(Stopped), PlainLines(lines.append, "en", every=60).running("stopped-lines-test"):
        raise Stopped
    assert lines == []


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "about 1 s left"), (3.4, "about 3 s left"), (61, "about 1 min 1 s left")]
)
def test_time_left_is_in_whole_seconds(seconds: float, said: str):
    assert str(time_left(seconds)) == said


def test_a_narrow_terminal_breaks_no_figure():
    console = Console(file=StringIO(), width=80, force_terminal=True, color_system=None)
    now = Progress(target=1000, accepted=400, phase="generating", round=2, calls_planned=50, calls_done=20, retries=1)
    console.print(TerminalDisplay(console, "en").drawn(now, 0.4, 61.0))
    assert isinstance(console.file, StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines[0].endswith(" 400 of 1,000 records · about 1 min 1 s left")
    assert lines[1:] == ["round 2, generating · calls 20 of 50, 0 in flight", "1 retry · 0 tokens · $0.00"]


def test_a_signal_that_an_import_swallowed_still_ends_the_run(monkeypatch: pytest.MonkeyPatch):
    def lose_the_signal(_server: object) -> None:
        with contextlib.suppress(Stopped):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(prefect_setup, "ready", lose_the_signal)
    settings = checked_settings({"analysis_dir": "no/such/analysis", "run_id": "swallowed"})
    with pytest.raises(Stopped):
        launch(settings, None, None, Callback(None))


def test_an_error_in_on_progress_ends_the_calls_and_not_the_run():
    def fail(accepted: int, target: int) -> None:
        raise ValueError(accepted, target)

    display = Callback(fail)
    with display.running("callback-test"):
        board_of("callback-test").set(target=10, accepted=1)
    assert display.on_progress is None


def test_a_run_that_ends_because_its_prefect_api_has_gone_says_so():
    from prefect.settings import PREFECT_API_URL, temporary_settings

    url = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: url}), pytest.raises(RunError, match="does not answer"):
        with api_named_in_errors():
            raise ConnectionError("refused")
