"""A folder that appears whole or not at all, and that one process at a time makes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.errors import ConversionError
from training.held import held


@contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """An empty folder beside ``out``, which becomes ``out`` at the end; removed where something is raised.

    What a killed process has left of one is removed first.

    Raises:
        ConversionError: ``out`` exists, or another process is making it.
    """
    _refuse(out)
    growing = out.with_name(out.name + ".growing")
    growing.mkdir(parents=True, exist_ok=True)
    busy = ConversionError(
        f"{out}: another process is converting to it; wait for it, or choose another folder"
    )
    with held(growing, busy):  # the lock is the folder's own and goes with it
        _refuse(out)  # the other may have ended in between, and the lock is its folder's then
        for left in growing.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield growing
            growing.rename(out)
        except BaseException:
            shutil.rmtree(growing, ignore_errors=True)
            raise


def _refuse(out: Path) -> None:
    if out.exists():
        raise ConversionError(f"{out} exists; choose another folder, or remove it")
