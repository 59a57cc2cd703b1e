"""How fast a run of grpo says that it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.training.asking import Online
from tests.training.test_run import metrics, quiet
from training import run
from training.grpo import pace
from training.grpo.pace import Pace


def test_seconds_are_of_a_round_and_tokens_of_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of 10 s and 5 s, whose one round took 4 s and gave 60 tokens; 60 / 15 = 4."""
    clock = iter([100.0, 101.0, 105.0, 110.0, 120.0, 125.0, 130.0, 131.0])
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    own = Pace()
    own.begin()
    with own.sampled():
        own.tokens += 60
    own.end()
    own.begin()
    own.end()
    assert own.line() == {"sampling_seconds": 4.0, "tokens_per_second": 4.0}
    own.begin()
    own.end()
    assert own.line() == {}  # a step on answers of before


@pytest.mark.parametrize("kind", ["grpo", "rloo"])
def test_steps_that_sample_say_how_fast(online: Online, tmp_path: Path, kind: str) -> None:
    plan = {"iterations": 2, "train.steps": 4, "sampling.max_new_tokens": 4, "data.validation_rows": 2}
    made = run.train(online(kind, **plan), runs=tmp_path, report=quiet)
    lines = [line for line in metrics(made.parent) if "loss" in line]
    assert [line["step"] for line in lines if "reward" in line] == [1, 3]
    assert all(("reward" in line) == (line.get("sampling_seconds", 0) > 0) for line in lines)
    assert all(("reward" in line) == (line.get("tokens_per_second", 0) > 0) for line in lines)
