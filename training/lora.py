"""LoRA adapters through PEFT: put on a base, continued, and saved as an artefact's two files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman import artefact
from training.base import rewrite_json
from training.errors import BaseError
from training.recipe import Lora

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


def add(model: PreTrainedModel, plan: Lora, seed: int) -> PeftModel:
    """A fresh adapter of this shape on every linear layer of ``model``."""
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    set_seed(seed)
    config = LoraConfig(
        r=plan.rank,
        lora_alpha=plan.alpha,
        lora_dropout=plan.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def resume(model: PreTrainedModel, folder: Path, plan: Lora) -> PeftModel:
    """The adapter in ``folder`` on ``model``, to be trained on.

    Raises:
        BaseError: it is no adapter of this base, or of another shape than the recipe's.
    """
    from peft import PeftModel

    try:
        adapted = PeftModel.from_pretrained(model, str(folder), is_trainable=True)
    except (OSError, ValueError, RuntimeError) as exc:
        raise BaseError(
            f"init_adapter {folder} can't be put on this base: {str(exc).splitlines()[0]}"
        ) from exc
    found = adapted.peft_config["default"]
    if (found.r, found.lora_alpha) != (plan.rank, plan.alpha):
        raise BaseError(
            f"init_adapter {folder} has rank {found.r} and alpha {found.lora_alpha}, the recipe rank "
            f"{plan.rank} and alpha {plan.alpha}; set lora to the adapter's, or leave init_adapter out"
        )
    return adapted


def save(model: Any, folder: Path, base: str) -> None:
    """Write the adapter's weights (bfloat16) and config to ``folder``; same adapter, same bytes."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    state = get_peft_model_state_dict(model)
    weights = {name: state[name].detach().to("cpu", torch.bfloat16).contiguous() for name in sorted(state)}
    save_file(weights, folder / artefact.WEIGHTS, metadata={"format": "pt"})
    (folder / artefact.WEIGHTS).chmod(0o644)
    config = model.peft_config["default"]
    config.save_pretrained(str(folder))
    # PEFT writes a set of layer names in any order and the path that this machine loaded the base from.
    rewrite_json(
        folder / artefact.CONFIG,
        {
            "target_modules": sorted(config.target_modules),
            "base_model_name_or_path": base,
            "inference_mode": True,
        },
    )
