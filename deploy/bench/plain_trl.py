"""TRL's SFTTrainer and DPOTrainer as documented, with PEFT's LoRA: what a user would write without us."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from training.recipe import DpoRecipe, SftRecipe


def build(
    recipe: SftRecipe | DpoRecipe, model: Any, tokenizer: Any, rows: Any, folder: Path, *, sequential: bool
) -> Any:
    """The trainer of ``rows``: for sft ``messages``, or ``input_ids`` and ``labels``; for dpo pairs.

    Where TRL's defaults are others than the recipe's settings (gradient checkpointing, bf16, the second beta)
    it is told the recipe's; all else is TRL's.

    Args:
        recipe: of sft with method lora, or of dpo with the loss sigmoid.
        model: the base in float32.
        tokenizer: its tokenizer, with a chat template that marks what the assistant says.
        rows: what is learned.
        folder: for checkpoints; none is written.
        sequential: take the rows as they come, and not shuffled.
    """
    plan, lora = recipe.train, recipe.lora
    assert lora
    common: dict[str, Any] = {
        "output_dir": str(folder),
        "max_steps": plan.steps,
        "per_device_train_batch_size": plan.batch_rows,
        "gradient_accumulation_steps": plan.accumulate,
        "learning_rate": plan.learning_rate,
        "lr_scheduler_type": plan.schedule,
        "warmup_steps": plan.warmup,
        "max_grad_norm": plan.max_grad_norm,
        "adam_beta2": 0.95,
        "bf16": False,
        "use_cpu": not torch.cuda.is_available(),
        "gradient_checkpointing": False,
        "max_length": recipe.data.max_tokens,
        "train_sampling_strategy": "sequential" if sequential else "random",
        "logging_steps": 1,
        "save_strategy": "no",
        "seed": recipe.seed,
        "report_to": [],
        "disable_tqdm": True,
    }
    adapter = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    given = {
        "model": model,
        "train_dataset": rows,
        "processing_class": tokenizer,
        "peft_config": adapter,
    }
    if isinstance(recipe, DpoRecipe):
        return DPOTrainer(args=DPOConfig(**common, beta=recipe.temperature), **given)
    own = "messages" in rows.column_names  # tokens come with their labels
    return SFTTrainer(args=SFTConfig(**common, assistant_only_loss=own), **given)
