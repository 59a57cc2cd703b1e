"""A folder of tests is one node, however often it is collected.

pytest 9.1 collects the folder of each file that a command names anew. The folders beside that file get new
nodes, and the fixtures of their conftest.py stay with the old ones (pytest #14964, mended in pytest 9.2).
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

_NODES = pytest.StashKey[dict[Path, pytest.Collector | None]]()


@pytest.hookimpl(wrapper=True)
def pytest_collect_directory(
    path: Path, parent: pytest.Collector
) -> Generator[None, pytest.Collector | None, pytest.Collector | None]:
    """The node that ``path`` was given first under ``parent``."""
    made = yield
    return parent.stash.setdefault(_NODES, {}).setdefault(path, made)
