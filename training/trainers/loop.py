"""What the trainers of all stages are told, and how their steps are taken and counted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerState

from training.models import precision
from training.recipe import Optimisation
from training.runs import processes


def settings(plan: Optimisation, *, seed: int, checkpoints: Path) -> dict[str, Any]:
    """What TRL's configurations of all stages have in common, by their own names."""
    gpu = torch.cuda.is_available()
    return {
        "output_dir": str(checkpoints),
        "num_train_epochs": plan.epochs,
        "max_steps": plan.steps or -1,
        "per_device_train_batch_size": plan.batch_rows,
        "per_device_eval_batch_size": plan.batch_rows,
        "gradient_accumulation_steps": processes.share(plan.accumulate),
        "learning_rate": plan.learning_rate,
        "lr_scheduler_type": plan.schedule,
        "warmup_steps": plan.warmup,
        "weight_decay": plan.weight_decay,
        "max_grad_norm": plan.max_grad_norm,
        "adam_beta2": 0.95,  # GPT-3's and Llama's: follows the gradients' size faster than Adam's 0.999
        "optim": "adamw_torch_fused" if gpu else "adamw_torch",
        "bf16": precision.is_bf16(plan.precision),
        "use_cpu": not gpu,
        "torch_compile": plan.compile,
        "gradient_checkpointing": False,  # the model does it itself: models.recomputing
        "logging_steps": plan.log_every,
        "logging_nan_inf_filter": False,  # a NaN must be seen, not averaged away
        "eval_strategy": "steps" if plan.evaluate_every else "no",
        "eval_steps": plan.evaluate_every,
        "save_strategy": "steps",
        "save_steps": plan.save_every,
        "save_total_limit": 2,  # the last, and the one before it while the last is being written
        "ddp_find_unused_parameters": False,
        "dataloader_num_workers": 2 if gpu else 0,
        "dataloader_pin_memory": gpu,
        "seed": seed,
        "report_to": [],
        "disable_tqdm": True,
    }


def train(trainer: Any, checkpoint: Path | None) -> None:
    """Take all steps, or those that are left after ``checkpoint``."""
    if checkpoint is None:
        trainer.train()
    elif int(checkpoint.name.rpartition("-")[2]) < steps(trainer):
        trainer.train(resume_from_checkpoint=str(checkpoint))
    else:  # the library would take one step more
        trainer._load_from_checkpoint(str(checkpoint))
        trainer.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))


def steps(trainer: Any) -> int:
    """The steps that ``trainer.train()`` will take in all."""
    if trainer.args.max_steps > 0:
        return int(trainer.args.max_steps)
    batches, of_step = _batches(trainer)
    epochs: float = trainer.args.num_train_epochs
    return math.ceil(max(1, -(-batches // of_step)) * epochs)


def epoch(trainer: Any, step: int) -> float:
    """How often the rows have been seen after ``step``, by the batches that all processes had."""
    batches, of_step = _batches(trainer)
    whole, more = divmod(step, max(1, -(-batches // of_step)))
    return whole + more * of_step / batches


def _batches(trainer: Any) -> tuple[int, int]:
    """Batches of an epoch, and of a step that is none's last."""
    batches: int = -(-len(trainer.train_dataset) // trainer.args.train_batch_size)
    return batches, trainer.args.gradient_accumulation_steps * processes.count()
