"""The simulated model server as a process: its knobs, its memory, its end."""

import json
import os
import select
import socket
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from datasynth.schemas.errors import InputError, RunError
from datasynth.tasks.llm.simulated.__main__ import main
from datasynth.tasks.llm.simulated.knobs import Knobs
from datasynth.tasks.llm.simulated.process import SimulatedServer


@pytest.fixture(scope="module")
def running() -> Iterator[SimulatedServer]:
    with SimulatedServer.start({"seed": 7}) as server:
        yield server


def post(server: SimulatedServer, path: str, body: Any) -> tuple[int, Any]:
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


ASKED = {"model": "m", "messages": [{"role": "user", "content": "Write exactly 1 new record."}]}


def test_set_turns_one_knob_and_leaves_the_others(running: SimulatedServer) -> None:
    assert running.set(rate_empty=0.25).seed == 7
    assert running.set(rate_empty="0") == Knobs(seed=7)


def test_set_refuses_an_unknown_knob(running: SimulatedServer) -> None:
    with pytest.raises(InputError, match="no knob called latncy"):
        running.set(latncy=1)


def test_reset_forgets_what_was_counted(running: SimulatedServer) -> None:
    post(running, "/v1/chat/completions", ASKED)
    assert running.stats()["requests"] > 0
    running.reset()
    assert running.stats()["requests"] == 0
    assert set(running.stats()["tokens"].values()) == {0}


def test_the_knob_route_answers_400_with_the_reason(running: SimulatedServer) -> None:
    status, body = post(running, "/_knobs", {"rate_429": 2})
    assert status == 400
    assert "rate_429 is 2" in body["error"]


def test_a_body_that_is_no_json_object_is_answered_400(running: SimulatedServer) -> None:
    assert post(running, "/v1/chat/completions", [])[0] == 400
    assert post(running, "/v1/messages", {"model": 3})[0] == 400


def test_the_same_request_gets_the_same_text_from_another_process(running: SimulatedServer) -> None:
    with SimulatedServer.start({"seed": 7}) as other:
        texts = [post(s, "/v1/chat/completions", ASKED)[1]["choices"][0]["message"] for s in (running, other)]
    assert texts[0] == texts[1]


def test_a_stopped_server_is_gone_and_says_so() -> None:
    server = SimulatedServer.start()
    server.stop()
    server.stop()
    assert server.process.returncode == 0
    with pytest.raises(RunError, match="does not answer"):
        server.stats()


def test_an_unknown_knob_is_an_input_error_before_anything_starts() -> None:
    with pytest.raises(InputError, match="no knob called speed"):
        SimulatedServer.start({"speed": 1})


def test_the_server_ends_when_the_process_that_started_it_is_killed() -> None:
    program = """
        import os, signal
        from datasynth.tasks.llm.simulated.process import SimulatedServer
        server = SimulatedServer.start()
        print(server.process.pid, server.url, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    # Standard error stays ours: a pipe that the server inherited would only close with it.
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True, timeout=90, check=False
    )
    pid, url = done.stdout.split()
    _await_end(int(pid))
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", int(url.rsplit(":", 1)[1])))


def _await_end(pid: int) -> None:
    """Waits until the process is gone; pytest's own time limit guards it."""
    try:
        end = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # Readable once the process has ended.
        select.select([end], [], [], 30)
    finally:
        os.close(end)


def test_the_command_refuses_a_bad_knob_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rate-429", "2"]) == 2
    assert "rate_429 is 2" in capsys.readouterr().err


def test_the_command_refuses_knobs_that_are_no_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--knobs", "[]"]) == 2
    assert "not an object" in capsys.readouterr().err


def test_the_command_says_when_its_port_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["--port", str(taken.getsockname()[1])]) == 2
    assert "Cannot listen" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"rate_429": 0.6, "rate_500": 0.6}, "add up to 1.2"),
        ({"latency": -1}, "latency is -1"),
        ({"capacity": "many"}, "cannot be 'many'"),
        ({"capacity": 1.5}, "cannot be 1.5"),
        ({"canned": "perhaps"}, "cannot be 'perhaps'"),
        ({"latency": True}, "cannot be True"),
    ],
)
def test_an_impossible_knob_is_refused(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Knobs.of(knobs)


def test_knobs_take_the_text_that_flags_and_forms_give() -> None:
    knobs = Knobs.of({"latency": "0.5", "capacity": "", "reject_parameters": "temperature, thinking", "canned": "yes"})
    assert knobs == Knobs(latency=0.5, reject_parameters=("temperature", "thinking"), canned=True)
