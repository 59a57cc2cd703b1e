"""Weights and activations in 8 bits: how near their vectors are to the model's own, and why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from router.encoding.encoder import Encoder
from router.encoding.rounding import _Linear8, _Seen


def test_vectors_in_8_bits_are_near_those_in_full_precision(encoder: Encoder) -> None:
    lines = Path(__file__).parents[1].joinpath("held_out.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines][:60]
    exact = encoder.embedder.embed(texts)
    found = encoder.encode(texts)[:, : exact.shape[1]]
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(found, axis=1)
    assert (
        (exact * found).sum(axis=1) / lengths
    ).mean() > 0.997  # 0.996 where no bias makes up for what is rounded


def seen(inputs: torch.Tensor | list[list[float]]) -> _Seen:
    """What a layer knows of ``inputs`` ``(N, in)``."""
    found = _Seen()
    found.add(torch.as_tensor(inputs))
    return found


def test_what_rounding_does_to_the_mean_is_taken_off_the_bias() -> None:
    torch.manual_seed(0)
    linear = torch.nn.Linear(16, 4)
    inputs = torch.randn(50, 16) + 3
    rounded = _Linear8(linear, seen(inputs))
    torch.testing.assert_close(rounded(inputs).mean(dim=0), linear(inputs).mean(dim=0), atol=1e-4, rtol=0)


def test_channels_are_divided_where_one_stands_out_and_the_product_stays() -> None:
    linear = torch.nn.Linear(4, 3)
    inputs = torch.tensor([[0.5, -1.0, 1.0, 30.0]])
    alike, apart = _Linear8(linear, seen([[1, 1, 1, 2.9]])), _Linear8(linear, seen(inputs))
    assert alike.factor is None
    assert apart.factor is not None
    torch.testing.assert_close(1 / apart.factor, inputs[0].abs().sqrt())
    for rounded in (alike, apart):
        torch.testing.assert_close(rounded(inputs), linear(inputs), atol=0.1, rtol=0)


def test_no_two_products_leave_16_bits() -> None:
    """Processors without VNNI add the products of inputs 0 and 1, 2 and 3 and so on in 16 bits."""
    linear = torch.nn.Linear(5, 2, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[0.5, 1, -1, -0.97, 0.2], [1, -1, 0.1, 0.3, 1]]))
    rounded = _Linear8(linear, seen([[1.0] * 5]))
    sums = rounded.weights[:4:2].int() + rounded.weights[1:4:2].int()
    assert 255 * int(sums.abs().max()) < 1 << 15
    torch.testing.assert_close(rounded.scale, torch.tensor([1.97, 1.0]) / 127)  # the second has no need
