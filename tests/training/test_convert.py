"""Every method's result becomes what the gateway takes, at an error that is measured and bounded."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pointsman import artefact
from service.adapters import checks
from service.adapters.base import read_base
from service.errors import AdapterRejected
from service.sections import EngineSettings
from tests.training.conftest import SHAPE, Recipe, make_base
from tests.training.rows import CONVERSATIONS
from tests.training.test_methods import METHODS
from tests.training.test_run import quiet
from training import run
from training.convert import Options, convert
from training.convert.fidelity import measure
from training.convert.low_rank import between, of_changes, of_models
from training.data.tokens.token_rows import TokenRows
from training.errors import ConversionError
from training.methods import lora
from training.preflight import check
from training.runs.estimate import Estimate

Ways = dict[str, tuple[Options, float]]
WAYS: Ways = {  # method → how it becomes a LoRA, and the error that is allowed, nats per token
    "pissa": (Options(), 1e-6),  # exact
    "qlora": (Options(), 1e-2),  # as it is, on the base as it was
    "dora": (Options(rank=32), 1e-6),  # exact, as no layer has a higher rank
    "freeze": (Options(rank=32), 1e-3),  # norms are lost
    "prefix": (Options(rank=8, steps=12, learning_rate=0.01), 1.0),
}


def registered(adapters: Path, base: Path, tmp_path: Path) -> checks.Checked:
    """What the gateway's own checks say about the folder ``served``."""
    settings = EngineSettings(model=str(base), model_name="demo")
    return checks.check(adapters, "served", read_base(settings, tmp_path / "state"), 64)


@pytest.mark.parametrize("method", WAYS)
def test_a_result_becomes_a_lora_that_the_gateway_takes(
    recipe: Recipe, base: Path, tmp_path: Path, method: str
) -> None:
    options, allowed = WAYS[method]
    changes: dict[str, Any] = {"lora": None} | METHODS[method] | {"train.batch_rows": 2}
    made = run.train(recipe(method=method, **changes), runs=tmp_path, report=quiet)
    adapters = tmp_path / "adapters"
    shutil.copytree(made, adapters / "served")
    if method == "qlora":
        assert registered(adapters, base, tmp_path).manifest.method == "qlora"
    else:
        with pytest.raises(AdapterRejected, match=rf"method is {method}.*`pointsman convert`"):
            registered(adapters, base, tmp_path)

    shutil.rmtree(adapters / "served")
    found = convert(made, "lora", adapters / "served", options, quiet)
    assert found.kl < allowed
    manifest = registered(adapters, base, tmp_path).manifest
    assert (manifest.method, manifest.converted_from, manifest.base) == (
        "lora",
        method,
        artefact.identify_base(base),
    )
    assert manifest.metrics["convert_kl"] == found.kl
    assert ("convert_weight_error" in manifest.metrics) == (method not in ("prefix", "qlora"))

    if method == "prefix":
        with pytest.raises(ConversionError, match="prefix changes no weight of the base"):
            convert(made, "base", tmp_path / "whole", options, quiet)
        once = Options(rank=1, steps=1, max_kl=1e-9)
        with pytest.raises(ConversionError, match=r"nats per token away from .*, over --max-kl 1e-09"):
            convert(made, "lora", tmp_path / "refused", once, quiet)
        assert not [path for path in tmp_path.iterdir() if path.name.startswith("refused")]
        recipe(CONVERSATIONS[1:], method=method, **changes)  # other rows in the same file
        with pytest.raises(ConversionError, match="holds other rows than"):
            convert(made, "lora", tmp_path / "refused", options, quiet)
    else:
        whole = convert(made, "base", tmp_path / "whole", Options(), quiet)
        assert whole.kl < max(allowed, 1e-4)  # rounded to bfloat16
        assert artefact.read_manifest(tmp_path / "whole").method == "full"


@pytest.mark.parametrize("rank", [20, 40, 64])
def test_pissa_of_a_rank_above_a_layers_width_becomes_an_exact_lora(
    recipe: Recipe, tmp_path: Path, rank: int
) -> None:
    """Queries are 32 wide, keys and values 16: they have no more directions."""
    base = make_base(tmp_path / "grouped", shape=SHAPE.model_copy(update={"kv_heads": 1}))
    path = recipe(method="pissa", base=str(base), lora={"rank": rank}, **{"train.batch_rows": 2})
    expected = check.check(path, [], quiet)
    assert "--to lora` gives a LoRA, exact" in expected.served
    made = run.train(path, runs=tmp_path, report=quiet)
    held = load_file(made / artefact.WEIGHTS)
    assert isinstance(expected.needs, Estimate)
    assert expected.needs.trainable == sum(weight.numel() for weight in held.values())
    assert {weight.shape[0] for name, weight in held.items() if "lora_A" in name} == {16, min(rank, 32)}
    (tmp_path / "adapters").mkdir()
    found = convert(made, "lora", tmp_path / "adapters" / "served", Options(), quiet)
    assert found.kl < 1e-6
    assert registered(tmp_path / "adapters", base, tmp_path).manifest.converted_from == "pissa"


def test_matrices_of_several_ranks_are_written_as_one_adapter(tmp_path: Path) -> None:
    rng = torch.Generator().manual_seed(0)
    found = {
        f"m{rank}": (torch.randn(rank, 5, generator=rng), torch.randn(6, rank, generator=rng))
        for rank in (1, 3)
    }
    lora.write(found, tmp_path, "base")
    read = lora.read(tmp_path)
    for name, (a, b) in found.items():
        assert (read[name][0].shape, read[name][1].shape) == ((3, 5), (6, 3))
        assert torch.allclose(read[name][1] @ read[name][0], b @ a)


