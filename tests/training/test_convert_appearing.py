"""Two conversions into one folder at once, and what one that was killed has left."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.convert.appearing import appearing
from training.errors import ConversionError


def test_one_process_at_a_time_makes_a_folder(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with appearing(out) as growing:
        (growing / "weights").write_text("mine", encoding="utf-8")
        with pytest.raises(ConversionError, match="another process is converting to it"), appearing(out):
            pass
        assert not out.exists()
    assert [file.read_text(encoding="utf-8") for file in out.iterdir()] == ["mine"]
    with pytest.raises(ConversionError, match="out exists; choose another folder"), appearing(out):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_was_left_is_removed_and_so_is_what_fails(tmp_path: Path) -> None:
    left = tmp_path / "out.growing"
    (left / "folder").mkdir(parents=True)
    (left / "weights").touch()
    found: list[Path] = []

    def failing(growing: Path) -> None:
        found.extend(growing.iterdir())
        raise KeyError

    with pytest.raises(KeyError), appearing(tmp_path / "out") as growing:
        failing(growing)
    assert not found
    assert not list(tmp_path.iterdir())
