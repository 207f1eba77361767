"""The rooms: imports point one way, every package is installed, files stay readable."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("flows", "tasks", "schemas")


def test_imports_go_one_way(tmp_path: Path):
    """The import checker follows folders, so it is shown the package as a wheel lays it out."""
    shutil.copytree(ROOT / "datasynth", tmp_path / "datasynth")
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / "datasynth" / room)
    checked = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--config", ROOT / "pyproject.toml", "--no-cache"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 kept, 0 broken" in checked.stdout


def test_every_package_is_listed_for_the_wheel():
    packages = {
        ".".join(("datasynth", *folder.relative_to(ROOT).parts)) if folder.parts else "datasynth"
        for room in ROOMS
        for folder in (p.parent for p in (ROOT / room).rglob("__init__.py"))
    }
    faces = {".".join(p.parent.relative_to(ROOT).parts) for p in (ROOT / "datasynth").rglob("__init__.py")}
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert set(listed) == packages | faces


@pytest.mark.parametrize("path", sorted(p for room in (*ROOMS, "datasynth") for p in (ROOT / room).rglob("*.py")))
def test_no_file_is_longer_than_400_lines(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
