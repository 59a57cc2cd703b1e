"""What is said of the time that is left: the first step, which warms up, does not count."""

from __future__ import annotations

import time

import pytest

from training.runs import bar


def test_the_first_step_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    said: list[str] = []
    shown = bar.Bar(said.append)
    shown.start(10)
    now += 600.0  # compiling
    shown.move(1)
    shown.say(1, "loss 1", always=True)
    now += 8.0
    shown.move(5)
    shown.say(5, "loss 1", always=True)
    assert said == ["step 1 of 10: loss 1", "step 5 of 10: loss 1, about 10 s left"]
