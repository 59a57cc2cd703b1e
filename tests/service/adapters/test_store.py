"""Copies of artefacts: hashed again whenever a file of theirs was touched, and only then."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pointsman.artefact import WEIGHTS, version_of
from service.adapters import store as module
from service.adapters.store import Store
from service.errors import AdapterRejected
from tests.service.adapters.artefacts import write_adapter, write_base


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders whose bytes were read."""
    found: list[Path] = []

    def counted(folder: Path) -> str:
        found.append(folder)
        return version_of(folder)

    monkeypatch.setattr(module, "version_of", counted)
    return found


def test_what_was_not_touched_is_not_read_again(tmp_path: Path, hashed: list[Path]) -> None:
    write_adapter(tmp_path / "a", write_base(tmp_path / "base"), seed=1)
    version = version_of(tmp_path / "a")
    store = Store(tmp_path / "store")
    store.add("a@1", version, tmp_path / "a")
    hashed.clear()
    path = store.verified("a@1", version)
    store.add("a@1", version, tmp_path / "a")
    assert not hashed

    weights = path / WEIGHTS
    times = weights.stat()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))  # the time of change can't be set
    with pytest.raises(AdapterRejected, match="were changed"):
        store.verified("a@1", version)

    shutil.copyfile(tmp_path / "a" / WEIGHTS, weights)
    assert store.verified("a@1", version) == path
    assert Store(tmp_path / "store").verified("a@1", version) == path  # another process knows nothing
    assert hashed == [path] * 3