def test_the_difference_of_two_updates_keeps_all_of_it_in_twice_the_rank() -> None:
    rng = torch.Generator().manual_seed(0)

    def update() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        return {"m": (torch.randn(2, 7, generator=rng), torch.randn(9, 2, generator=rng))}

    start, end = update(), update()
    change = end["m"][1] @ end["m"][0] - start["m"][1] @ start["m"][0]
    found = between(start, end, None)
    a, b = found.matrices["m"]
    assert (a.shape, b.shape, found.rank) == ((4, 7), (9, 4), 4)
    assert torch.allclose((b @ a).float(), change, atol=1e-5)
    assert found.error < 1e-6


def test_what_a_rank_loses_is_what_the_singular_values_say() -> None:
    change = torch.diag(torch.tensor([3.0, 4.0, 0.0]))
    found = of_changes({"m": change}, rank=1)
    a, b = found.matrices["m"]
    assert torch.allclose((b @ a).float(), torch.diag(torch.tensor([0.0, 4.0, 0.0])), atol=1e-6)
    assert found.error == pytest.approx(3 / 5)  # √(3² / (3² + 4²))
    wide = of_changes({"m": change, "n": torch.ones(1, 5)}, rank=2)
    assert [tuple(a.shape) for a, _ in wide.matrices.values()] == [(2, 3), (1, 5)]  # as wide as the layer
    assert wide.rank == 2


def test_weights_that_are_tied_are_counted_once() -> None:
    class Tied(torch.nn.Module):
        def __init__(self, number: float) -> None:
            super().__init__()
            self.embed_tokens, self.layer = torch.nn.Embedding(5, 3), torch.nn.Linear(3, 3, bias=False)
            self.lm_head = torch.nn.Linear(3, 5, bias=False)
            self.lm_head.weight = self.embed_tokens.weight
            for weight in self.parameters():
                torch.nn.init.constant_(weight, number)

    found = of_models(Tied(0.0), Tied(1.0), rank=1)
    assert found.left_out == 5 * 3
    assert list(found.matrices) == ["layer"]


def test_the_error_is_the_divergence_of_what_is_said_next() -> None:
    """By hand: own (3/4, 1/4), converted (1/2, 1/2): KL = 3/4 ln 3/2 + 1/4 ln 1/2 = 0.1308."""

    class Says(torch.nn.Module):
        def __init__(self, *probabilities: float) -> None:
            super().__init__()
            self.logits = torch.tensor(probabilities).log()

        def forward(self, input_ids: torch.Tensor) -> Any:
            count = input_ids.shape[1] + 5  # five virtual tokens stand before the text
            return type("Out", (), {"logits": self.logits.expand(1, count, -1)})

    mask = np.array([False, True, False, True])
    rows = TokenRows(np.array([1, 0, 1, 0], np.int32), mask, np.array([4]))
    found = measure(Says(0.75, 0.25), Says(0.5, 0.5), rows)
    assert found.tokens == 2
    assert found.kl == pytest.approx(0.1308, abs=1e-4)
    assert (found.own_loss, found.loss) == pytest.approx((0.2877, 0.6931), abs=1e-4)
    assert found.top1 == 1.0
    assert measure(Says(0.75, 0.25), Says(0.25, 0.75), rows).top1 == 0.0


@pytest.mark.parametrize(
    ("changes", "rank", "told"),
    [
        (
            {"method": "pissa", "lora": {"rank": 300}},
            None,
            "twice its rank of 300, which is 600, and vLLM serves ranks up to 512",
        ),
        (
            {"method": "pissa", "lora": {"rank": 4}},
            513,
            "--rank is 513, .*; give --rank 512 or less, or use --to base",
        ),
        ({"method": "prefix", "lora": None}, 10**9, "--rank is 1000000000, .*; give --rank 512 or less$"),
        (
            {"method": "lora", "lora": {"rank": 600}},
            None,
            "as it is, the LoRA's rank is 600, .*; use --to base",
        ),
    ],
)
def test_a_rank_that_nobody_serves_is_refused(
    recipe: Recipe, tmp_path: Path, changes: dict[str, Any], rank: int | None, told: str
) -> None:
    made = run.train(recipe(**changes, **{"train.steps": 1}), runs=tmp_path, report=quiet)
    with pytest.raises(ConversionError, match=told):
        convert(made, "lora", tmp_path / "out", Options(rank=rank), quiet)


def test_what_no_rank_holds_is_said_and_no_higher_one_advised(recipe: Recipe, tmp_path: Path) -> None:
    """Of full the embeddings change, without which the layers' change is another model's."""
    changes: dict[str, Any] = {"method": "full", "lora": None, "train.learning_rate": 0.05}
    made = run.train(recipe(**changes), runs=tmp_path, report=quiet)
    told: list[str] = []
    found = convert(made, "lora", tmp_path / "lora", Options(rank=64), told.append)
    assert found.kl > 0.05
    first, rank, _, last = told[-4:]
    assert re.match(r"warning: [\d,]+ weights outside the linear layers changed too, of embeddings", first)
    assert re.match(r"rank 32: \d\.\d+e(-\d\d|\+00) of the linear layers' change is lost", rank)
    gains_nothing = "a higher --rank gains nothing, as what is lost is the change outside the linear layers"
    assert re.match(rf"warning: the converted model is .* away from .*; {gains_nothing}", last)
    with pytest.raises(ConversionError, match=rf"over --max-kl 0.001; {gains_nothing}: use --to base$"):
        convert(made, "lora", tmp_path / "refused", Options(rank=64, max_kl=0.001), quiet)
    with pytest.raises(ConversionError, match="; use --to base; a higher --rank keeps more of the linear"):
        convert(made, "lora", tmp_path / "refused", Options(rank=1, max_kl=0.001), quiet)
