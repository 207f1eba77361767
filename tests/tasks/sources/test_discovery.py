"""Which folders are finished analyses."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import s3fs

from datasynth.schemas.errors import InputError
from datasynth.tasks.rounds.runs import RUN_ID
from datasynth.tasks.sources.discovery import Analysis, Unfinished, analyses_below, analysis_at
from datasynth.tasks.sources.recipes import SAMPLES, SCHEMA

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def root(tmp_path: Path, examples: Path) -> Path:
    """Two analyses, at different depths, and something else."""
    shutil.copytree(examples / "support_zh", tmp_path / "root" / "support_zh")
    shutil.copytree(examples / "preference_en", tmp_path / "root" / "team" / "project" / "preference_en")
    (tmp_path / "root" / "notes").mkdir()
    (tmp_path / "root" / "readme.txt").write_text("no analysis")
    return tmp_path / "root"


def names(root: Path | str, before: datetime = LATER) -> list[str]:
    return [one.name for one in analyses_below(str(root), settled_before=before) if isinstance(one, Analysis)]


def left_out(root: Path, before: datetime = LATER) -> list[str]:
    return [str(one.reason) for one in analyses_below(str(root), settled_before=before) if isinstance(one, Unfinished)]


def test_analyses_are_found_some_folders_down_in_the_order_of_their_paths(root: Path) -> None:
    assert names(root) == ["support_zh", "preference_en"]


def test_an_analysis_given_as_the_root_is_found(root: Path) -> None:
    assert names(root / "support_zh") == ["support_zh"]


def test_a_root_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        names(tmp_path / "none")


def test_an_analysis_without_samples_is_left_out_with_the_reason(root: Path) -> None:
    (root / "support_zh" / SAMPLES).unlink()
    assert names(root) == ["preference_en"]
    (reason,) = left_out(root)
    assert SAMPLES in reason


def test_an_analysis_with_half_written_samples_is_left_out_and_the_others_are_found(root: Path) -> None:
    samples = root / "support_zh" / SAMPLES
    samples.write_bytes(samples.read_bytes()[:-50])
    assert names(root) == ["preference_en"]
    assert len(left_out(root)) == 1


def test_an_analysis_that_is_still_written_to_waits_for_the_next_scan(root: Path) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    for file in root.rglob("*.*"):
        os.utime(file, (0, 0))
    (root / "support_zh" / SCHEMA).touch()
    assert names(root, hour_ago) == ["preference_en"]
    assert len(left_out(root, hour_ago)) == 1


def test_a_changed_seed_is_another_analysis_and_a_moved_folder_is_the_same(root: Path, tmp_path: Path) -> None:
    folder = root / "support_zh"
    first = analysis_at(str(folder))
    moved = shutil.copytree(folder, tmp_path / "elsewhere" / "support_zh")
    samples = folder / SAMPLES
    samples.write_text(samples.read_text(encoding="utf-8").replace("。", "！", 1), encoding="utf-8")
    assert analysis_at(str(moved)).fingerprint == first.fingerprint
    assert analysis_at(str(folder)).fingerprint != first.fingerprint


def test_an_analysis_is_announced_with_its_absolute_address(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    told = analysis_at("support_zh").completed()
    assert told.event == "datarecipe.analysis.completed"
    assert told.payload["analysis_dir"] == str(root / "support_zh")
    assert RUN_ID.fullmatch(told.payload["run_id"])


def test_analyses_on_s3_are_found(root: Path, at_s3: Callable[..., None]) -> None:
    at_s3()
    # Through the server, which would not see at once what appears in its folders.
    s3fs.S3FileSystem(skip_instance_cache=True).put(f"{root}/", "bucket/discovered/", recursive=True)
    found = list(analyses_below("s3://bucket/discovered", settled_before=LATER))
    assert [one.url for one in found] == [
        "s3://bucket/discovered/support_zh",
        "s3://bucket/discovered/team/project/preference_en",
    ]
