"""Prefix, P-tuning and prompt tuning through PEFT: learned vectors before the text, on a base that stands.

Where a small network makes the vectors, it learns; what is evaluated and saved is what it made in the end.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman import artefact
from training.recipe.methods import Prefix, PromptTuning, PTuning, PTuningV2

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

CHECKPOINT = "prompt_encoder.safetensors"  # PEFT's checkpoints hold the vectors, not the network
_VECTORS = "prompt_embeddings"  # as PEFT calls them in the file
Plan = Prefix | PTuning | PTuningV2 | PromptTuning


def add(model: PreTrainedModel, plan: Plan, seed: int, tokenizer: str) -> PeftModel:
    """Fresh virtual tokens before the text of ``model``, whose ``tokenizer`` (folder) reads first words."""
    from peft import get_peft_model
    from transformers import set_seed

    set_seed(seed)
    adapted = get_peft_model(model, _config(plan, tokenizer))
    _compute_in_float32(_encoder(adapted))
    return adapted


def _config(plan: Plan, tokenizer: str) -> Any:
    from peft import PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig

    common = {"task_type": "CAUSAL_LM", "num_virtual_tokens": plan.tokens}
    match plan:
        case Prefix():
            return PrefixTuningConfig(**common, prefix_projection=True, encoder_hidden_size=plan.hidden_size)
        case PTuningV2():
            return PrefixTuningConfig(**common, prefix_projection=False)
        case PTuning():
            kind = plan.encoder.upper()
            return PromptEncoderConfig(
                **common, encoder_reparameterization_type=kind, encoder_hidden_size=plan.hidden_size
            )
        case PromptTuning(text=None):
            return PromptTuningConfig(**common, prompt_tuning_init="SAMPLE_VOCAB")
        case PromptTuning():
            return PromptTuningConfig(
                **common,
                prompt_tuning_init="TEXT",
                prompt_tuning_init_text=plan.text,
                tokenizer_name_or_path=tokenizer,
            )


def _compute_in_float32(encoder: Any) -> None:
    """Keep autocast off the network: not every CPU has an LSTM of bfloat16, and it is small."""
    import torch

    forward = encoder.forward

    def in_float32(indices: torch.Tensor) -> torch.Tensor:
        with torch.autocast(indices.device.type, enabled=False):
            return forward(indices)  # type: ignore[no-any-return]

    encoder.forward = in_float32


def settle(model: Any) -> None:
    """Put what the network makes, rounded to bfloat16, in its place; does nothing to other models."""
    import torch

    encoder = _encoder(model)
    if encoder is None:
        return
    config = model.peft_config["default"]
    if not config.inference_mode:
        model.eval()  # a network's dropout has no place in what is kept
        vectors = model.get_prompt_embedding_to_save("default").to(torch.bfloat16).float()
        table: Any = torch.nn.Embedding
        encoder.embedding = table.from_pretrained(vectors.to(model.device), freeze=True)
        config.inference_mode = True  # PEFT then takes the embedding as it is


def save(model: Any, folder: Path, base: str) -> None:
    """Write the vectors (bfloat16) of a settled ``model`` and the config to ``folder``."""
    import torch
    from safetensors.torch import save_file

    from training.models.base import rewrite_json

    encoder = _encoder(model)
    assert encoder is not None
    weights = {_VECTORS: encoder.embedding.weight.detach().to("cpu", torch.bfloat16).contiguous()}
    save_file(weights, folder / artefact.WEIGHTS, metadata={"format": "pt"})
    (folder / artefact.WEIGHTS).chmod(0o644)
    model.peft_config["default"].save_pretrained(str(folder))
    rewrite_json(folder / artefact.CONFIG, {"base_model_name_or_path": base})


def shapes(model: PreTrainedModel, folder: Path) -> dict[str, tuple[int, ...]]:
    """Name → shape of what :func:`save` writes, by the configuration in ``folder``, for ``model``.

    Raises whatever PEFT raises of one that is broken, or for another base.
    """
    from peft import PeftConfig, get_peft_model

    config: Any = PeftConfig.from_pretrained(str(folder))
    config.inference_mode = True  # the vectors alone, without the network that made them
    encoder = _encoder(get_peft_model(model, config))
    assert encoder is not None
    return {_VECTORS: tuple(encoder.embedding.weight.shape)}


def save_checkpoint(model: Any, folder: Path) -> None:
    """Write the network beside the trainer's own files; does nothing for other models."""
    from safetensors.torch import save_file

    if (encoder := _encoder(model)) is not None:
        state = {name: tensor.contiguous() for name, tensor in encoder.state_dict().items()}
        save_file(state, folder / CHECKPOINT)


def load_checkpoint(model: Any, folder: Path) -> bool:
    """Read what :func:`save_checkpoint` has written; False for other models."""
    from safetensors.torch import load_file

    if (encoder := _encoder(model)) is None:
        return False
    encoder.load_state_dict(load_file(folder / CHECKPOINT))
    return True


def _encoder(model: Any) -> Any | None:
    """The network, or the table, that gives the vectors; None for models without."""
    config = getattr(model, "peft_config", {}).get("default")
    return model.prompt_encoder["default"] if config is not None and config.is_prompt_learning else None
