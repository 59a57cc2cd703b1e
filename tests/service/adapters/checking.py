"""What tests of the checks share."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.adapters.base import Base
from service.adapters.checks import check
from service.errors import AdapterRejected


def problems(root: Path, base: Base, folder: str = "support", max_rank: int = 16) -> list[str]:
    """What ``check`` says of the artefact in ``root/folder``, which it must refuse."""
    with pytest.raises(AdapterRejected) as refused:
        check(root, folder, base, max_rank)
    assert str(root) not in str(refused.value)  # no place on this machine reaches a client
    return refused.value.problems
