"""Tests keep their fixtures in whatever order a command names their files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.e2e.demo import ROOT


def test_a_file_named_between_two_of_a_folder_costs_the_second_no_fixture(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.directories import pytest_collect_directory\n")
    (tmp_path / "pytest.ini").touch()
    deep = tmp_path / "deep"
    deep.mkdir()
    (deep / "conftest.py").write_text("import pytest\n@pytest.fixture\ndef given(): return 1\n")
    for path in (deep / "test_a.py", deep / "test_b.py"):
        path.write_text("def test_it(given): assert given\n")
    (tmp_path / "test_c.py").write_text("def test_it(): pass\n")
    order = ["deep/test_a.py", "test_c.py", "deep/test_b.py"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--import-mode=importlib", *order]
    run = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert "3 passed" in run.stdout, run.stdout + run.stderr
