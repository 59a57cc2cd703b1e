"""A run takes the steps that TRL's own trainer takes, called directly as its documentation shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from trl import DPOConfig, DPOTrainer

from tests.training.conftest import Recipe
from tests.training.preferences import PAIRS, loaded
from tests.training.test_run import metrics, quiet
from training import run
from training.data.preparing import prepare_pairs
from training.methods import lora
from training.models import base as bases
from training.recipe import DpoRecipe

STEPS = 4


def held_out(recipe: DpoRecipe, tokenizer: Any) -> str:
    """What is said in the one pair that a run does not learn."""
    return str(tokenizer.decode(prepare_pairs.pairs(recipe, recipe.base, quiet).validation.chosen.ids))


def asked(tokenizer: Any, question: str) -> str:
    """The question as text; of messages TRL also learns what the template puts behind the end of turn."""
    messages = [{"role": "user", "content": question}]
    return str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def test_dpo(recipe: Recipe, base: Path, tmp_path: Path) -> None:
    """Every step is on all pairs, so that nothing depends on their order."""
    changes = {
        "train.steps": STEPS,
        "train.batch_rows": 29,
        "train.log_every": 1,
        "train.learning_rate": 0.003,
        "data.validation_rows": 1,
    }
    path = recipe(PAIRS, form="pairs", stage="dpo", **changes)
    run.train(path, runs=tmp_path, report=quiet)
    ours = [line for line in metrics(tmp_path / "tiny") if "loss" in line]

    plan = loaded(path)
    assert isinstance(plan, DpoRecipe)
    tokenizer: Any = bases.load_tokenizer(str(base))
    unlearned = held_out(plan, tokenizer)
    pairs = [pair for pair in PAIRS if pair["chosen"] + tokenizer.eos_token not in unlearned]
    assert len(pairs) == 29
    trainer = DPOTrainer(
        model=lora.add(bases.load_model(str(base)), plan.lora, plan.seed),
        args=DPOConfig(
            output_dir=str(tmp_path / "trl"),
            max_steps=STEPS,
            per_device_train_batch_size=29,
            learning_rate=plan.train.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=plan.train.warmup,
            adam_beta2=0.95,
            beta=0.1,
            bf16=False,
            use_cpu=True,
            gradient_checkpointing=False,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list(
            [pair | {"prompt": asked(tokenizer, pair["prompt"])} for pair in pairs]
        ),
        processing_class=tokenizer,
    )
    trainer.train()
    theirs = [line for line in trainer.state.log_history if "loss" in line]
    for name, other in (("loss", "loss"), ("margin", "rewards/margins"), ("grad_norm", "grad_norm")):
        assert [line[name] for line in ours] == pytest.approx([line[other] for line in theirs], abs=1e-3)
    assert ours[-1]["loss"] < ours[0]["loss"] - 0.002
