"""A file or folder that one process at a time has."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import RunConflict
from training.held import held


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_held_is_refused_to_others_until_it_is_let_go(tmp_path: Path, kind: str) -> None:
    path = tmp_path if kind == "folder" else tmp_path / "lock"
    for _ in range(2):
        with (
            held(path, RunConflict("first")),
            pytest.raises(RunConflict, match="second"),
            held(path, RunConflict("second")),
        ):
            pytest.fail("two have it")
        assert path.exists()


def test_an_error_within_lets_go(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), held(tmp_path / "lock", RunConflict("busy")):
            raise ZeroDivisionError
