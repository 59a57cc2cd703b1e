"""What the checks must find in planted candidates, each for its own reason; and the good ones pass them."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.proof import planted
from deploy.proof.served import CONFIG
from service.adapters.base import Base, read_base
from service.adapters.checks import check
from service.errors import AdapterRejected
from service.settings import Settings

DEMO = Settings.load(CONFIG)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return read_base(DEMO.engine, tmp_path_factory.mktemp("state"))


@pytest.mark.parametrize("name", planted.CHECKED)
def test_a_bad_candidate_is_refused_for_what_is_wrong_with_it(
    name: str, served: Base, tmp_path: Path
) -> None:
    plant, reason = planted.CHECKED[name]
    plant(tmp_path / "candidate")
    with pytest.raises(AdapterRejected) as refused:
        check(tmp_path, "candidate", served, DEMO.engine.max_lora_rank)
    assert reason in str(refused.value)


@pytest.mark.parametrize("name", ["shaken, 0", "turned, 0", "factors by 0.25", "rank 16"])
def test_a_good_one_passes_the_checks(name: str, served: Base, tmp_path: Path) -> None:
    planted.GOOD[name](tmp_path / "candidate")
    assert check(tmp_path, "candidate", served, DEMO.engine.max_lora_rank).rank in (12, 16)
