"""The log's file where the disk takes nothing more, and where it does again."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from service.logs import LogFile

FULL = Path("/dev/full")  # Linux's disk that takes nothing
RECORD = logging.makeLogRecord({"msg": "a line"})


def test_lines_that_the_disk_does_not_take_are_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile(FULL)
    for _ in range(3):
        handler.handle(RECORD)
    handler.close()
    assert capsys.readouterr().err == f"{FULL}: lines are lost: No space left on device\n"


def test_lines_are_written_again_once_there_is_room(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log"
    handler = LogFile(path)
    assert handler.stream is not None
    kept, full = os.dup(handler.stream.fileno()), os.open(FULL, os.O_WRONLY)
    os.dup2(full, handler.stream.fileno())
    handler.handle(RECORD)
    assert "are lost" in capsys.readouterr().err
    os.dup2(kept, handler.stream.fileno())
    for _ in range(2):
        handler.handle(RECORD)
    handler.close()
    os.close(kept)
    os.close(full)
    assert path.read_text("utf-8").splitlines()[-2:] == ["a line", "a line"]
    assert capsys.readouterr().err == ""


def test_another_fault_is_told_as_ever(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile(tmp_path / "log")
    handler.handle(logging.makeLogRecord({"msg": "%d", "args": ("no number",)}))
    handler.close()
    assert "TypeError" in capsys.readouterr().err
