"""The memory that was estimated is the memory that a run takes, by PyTorch's own count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import SHAPE, Recipe, make_base
from tests.training.memory import peak
from tests.training.preferences import pair
from tests.training.rows import said
from tests.training.test_run import quiet
from training import run
from training.preflight import check
from training.runs.estimate import Estimate
from training.trainers import loop

Watched = Callable[..., tuple[Estimate, int]]
QUESTION, SHORT, LONG = "Where? " * 20, "red " * 40, "red " * 60
PAIRS = [pair(QUESTION, SHORT, LONG)] * 12
LABELS = [{"prompt": QUESTION, "completion": (SHORT, LONG)[i % 2], "label": bool(i % 2)} for i in range(12)]
ROWS = {"sft": ([said(QUESTION, LONG)] * 12, "messages"), "kto": (LABELS, "labels")}


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base whose layers hold more than its logits."""
    shape = SHAPE.model_copy(update={"layers": 8, "hidden_size": 64, "intermediate_size": 192})
    return make_base(tmp_path_factory.mktemp("deep") / "base", shape=shape)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base beside whose layers an adapter of high rank is not small."""
    shape = SHAPE.model_copy(update={"layers": 4, "heads": 4, "kv_heads": 4, "hidden_size": 256})
    shape = shape.model_copy(update={"intermediate_size": 704})
    return make_base(tmp_path_factory.mktemp("wide") / "base", shape=shape)


@pytest.fixture
def watched(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """``watched("simpo", base)``: what two steps were estimated to take, and took beside the weights."""

    def watch(kind: str, base: Path, **changes: Any) -> tuple[Estimate, int]:
        rows, form = ROWS.get(kind, (PAIRS, "pairs"))
        stage = {"stage": "sft"} if kind == "sft" else {"stage": "dpo", "loss": kind}
        size = {"train.steps": 2, "train.batch_rows": 2}
        path = recipe(rows, form=form, base=str(base), **stage, **size | changes)
        peaks: list[int] = []
        learn = loop.train
        monkeypatch.setattr(loop, "train", lambda *given: peaks.append(peak(lambda: learn(*given))))
        told: list[str] = []
        run.train(path, runs=tmp_path, report=told.append)
        expected = check.check(path, [], quiet).needs
        assert isinstance(expected, Estimate)
        assert f"tiny: {expected}" in told
        return expected, peaks[0]

    return watch


@pytest.mark.parametrize(
    ("kind", "precision"),
    [
        ("sft", "fp32"),
        ("sigmoid", "fp32"),
        ("kto", "fp32"),
        ("orpo", "fp32"),
        ("simpo", "fp32"),
        ("sigmoid", "bf16"),
        ("simpo", "bf16"),
    ],
)
def test_an_adapters_run_takes_the_memory_that_was_estimated(
    watched: Watched, deep: Path, kind: str, precision: str
) -> None:
    """What is too much is the batch's length, which is filled up on a GPU alone, and kto's mask."""
    expected, taken = watched(kind, deep, **{"train.precision": precision})
    assert 0.97 < (expected.memory - expected.weights) / taken < (1.07 if kind == "kto" else 1.06)


@pytest.mark.parametrize(
    ("lora", "more"),
    [
        ({"rank": 128}, {}),
        ({"rank": 128}, {"train.precision": "bf16"}),
        ({"rank": 4, "dropout": 0.1}, {}),
        ({"rank": 64, "dropout": 0.1}, {"train.precision": "bf16"}),
        ({"rank": 4}, {"method": "dora"}),
        ({"rank": 64}, {"method": "dora", "train.precision": "bf16"}),
        ({"rank": 64, "dropout": 0.1}, {"method": "dora"}),
        ({"rank": 64}, {"method": "qlora"}),
        ({"rank": 64, "dropout": 0.1}, {"train.gradient_checkpointing": True}),
    ],
)
def test_what_the_adapter_keeps_is_in_it(
    watched: Watched, wide: Path, lora: dict[str, Any], more: dict[str, Any]
) -> None:
    expected, taken = watched("sft", wide, lora=lora, **more)
    assert 0.99 < (expected.memory - expected.weights) / taken < 1.04


@pytest.mark.parametrize(("kind", "precision"), [("sigmoid", "fp32"), ("simpo", "fp32"), ("sigmoid", "bf16")])
def test_so_does_an_adapters_on_4_bits(watched: Watched, deep: Path, kind: str, precision: str) -> None:
    expected, taken = watched(kind, deep, method="qlora", **{"train.precision": precision})
    assert 0.97 < (expected.memory - expected.weights) / taken < 1.06


@pytest.mark.parametrize("kind", ["sigmoid", "simpo"])
def test_so_does_one_that_computes_its_layers_again(watched: Watched, deep: Path, kind: str) -> None:
    expected, taken = watched(kind, deep, **{"train.gradient_checkpointing": True})
    assert 0.95 < (expected.memory - expected.weights) / taken < 1.1


@pytest.mark.parametrize(("precision", "batches"), [("fp32", 1), ("fp32", 2), ("bf16", 1)])
def test_so_does_one_of_all_weights(watched: Watched, tmp_path: Path, precision: str, batches: int) -> None:
    """Its gradients are there beside all activations from a step's second batch on."""
    shape = SHAPE.model_copy(update={"layers": 4, "hidden_size": 256, "intermediate_size": 704})
    base = make_base(tmp_path / "base", shape=shape)
    more = {"train.accumulate": batches, "train.precision": precision, "train.batch_rows": 1}
    expected, taken = watched("sft", base, method="full", lora=None, **more)
    assert expected.gradients > 0.1 * taken
    assert 0.97 < (expected.memory - expected.weights) / taken < 1.06
