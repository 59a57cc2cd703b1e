"""Words for the optimiser: steps, batches, rates, and the loss of a token."""

from __future__ import annotations

from training.recipe.words.said import NONE

_ADAMW = f"{NONE}all stages learn by AdamW, qlora's is paged by qlora.paged"
_RATE = f"{NONE}train.schedule falls to zero at the last step"
_ONE_RATE = f"{NONE}all that learns has train.learning_rate, but lora.plus and ppo's value head"
_TOKEN = f"{NONE}a token's loss is its own log-probability's, with one weight for all"
_FEWER = "train.gradient_checkpointing is off unless it is set, and has no options"
_OFFLOADED = f"{NONE}train.gradient_checkpointing saves that memory"
_NOISE = f"{NONE}no noise is put on embeddings"
_STEPS = "here it is train.steps in all, or train.epochs"
KEYS = {
    **dict.fromkeys(("lr", "learning_rate"), ("train.learning_rate",)),
    **dict.fromkeys(("num_train_epochs", "num_epochs", "epochs"), ("train.epochs",)),
    "max_steps": ("train.steps",),
    **dict.fromkeys(("per_device_train_batch_size", "batch_size", "micro_batch_size"), ("train.batch_rows",)),
    "gradient_accumulation_steps": ("train.accumulate",),
    **dict.fromkeys(("lr_scheduler_type", "lr_scheduler"), ("train.schedule",)),
    "warmup_ratio": ("train.warmup",),
    "weight_decay": ("train.weight_decay",),
    **dict.fromkeys(("max_grad_norm", "clip_grad_norm"), ("train.max_grad_norm",)),
    **dict.fromkeys(
        ("gradient_checkpointing", "use_unsloth_gc", "use_gradient_checkpointing"),
        ("train.gradient_checkpointing",),
    ),
    "enable_activation_checkpointing": ("train.gradient_checkpointing",),
    **dict.fromkeys(("torch_compile", "compile"), ("train.compile",)),
}
OTHERWISE = {
    **dict.fromkeys(
        ("warmup_steps", "num_warmup_steps"),
        "here it is train.warmup, a share of the steps (below 1) in place of their number",
    ),
    "max_steps_per_epoch": _STEPS,
    **dict.fromkeys(("optim", "optimizer", "optimizer_in_bwd"), _ADAMW),
    **dict.fromkeys(("use_muon", "use_adam_mini", "use_galore", "use_apollo", "use_badam"), _ADAMW),
    **dict.fromkeys(
        ("adam_beta1", "adam_beta2", "adam_epsilon", "optim_args", "optim_target_modules"), _ADAMW
    ),
    **dict.fromkeys(("lr_scheduler_kwargs", "lr_quadratic_warmup", "lr_div_factor"), _RATE),
    **dict.fromkeys(("embedding_lr", "embedding_lr_scale", "lr_groups"), _ONE_RATE),
    **dict.fromkeys(("neftune_noise_alpha", "noisy_embedding_alpha"), _NOISE),
    "label_smoothing_factor": f"{NONE}a token's loss is its own log-probability's",
    "label_smoothing": f"{NONE}of preferences it is of the stage dpo",
    **dict.fromkeys(("use_dft_loss", "use_asft_loss", "asft_alpha", "use_eaft_loss", "eaft_alpha"), _TOKEN),
    **dict.fromkeys(
        ("router_aux_loss_coef", "moe_aux_loss_coef"),
        "here it is what the base's config.json says; ppo leaves a mixture's router alone",
    ),
    **dict.fromkeys(
        ("disable_gradient_checkpointing", "use_reentrant_gc", "ac_mode", "ac_option"), f"here {_FEWER}"
    ),
    **dict.fromkeys(("activation_offloading", "enable_activation_offloading"), _OFFLOADED),
    "auto_find_batch_size": f"{NONE}`pointsman check` estimates a run's memory",
}
FAMILIES = {
    **dict.fromkeys(("galore_", "apollo_", "badam_"), _ADAMW),
    "cosine_": _RATE,
    "torch_compile_": "here it is train.compile, without options",
    "gradient_checkpointing_": "here it is train.gradient_checkpointing, without options",
}
