"""Every stage that trains an adapter holds what stands under it in bfloat16, and learns the same so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pointsman import artefact
from tests.training.asking import Online
from tests.training.conftest import Recipe
from tests.training.continued import Continued
from tests.training.preferences import LABELS, PAIRS
from tests.training.test_run import metrics, quiet
from training import run
from training.methods import under

LORA: dict[str, Any] = {"method": "lora", "lora": {"rank": 4}}
STAGES: dict[str, dict[str, Any]] = {
    "cpt": LORA | {"alias": "tiny"},
    "cpt to a base": LORA,
    "dpo": {},
    "dpo from an adapter": {},
    "kto": {"loss": "kto"},
    "simpo": {"loss": "simpo"},
    "rm": {},
    "ppo": {},
    "ppo from an adapter": {},
    "grpo": {},
    "grpo from an adapter": {},
    "rloo": {},
}


@pytest.fixture
def written(recipe: Recipe, continued: Continued, online: Online, tmp_path: Path) -> Callable[..., Path]:
    """``written("dpo", "bf16")`` writes that stage's recipe of that precision and gives its path."""

    def write(kind: str, precision: str) -> Path:
        changes = STAGES[kind] | {"train.precision": precision, "name": precision}
        if kind.endswith("adapter"):
            changes["init_adapter"] = str(_adapter(kind, recipe, online, tmp_path))
        stage = kind.split(maxsplit=1)[0]
        if stage == "cpt":
            return continued(**changes)
        if stage in ("ppo", "grpo", "rloo"):
            return online(stage, **changes)
        if stage == "rm":
            return recipe(PAIRS, form="pairs", stage="rm", **changes)
        rows, form = (LABELS, "labels") if stage == "kto" else (PAIRS, "pairs")
        return recipe(rows, form=form, stage="dpo", **changes)

    return write


def _adapter(kind: str, recipe: Recipe, online: Online, tmp_path: Path) -> Path:
    """What the stage goes on from."""
    if kind.startswith("dpo"):
        first = recipe(PAIRS, form="pairs", stage="dpo", name="first")
    else:
        first = online("ppo", name="first", **{"train.steps": 2, "train.learning_rate": 0.03})
    return run.train(first, runs=tmp_path, report=quiet)


@pytest.mark.parametrize("kind", STAGES)
def test_each_stage_learns_the_same_in_bfloat16(
    written: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    types: list[dict[bool, torch.dtype]] = []

    def watched(model: Any, *, bf16: bool) -> Any:
        held = hold(model, bf16=bf16)
        types.append({weight.requires_grad: weight.dtype for weight in held.parameters()})
        return held

    hold = under.hold
    monkeypatch.setattr(under, "hold", watched)
    found = {}
    for precision in ("fp32", "bf16"):
        made = run.train(written(kind, precision), runs=tmp_path, report=quiet)
        found[precision] = artefact.read_manifest(made).metrics, metrics(tmp_path / precision)
    assert types[-1] == {True: torch.float32, False: torch.bfloat16}
    assert {True: torch.float32, False: torch.float32} in types
    (plain, _), (narrow, lines) = found["fp32"], found["bf16"]
    for name in {"eval_loss", "eval_reward", "eval_kl"} & plain.keys():
        assert narrow[name] == pytest.approx(plain[name], abs=0.01)
    # A reference says what the policy does, to the bit, until that has learned something.
    assert lines[0].get("eval_kl", 0) == pytest.approx(0, abs=1e-6)
