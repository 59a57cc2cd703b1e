"""Norms in one pass: what a GPU computes, by PyTorch's own on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import rms_norm

from tests.training.test_methods import SHAPES, of_shape
from training.models import base as bases
from training.models import one_pass

IDS = torch.arange(10, 34)[None]


def learned(model: Any) -> tuple[Tensor, Tensor]:
    """Logits of one batch, and all gradients end to end."""
    found = model(input_ids=IDS, labels=IDS)
    found.loss.backward()
    weights = (weight for weight in model.parameters() if weight.requires_grad)
    return found.logits.detach(), torch.cat([weight.grad.flatten() for weight in weights])


@pytest.mark.parametrize("shape", SHAPES)
def test_in_one_pass_a_model_says_the_same(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    folder = str(of_shape(tmp_path / shape, base, shape))
    truth = learned(bases.load_model(folder))
    norms = []

    def norm(*given: Any) -> Tensor:
        norms.append(given)
        return whole(*given)

    whole = rms_norm
    monkeypatch.setattr(one_pass, "_on_gpu", lambda hidden: True)
    monkeypatch.setattr(one_pass, "rms_norm", norm)
    logits, gradients = learned(bases.load_model(folder))
    assert torch.allclose(logits, truth[0], atol=1e-5)
    assert torch.allclose(gradients, truth[1], atol=1e-5)
    assert bool(norms) != shape.startswith("gemma")  # whose norm is another


def test_under_autocast_a_norm_gives_the_type_that_comes_in(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_pass, "_on_gpu", lambda hidden: True)
    norm: Any = bases.load_model(str(base)).get_submodule("model.norm").bfloat16()
    hidden = torch.randn(2, 3, norm.weight.numel(), generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        found = norm(hidden.bfloat16())
    assert found.dtype == torch.bfloat16
    whole = hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon)
    assert torch.allclose(found.float(), whole * norm.weight.float(), rtol=0.01, atol=0.01)


def test_on_a_cpu_nothing_changes(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _ = learned(bases.load_model(str(base)))
    monkeypatch.setattr(one_pass, "use", lambda model: None)
    assert torch.equal(ours, learned(bases.load_model(str(base)))[0])
