"""A run that ends with numbers and has gone astray is warned of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pointsman import artefact
from tests.training.asking import Messages, Online
from tests.training.conftest import Recipe
from training import run
from training.runs import divergence


def told(losses: list[float], eval_loss: float, lengths: list[float] | None = None) -> str | None:
    """The warning of a run of these losses, one a step, and lengths of gradients."""
    lines = [
        {"step": float(step), "loss": loss, "grad_norm": length}
        for step, (loss, length) in enumerate(zip(losses, lengths or [1.0] * len(losses), strict=True), 1)
    ]
    return divergence.warning([*lines, {"step": 9.0, "eval_loss": eval_loss}], eval_loss, 0.5)


def test_a_loss_that_rises_and_stays_is_warned_of() -> None:
    warning = told([2.0, 1.5, 31.0, 6.0], 6.5)
    assert warning is not None
    assert "the loss was 2 at step 1 and 31 at step 3, and on held-out rows it is 6.5" in warning
    assert "lower learning_rate (now 0.5)" in warning
    assert told([2.0, 1.5, 31.0, 1.2], 1.3) is None  # it came back
    assert told([2.0, 1.5, 4.0, 3.0], 3.5) is None
    assert told([0.001, 0.05], 0.05) is None  # of rows that were all but known


@pytest.mark.parametrize(("lengths", "step"), [([1, 0, 1, 0, 0], 4), ([0] * 5, 1), ([1, 1, 1, 1, 0], 5)])
def test_gradients_of_nothing_to_the_end_are_warned_of(lengths: list[float], step: int) -> None:
    warning = told([2.0] * 5, 2.0, lengths)
    assert warning is not None
    assert f"the gradients are 0 from step {step} to the end" in warning
    assert told([2.0] * 5, 2.0, [0, 0, 0, 0, 1]) is None


def test_a_held_out_loss_that_ends_above_where_it_began_is_warned_of() -> None:
    lines = [{"step": 1.0, "loss": 2.0, "grad_norm": 1.0}, {"step": 2.0, "eval_loss": 1.5}]
    warning = divergence.warning(lines, 1.6, 0.5)
    assert warning is not None
    assert "the held-out loss ended above where it began: 1.5 at step 2, 1.6 in the end" in warning
    assert divergence.warning(lines, 1.51, 0.5) is None


def alike(prompts: Sequence[Messages], completions: Sequence[Messages], **_: object) -> list[float]:
    """A rule by which no answer is better than another."""
    return [1.0] * len(prompts)


@pytest.mark.parametrize("kind", ["grpo", "rloo"])
def test_a_policy_that_learns_nothing_is_warned_of(online: Online, tmp_path: Path, kind: str) -> None:
    told: list[str] = []
    same = {"rewards": [{"rule": f"{__name__}:alike"}], "kl_coefficient": 0.0}
    made = run.train(online(kind, **same), runs=tmp_path, report=told.append)
    assert "to the end, so nothing was learned there: either no answer" in told[-1]
    assert told[-1] == f"warning: {artefact.read_manifest(made).warning}"


def test_a_rate_of_a_thousand_is_warned_of_beside_its_result(recipe: Recipe, tmp_path: Path) -> None:
    plan = {"train.steps": 12, "train.log_every": 1, "train.warmup": 0, "train.schedule": "constant"}
    for name, rate, warned in (("fast", 1000, 1), ("slow", 0.01, 0)):
        said: list[str] = []
        path = recipe(name=name, **plan, **{"train.learning_rate": rate})
        made = run.train(path, runs=tmp_path, report=said.append)
        assert sum(line.startswith("warning: ") for line in said) == warned
        kept = artefact.read_manifest(made).warning
        assert (kept is not None) == said[-1].startswith("warning: ") == bool(warned)
