"""What a pass through a model holds beside its weights, in bytes; counted by hand of a Llama, no promise.

A layer keeps for the way back, of each token, vectors of the hidden size H and of the inner size I: under
an adapter 8 H (what its two norms get and give, queries, keys, values, what attention gives) and 4 I; where
its own weights learn, 2 H more, as a norm's weight wants what it multiplies. Of rows of unlike length, which
come with a mask, attention keeps in each layer what the mask adds to every pair of places. With gradient
checkpointing a layer's input is kept, and, once the logits are gone, all of one layer at a time.

The adapter keeps besides, of each matrix that it is on, as many numbers as its rank, and DoRA what the matrix
and the adapter give. With dropout each has an input of its own, and what dropout multiplies it by.

In bfloat16 a number has two bytes, but for what a norm computes in float32 on a CPU, and autocast keeps a
copy of the weights that learn. Where a base's own learn, what lies between the products is float32 too.

Logits are what the loss holds of a number for each token and piece of the vocabulary. TRL's trainers multiply
by the output layer in tiles of fixed size, which an adapter on a small base is small beside; a reference's
tiles are given back before the way back begins. ORPO, SimPO and ppo hold the logits whole, ppo of the answers
alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.models import base, precision
from training.models.reward_model import BATCH_ROWS
from training.recipe import DpoRecipe, LearningRecipe, OnlineRecipe, PpoRecipe, RmRecipe
from training.recipe.dpo import REFERENCE_FREE

_FLOAT, _HALF = 4, 2  # bytes
_TILE = 4096, 32768  # tokens and pieces of TRL's
_FOLDED = 7.25  # float32 numbers that PyTorch makes of one in a tile, where there is no Triton
_LOGITS, _COPIED = 3, 0.5  # logits, their gradient by rows and that as one; log-softmax of the chosen ones
_BACK = 2  # gradients of inner vectors, three of which there are when one of those kept is gone
_SAMPLED = 7  # numbers for each logit that ppo's loss and its gradient hold


@dataclass(frozen=True, slots=True)
class _Kept:
    """Bytes that a layer keeps of a token, for each number of its hidden and inner size."""

    hidden: int
    inner: int
    first: int  # of its input


_UNDER_ADAPTERS = {
    False: _Kept(8 * _FLOAT, 4 * _FLOAT, _FLOAT),
    True: _Kept(6 * _HALF + 2 * _FLOAT, 4 * _HALF, _HALF),
}
_LEARNING = {
    False: _Kept(10 * _FLOAT, 4 * _FLOAT, _FLOAT),
    True: _Kept(9 * _HALF + 4 * _FLOAT, 4 * _HALF, _FLOAT),
}


def kept(model: Any, recipe: LearningRecipe, rows: int, length: int) -> tuple[int, int]:
    """Bytes that the layers of ``model`` keep of a batch (``rows``, ``length``), and those of one's way back.

    The second are there once the logits are gone: gradients, and what gradient checkpointing makes again.
    """
    bf16, adapted = is_bf16(recipe), hasattr(model, "peft_config")
    shape, tokens = model.config.get_text_config(), rows * length
    number, each = _HALF if bf16 else _FLOAT, (_UNDER_ADAPTERS if adapted else _LEARNING)[bf16]
    mask = number * length if _is_masked(recipe) else 0
    layer = tokens * (each.hidden * shape.hidden_size + each.inner * shape.intermediate_size + mask)
    layer += _of_adapters(model, recipe, tokens)
    back = tokens * number * (shape.hidden_size + _BACK * shape.intermediate_size)
    copies = 0 if adapted or not bf16 else _HALF * _learning(model)
    if not recipe.train.gradient_checkpointing:
        return shape.num_hidden_layers * layer + copies, back
    inputs = tokens * (shape.num_hidden_layers * each.first * shape.hidden_size + (length if mask else 0))
    return inputs + copies, layer + back


def logits(model: Any, recipe: LearningRecipe, rows: int, length: int) -> int:
    """Bytes that the loss of a batch (``rows``, ``length``) holds at once of logits and their gradient."""
    if isinstance(recipe, RmRecipe):
        return 0
    vocabulary = int(model.config.get_text_config().vocab_size)
    if isinstance(recipe, PpoRecipe):
        return _FLOAT * _SAMPLED * recipe.train.batch_rows * recipe.sampling.max_new_tokens * vocabulary
    tokens = rows * length
    if isinstance(recipe, DpoRecipe) and recipe.loss in REFERENCE_FREE:
        copied = _COPIED if recipe.loss == "orpo" or recipe.sft_weight else 0
        return round(_FLOAT * (_LOGITS + copied) * tokens * vocabulary)
    import torch

    tile = min(tokens, _TILE[0])
    folded = 0.0 if torch.cuda.is_available() else _FLOAT * _FOLDED * min(vocabulary, _TILE[1])
    head = model.get_output_embeddings().weight  # of its gradient there is what is added, beside the sum
    added = _FLOAT * head.numel() if head.requires_grad else 0
    return added + round(tile * ((_HALF if is_bf16(recipe) else _FLOAT) * _TILE[1] + folded))


def scoring(folder: Path, length: int) -> int:
    """Bytes that the reward model in ``folder`` holds as it scores a batch of answers of ``length`` tokens.

    Nothing is kept for a way back, so the most of one layer counts: beside the embeddings, what comes in and
    its norm, in attention what turns queries or keys by their places, or what the mask adds to each pair of
    places; behind it one H more and the inner vectors. The mask itself is a byte for each pair.
    """
    shape = base.load_config(str(folder)).get_text_config()
    queries, keys = shape.num_attention_heads * width_of_head(shape), width_of_keys(shape)
    turned = max(4 * queries + 2 * keys, 2 * queries + 5 * keys)
    attention = max(turned, 2 * queries + 2 * keys + length)
    most = 3 * shape.hidden_size + max(attention, shape.hidden_size + 3 * shape.intermediate_size)
    return int(BATCH_ROWS * length * (_FLOAT * most + length))


def _of_adapters(model: Any, recipe: LearningRecipe, tokens: int) -> int:
    """Bytes that a layer keeps of ``tokens`` for LoRA or one of its kin; 0 where ``model`` has none."""
    import torch

    adapted = [module for module in model.modules() if "default" in getattr(module, "lora_A", {})]
    if not adapted:
        return 0
    shape, bf16, plan = model.config.get_text_config(), is_bf16(recipe), recipe.lora
    dropout, dora = bool(plan and plan.dropout), "default" in adapted[0].lora_variant
    inputs = sum(module.lora_A["default"].weight.shape[1] for module in adapted)
    numbers = sum(module.lora_A["default"].weight.shape[0] for module in adapted)
    if dora:
        numbers += 2 * sum(module.lora_B["default"].weight.shape[0] for module in adapted)
    if dropout or (dora and bf16):  # each has an input of its own; of the shared ones three are counted above
        shared = 2 * shape.hidden_size + shape.intermediate_size
        numbers += max(0, inputs - shape.num_hidden_layers * shared)
    noise = (1 if torch.cuda.is_available() else _FLOAT) * inputs if dropout else 0
    copies = _HALF * _learning(model) if bf16 else 0
    kept = tokens * ((_HALF if bf16 else _FLOAT) * numbers + noise) + copies
    return int(kept / shape.num_hidden_layers)


def width_of_head(shape: Any) -> int:
    """Numbers of one head's vector, by a text model's configuration."""
    return int(getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads)


def width_of_keys(shape: Any) -> int:
    """Numbers of a token's keys in a layer, and as many of its values."""
    heads = getattr(shape, "num_key_value_heads", None) or shape.num_attention_heads
    return int(heads * width_of_head(shape))


def is_bf16(recipe: LearningRecipe) -> bool:
    """Whether products are of bfloat16, on this machine."""
    asked = recipe.train.precision
    return precision.is_policy_bf16(asked) if isinstance(recipe, OnlineRecipe) else precision.is_bf16(asked)


def _is_masked(recipe: LearningRecipe) -> bool:
    """Whether batches come with a mask: TRL's of pairs and labelled answers do; sft's need none."""
    return isinstance(recipe, DpoRecipe | RmRecipe)


def _learning(model: Any) -> int:
    return sum(int(weight.numel()) for weight in model.parameters() if weight.requires_grad)
