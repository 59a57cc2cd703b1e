"""Every stage that trains an adapter holds what stands under it in bfloat16, and learns the same so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pointsman import artefact
from tests.training.stages import STAGES, Written
from tests.training.test_run import metrics, quiet
from training import run
from training.methods import under


@pytest.mark.parametrize("kind", STAGES)
def test_each_stage_learns_the_same_in_bfloat16(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
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
        made = run.train(
            written(kind, precision, **{"train.precision": precision}), runs=tmp_path, report=quiet
        )
        found[precision] = artefact.read_manifest(made).metrics, metrics(tmp_path / precision)
    assert types[-1] == {True: torch.float32, False: torch.bfloat16}
    assert {True: torch.float32, False: torch.float32} in types
    (plain, _), (narrow, lines) = found["fp32"], found["bf16"]
    for name in {"eval_loss", "eval_reward", "eval_kl"} & plain.keys():
        assert narrow[name] == pytest.approx(plain[name], abs=0.01)
    # A reference says what the policy does, to the bit, until that has learned something.
    assert lines[0].get("eval_kl", 0) == pytest.approx(0, abs=1e-6)
