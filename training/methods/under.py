"""What stands still under an adapter, as a run of any stage holds it."""

from __future__ import annotations

from typing import Any

from training.methods import lora_product
from training.models import precision
from training.runs import processes


def hold(model: Any, *, bf16: bool) -> Any:
    """``model`` as it is trained: where it is PEFT's and products are of bfloat16, its base is held in that.

    A base that learns, as a whole or in part, stays float32. So do weights that are cut among processes: FSDP
    lays them together, which needs one type, and DeepSpeed gathers them as their own layer is called.
    """
    if not bf16 or not hasattr(model, "peft_config") or processes.cut_weights():
        return model
    return lora_product.use(precision.hold(model))
