"""LoRA adapters through PEFT: put on a base, continued, and saved as an artefact's two files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman import artefact
from training.base import rewrite_json
from training.errors import BaseError
from training.recipe import Lora

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


REFERENCE = "ref"  # TRL's name for the adapter that training began with


def add(model: PreTrainedModel, plan: Lora, seed: int) -> PeftModel:
    """A fresh adapter of this shape on every linear layer of ``model``."""
    return _add(model, plan, seed, task_type="CAUSAL_LM")


def add_scoring(model: PreTrainedModel, plan: Lora, seed: int) -> PeftModel:
    """A fresh adapter on every linear layer of a scoring ``model``, whose head learns as a whole."""
    return _add(model, plan, seed, task_type="SEQ_CLS", modules_to_save=["score"])


def _add(model: PreTrainedModel, plan: Lora, seed: int, **task: Any) -> PeftModel:
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    set_seed(seed)
    config = LoraConfig(
        r=plan.rank,
        lora_alpha=plan.alpha,
        lora_dropout=plan.dropout,
        target_modules="all-linear",
        **task,
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


def settle(model: Any) -> None:
    """Merge the adapter, if ``model`` has one, into its base, and round all to bfloat16, in place."""
    import torch
    from peft import PeftModel

    if isinstance(model, PeftModel):
        model.merge_adapter()
    for parameter in model.parameters():
        parameter.data = parameter.data.to(torch.bfloat16).to(parameter.dtype)


def unwrapped(model: Any) -> Any:
    """The base of a ``model`` that has an adapter, with what was merged into it; any other as it is."""
    from peft import PeftModel

    return model.unload() if isinstance(model, PeftModel) else model


@contextmanager
def reference(model: Any) -> Iterator[None]:
    """``model`` as it was when training began: with its reference adapter, or with none."""
    if REFERENCE not in model.peft_config:
        with model.disable_adapter():
            yield
        return
    model.set_adapter(REFERENCE)
    try:
        yield
    finally:
        model.set_adapter("default")


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
