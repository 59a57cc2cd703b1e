"""A base in 4-bit normal floats (QLoRA, arXiv:2305.14314), by transformers and bitsandbytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from training.models import base
from training.recipe import Qlora


def load(name: str, plan: Qlora, bf16: bool) -> Any:
    """The base ``name`` with its linear layers quantised; products are of bfloat16 on a GPU with ``bf16``."""
    return quantised(partial(base.load_model, name), plan, bf16=bf16)


def quantised(load: Callable[..., Any], plan: Qlora, *, bf16: bool, apart: Sequence[str] = ()) -> Any:
    """What ``load`` loads, called with what transformers' ``from_pretrained`` is told, in 4 bits.

    Args:
        load: loads a model.
        plan: how it is quantised.
        bf16: whether products are of bfloat16 on a GPU.
        apart: names of linear layers that are not quantised, beside the output layer.
    """
    import torch
    from transformers import BitsAndBytesConfig

    model: Any = load(
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=plan.double_quantisation,
            bnb_4bit_compute_dtype=torch.bfloat16 if bf16 and torch.cuda.is_available() else torch.float32,
            llm_int8_skip_modules=list(apart) or None,  # of 4 bits too, by its older name
        ),
    )
    for module in model.modules():
        # On some CPUs bitsandbytes would pack the weights anew at the first evaluation, with their scales
        # rounded to bfloat16: the base would be another after it than before.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model
