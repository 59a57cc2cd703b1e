"""An adapter beside its base on the same questions: what is compared, and by which numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy.demo import preference_eval
from deploy.demo.preference_eval import Spoken, compared
from tests.training.rows import ROOT
from training.models.reward_model import RewardModel

DEMO = ROOT / "deploy" / "demo"


class Shortest:
    """A judge that likes short answers."""

    def score(self, conversations: Sequence[Sequence[dict[str, Any]]]) -> NDArray[np.float64]:
        return np.array([-float(len(said[-1]["content"])) for said in conversations])


def test_the_gain_is_taken_case_by_case() -> None:
    """Gains 1, 0, -1 and 4: their mean is 1, their deviation √(14 / 3), and a tie is half a win."""
    base = Spoken(np.array([0.0, 1.0, 2.0, 3.0]), np.array([True, False, False, False]), 10.0)
    adapted = Spoken(np.array([1.0, 1.0, 1.0, 7.0]), np.array([True, True, False, False]), 12.0)
    found = compared("dpo", 1.0, adapted, base, 0.02)
    assert found.gain == pytest.approx(1.0)
    assert found.gain_error == pytest.approx((14 / 3) ** 0.5 / 2)
    assert found.wins == pytest.approx((2 + 0.5) / 4)
    assert (found.reward, found.right, found.right_of_base) == pytest.approx((2.5, 0.5, 0.25))
    assert (found.tokens, found.forgotten) == (12.0, 0.02)


def test_an_adapter_that_learned_another_task_is_found_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The adapter for orders, on three tokens of each answer."""
    monkeypatch.setattr(RewardModel, "load", lambda folder: Shortest())
    monkeypatch.setattr(preference_eval, "NEW_TOKENS", 3)
    (found,) = preference_eval.evaluate(
        str(DEMO / "base"), Path("none"), [DEMO / "adapters" / "extract"], [0.0], count=1, seed=3
    )
    assert (found.model, found.temperature) == ("extract", 0.0)
    assert 0 < found.tokens <= 3
    assert found.right == found.right_of_base == 0.0  # none has ended by then
    assert found.forgotten > 0  # the other tasks' rows
    assert "extract" in capsys.readouterr().out
