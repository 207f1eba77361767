"""The post-hook: its own words, no shell, values put in afterwards."""

import shlex
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasynth.tasks.report.hook import hook_words, run_post_hook

NO_BRACES = st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs"]))
SAVE = "import json, sys; json.dump(sys.argv[2:], open(sys.argv[1], 'w'))"


def run(command: str, *, analysis_dir: str = "", output_path: str = "", count: int = 1) -> int:
    return run_post_hook(command, analysis_dir=analysis_dir, output_path=output_path, count=count)


@given(st.text(), st.text(), st.integers(min_value=0))
def test_a_value_stays_one_word_whatever_it_holds(analysis_dir: str, output_path: str, count: int):
    words = hook_words(
        "check {analysis_dir} --out={output_path} {count}",
        analysis_dir=analysis_dir,
        output_path=output_path,
        count=count,
    )
    assert words == ["check", analysis_dir, f"--out={output_path}", str(count)]


@given(st.lists(NO_BRACES, min_size=1))
def test_words_are_split_as_a_shell_would_split_them(words: list[str]):
    assert hook_words(shlex.join(words), analysis_dir="a", output_path="b", count=1) == words


def test_other_braces_stay_as_they_are():
    assert hook_words("jq '{a: .b}' {other}", analysis_dir="", output_path="", count=1) == ["jq", "{a: .b}", "{other}"]


def test_no_shell_reads_the_command(tmp_path: Path):
    trap = tmp_path / "trap"
    command = f"{shlex.quote(sys.executable)} -c pass {{analysis_dir}} ; touch {shlex.quote(str(trap))} && `touch x`"
    assert run(command, analysis_dir=f"$(touch {trap}); touch {trap}") == 0
    assert not trap.exists()


def test_the_command_gets_its_values(tmp_path: Path):
    saved = tmp_path / "args.json"
    command = shlex.join([sys.executable, "-c", SAVE, str(saved)]) + " {analysis_dir} {output_path} {count}"
    assert run(command, analysis_dir="a b", output_path='"c"', count=3) == 0
    assert saved.read_text() == '["a b", "\\"c\\"", "3"]'


def test_a_failing_hook_is_said_in_the_language_asked_for(capfd: pytest.CaptureFixture[str]):
    run_post_hook("no-such-program-here", analysis_dir="", output_path="", count=1, language="zh")
    assert capfd.readouterr().err == "后置命令：没有程序 no-such-program-here。请安装它，或更正 --post-hook。\n"


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (shlex.join([sys.executable, "-c", "raise SystemExit(3)"]), 3, "ended with code 3"),
        ("no-such-program-here x", 127, "there is no program no-such-program-here"),
        ("/", 126, "/ cannot be run"),
        ("echo 'unclosed", 2, "Mend its quotation marks"),
        ("", 0, ""),
    ],
)
def test_a_failing_hook_is_said_and_raises_nothing(
    command: str, code: int, words: str, capfd: pytest.CaptureFixture[str]
):
    assert run(command) == code
    assert words in capfd.readouterr().err
