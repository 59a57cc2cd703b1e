"""Every method of sft: what learns, what is saved, and that it is what was evaluated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from pointsman import artefact
from tests.training.conftest import Recipe, make_base
from tests.training.test_run import quiet
from training import run
from training.data.preparing import prepare_rows
from training.errors import BaseError
from training.methods import choice, freeze, lora
from training.models import base as bases
from training.recipe import Freeze, Lora, SftRecipe
from training.trainers import trl

METHODS: dict[str, dict[str, Any]] = {
    "lora": {
        "lora": {
            "rank": 4,
            "alpha": 8,
            "rslora": True,
            "plus": 4,
            "targets": ["q_proj", "up_proj"],
            "rank_pattern": {"q_proj": 2},
            "alpha_pattern": {"layers.1.mlp.up_proj": 5},
        }
    },
    "dora": {"lora": {"rank": 4}},
    "pissa": {"lora": {"rank": 4}},
    "qlora": {"lora": {"rank": 4}},
    "full": {},
    "freeze": {"freeze": {"learn_last": 1}},
    "prefix": {"prefix": {"tokens": 3, "hidden_size": 8}},
    "p_tuning": {"p_tuning": {"tokens": 3, "hidden_size": 8, "encoder": "lstm"}},
    "p_tuning_v2": {"p_tuning_v2": {"tokens": 3}},
    "prompt_tuning": {"prompt_tuning": {"tokens": 3, "text": "a"}},
}
SHAPES: dict[str, dict[str, Any]] = {  # two layers of 64
    "llama": {},
    "qwen2": {},
    "qwen3": {"head_dim": 32},
    "mistral": {"sliding_window": 16},
    "gemma": {"head_dim": 16},
    "gemma2": {
        "head_dim": 16,
        "sliding_window": 16,
        "attn_logit_softcapping": 0.05,
        "initializer_range": 0.5,
    },
}


@pytest.mark.parametrize("method", METHODS)
def test_the_artefact_of_each_method_is_what_was_evaluated(
    recipe: Recipe, base: Path, tmp_path: Path, method: str
) -> None:
    options: dict[str, Any] = {"lora": None} | METHODS[method] | {"data.validation_rows": 4}
    made = run.train(recipe(method=method, **options), runs=tmp_path, report=quiet)
    manifest = artefact.read_manifest(made)
    assert manifest.method == method
    plan = SftRecipe.model_validate(manifest.recipe)
    assert held_out_loss(choice.load(plan, made), plan) == pytest.approx(
        manifest.metrics["eval_loss"], abs=2e-5
    )
    alone = held_out_loss(bases.load_model(str(base)), plan)
    assert abs(alone - manifest.metrics["eval_loss"]) > 1e-3  # it does something


def held_out_loss(model: Any, plan: SftRecipe) -> float:
    """Nats per trained token of the validation rows, which make one batch."""
    rows = prepare_rows.prepare(plan, plan.base, quiet).validation
    losses = []
    for start, length in zip(rows.starts, rows.lengths, strict=True):
        ids = torch.tensor(rows.ids[start : start + length], dtype=torch.long)
        learned = torch.tensor(rows.loss_mask[start : start + length])[1:]
        with torch.no_grad():
            logits = model(input_ids=ids[None]).logits[0, -length:][:-1]
        losses += torch.nn.functional.cross_entropy(
            logits[learned], ids[1:][learned], reduction="none"
        ).tolist()
    return float(np.mean(losses))


@pytest.mark.parametrize("shape", SHAPES)
def test_full_lora_and_prefix_learn_on_each_architecture(
    recipe: Recipe, base: Path, tmp_path: Path, shape: str
) -> None:
    folder = of_shape(tmp_path / shape, base, shape)
    for method in ("full", "lora", "prefix"):
        options = {"lora": None} | METHODS[method] | {"train.steps": 2, "train.batch_rows": 2}
        path = recipe(name=method, method=method, base=str(folder), **options, **{"data.validation_rows": 2})
        made = run.train(path, runs=tmp_path, report=quiet)
        manifest = artefact.read_manifest(made)
        plan = SftRecipe.model_validate(manifest.recipe)
        assert held_out_loss(choice.load(plan, made), plan) == pytest.approx(
            manifest.metrics["eval_loss"], abs=2e-5
        )


def of_shape(folder: Path, base: Path, shape: str) -> Path:
    """A base of this architecture with random weights and the tokenizer of ``base``."""
    tokenizer = bases.load_tokenizer(str(base))
    config = AutoConfig.for_model(
        shape,
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=96,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=int(tokenizer.eos_token_id or 0),
        pad_token_id=tokenizer.pad_token_id,
        **SHAPES[shape],
    )
    torch.manual_seed(0)
    folder.mkdir()
    bases.save(AutoModelForCausalLM.from_config(config), tokenizer, folder)
    return folder


def test_freezing_leaves_the_other_weights_as_they_are(base: Path) -> None:
    model = bases.load_model(str(base))
    names = [name for name, _ in model.named_parameters()]

    def learning(plan: Freeze) -> list[str]:
        freeze.apply(model, freeze.chosen(model, plan))
        return [name for name, weight in model.named_parameters() if weight.requires_grad]

    assert learning(Freeze(learn_last=1)) == [name for name in names if ".layers.1." in name]
    assert learning(Freeze(learn_first=1)) == [name for name in names if ".layers.0." in name]
    assert learning(Freeze(learn="norm")) == [name for name in names if "norm" in name]
    with pytest.raises(BaseError, match="freeze leaves no weight of this base to learn"):
        freeze.chosen(model, Freeze(learn="no_such"))


def test_targets_that_the_base_does_not_have_are_refused(base: Path) -> None:
    with pytest.raises(BaseError, match=r"lora\.targets: this base has no linear layer called 'query'"):
        lora.add(bases.load_model(str(base)), Lora(targets=("query",)), 0)


def test_lora_plus_lets_b_learn_faster(base: Path) -> None:
    model = lora.add(bases.load_model(str(base)), Lora(rank=2), 0)
    learning = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    optimiser = torch.optim.SGD(learning.values(), lr=0.5)
    trl.quicken(optimiser, model, 16)
    rates = {id(weight): group["lr"] for group in optimiser.param_groups for weight in group["params"]}
    assert {(".lora_B." in name, rates[id(weight)]) for name, weight in learning.items()} == {
        (False, 0.5),
        (True, 8.0),
    }


def test_an_artefact_of_another_method_is_made_the_same_again(recipe: Recipe, tmp_path: Path) -> None:
    path = recipe(method="full", lora=None, **{"train.steps": 2})
    first = run.train(path, runs=tmp_path / "a", report=quiet)
    second = run.train(path, runs=tmp_path / "b", report=quiet)
    assert artefact.identify_base(first) == artefact.identify_base(second)
    make_base(tmp_path / "other", seed=3)
    third = run.train(path, overrides=[f"base={tmp_path / 'other'}"], runs=tmp_path / "c", report=quiet)
    assert artefact.identify_base(third) != artefact.identify_base(first)
