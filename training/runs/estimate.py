"""What a run will need, before it begins: weights that learn, and memory. An estimate, no promise.

AdamW keeps two float32 numbers for each weight that learns. Activations are those that a Llama's layer keeps
for the way back, counted by hand: 8 vectors of the hidden size and 4 of the inner size for each token; with
gradient checkpointing one of the hidden size, and all of one layer at a time.

Logits are what the loss holds of a number for each token and piece of the vocabulary. TRL's trainers multiply
by the output layer in tiles of fixed size, which an adapter on a small base is small beside; ORPO, SimPO and
ppo hold them whole, ppo of the answers alone.

A policy samples before it learns, so the keys and values of what it samples are not there beside activations
and logits: the larger of both counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.data.token_pairs import LabelledRows, PairRows
from training.data.token_rows import TokenRows
from training.models import base, weights
from training.recipe import (
    CptRecipe,
    DpoRecipe,
    LearningRecipe,
    ModelReward,
    OnlineRecipe,
    PpoRecipe,
    RmRecipe,
    SftRecipe,
)
from training.recipe.dpo import REFERENCE_FREE

_FLOAT = 4  # bytes
_NF4 = 0.5 + 1 / 64 + 1 / 256 / 16  # bytes: half of one, and scales for 64 weights and for 256 of those
_HIDDEN, _INNER = 8, 4  # vectors that a layer keeps of a token
_ROUND = 8  # a batch's length is filled up to a multiple of it
_TILE = 4096, 32768  # tokens and pieces of TRL's
_FOLDED = 7  # float32 numbers that PyTorch makes of one in a tile, where there is no Triton
_WHOLE, _SAMPLED = 4, 7  # numbers for each logit that the loss and its gradient hold: of orpo and simpo; ppo


@dataclass(frozen=True, slots=True)
class Estimate:
    """Counts of weights, and bytes."""

    parameters: int
    trainable: int
    weights: int
    gradients: int
    optimiser: int
    activations: int  # of the longest batch
    logits: int  # and of its loss
    rewards: int = 0  # of reward models' weights
    cache: int = 0  # keys and values of the answers that are sampled at once

    @property
    def memory(self) -> int:
        """Bytes in all."""
        lasting = self.weights + self.rewards + self.gradients + self.optimiser
        return lasting + max(self.activations + self.logits, self.cache)

    def __str__(self) -> str:
        parts = ", ".join(
            f"{name} {size(number)}"
            for name, number in (
                ("weights", self.weights),
                ("reward models", self.rewards),
                ("gradients", self.gradients),
                ("optimiser", self.optimiser),
                ("activations", self.activations),
                ("logits", self.logits),
                ("or, sampling, keys and values", self.cache),
            )
            if number or not name.startswith(("reward", "or"))
        )
        return (
            f"{count(self.trainable)} of {count(self.parameters)} weights learn; "
            f"about {size(self.memory)} of memory at most ({parts})"
        )


def of(model: Any, recipe: LearningRecipe, longest: int | None = None) -> Estimate:
    """The estimate for training ``model``, of which the weights that learn are marked, by ``recipe``.

    Args:
        model: with its weights, or without.
        recipe: what it is trained by.
        longest: tokens of the longest sequence, or prompt; None: as many as the recipe allows.
    """
    in_4_bits = getattr(recipe, "method", "") == "qlora"
    parameters = dict(model.named_parameters())
    trainable = sum(weight.numel() for weight in parameters.values() if weight.requires_grad)
    shape = model.config.get_text_config()
    length = longest or recipe.data.max_tokens
    if isinstance(recipe, OnlineRecipe):
        length += recipe.sampling.max_new_tokens
    tokens = _answers(recipe) * recipe.train.batch_rows * -(-length // _ROUND) * _ROUND
    layer = _HIDDEN * shape.hidden_size + _INNER * shape.intermediate_size
    kept = shape.num_hidden_layers * layer
    if recipe.train.gradient_checkpointing:
        kept = shape.num_hidden_layers * shape.hidden_size + layer
    return Estimate(
        parameters=sum(_numbers(weight) for weight in parameters.values()),
        trainable=trainable,
        weights=round(
            sum(
                _numbers(weight) * (_NF4 if in_4_bits and _is_linear(name, weight) else weight.element_size())
                for name, weight in parameters.items()
            )
        ),
        gradients=_FLOAT * trainable,
        optimiser=2 * _FLOAT * trainable,
        activations=_FLOAT * tokens * kept,
        logits=_FLOAT * _logits(recipe, tokens, int(shape.vocab_size)),
        rewards=_FLOAT * _in_reward_models(recipe),
        cache=_cache(model, recipe, length),
    )


def longest(
    recipe: SftRecipe | CptRecipe | RmRecipe | DpoRecipe, rows: TokenRows | PairRows | LabelledRows
) -> int:
    """Tokens of the longest sequence that is made of ``rows``."""
    if recipe.stage == "cpt" or (isinstance(recipe, SftRecipe) and recipe.packing):
        return min(recipe.data.max_tokens, rows.tokens)
    return rows.longest


def too_long(model: Any, recipe: LearningRecipe) -> str | None:
    """What is to be said where the recipe allows longer sequences than the base was made for."""
    positions = base.positions(model.config)
    asked, key = recipe.data.max_tokens, "data.max_tokens"
    if isinstance(recipe, OnlineRecipe):
        asked, key = asked + recipe.sampling.max_new_tokens, f"{key} + sampling.max_new_tokens"
    if positions is None or asked <= positions:
        return None
    return (
        f"warning: {key} is {asked:,}, and the base has {positions:,} positions "
        "(max_position_embeddings): what is behind them is learned badly, and vLLM does not serve it"
    )


def _logits(recipe: LearningRecipe, tokens: int, vocabulary: int) -> int:
    """Numbers that the loss of ``tokens`` holds at once."""
    if isinstance(recipe, RmRecipe):
        return 0
    if isinstance(recipe, PpoRecipe):
        return _SAMPLED * recipe.train.batch_rows * recipe.sampling.max_new_tokens * vocabulary
    if isinstance(recipe, DpoRecipe) and recipe.loss in REFERENCE_FREE:
        return _WHOLE * tokens * vocabulary
    import torch

    rows, width = min(tokens, _TILE[0]), _TILE[1]
    folded = 0 if torch.cuda.is_available() else _FOLDED * min(vocabulary, width)
    return rows * (width + folded)


def _in_reward_models(recipe: LearningRecipe) -> int:
    """Weights of the models that score answers."""
    if not isinstance(recipe, OnlineRecipe):
        return 0
    return sum(weights.numbers(plan.model) for plan in recipe.rewards if isinstance(plan, ModelReward))


def _cache(model: Any, recipe: LearningRecipe, length: int) -> int:
    """Bytes of keys and values of the answers that are sampled at once here, each of ``length`` tokens."""
    if not isinstance(recipe, OnlineRecipe) or getattr(recipe, "server", None):
        return 0
    shape = model.config.get_text_config()
    heads = getattr(shape, "num_key_value_heads", None) or shape.num_attention_heads
    width = heads * (getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads)
    number = int(model.get_input_embeddings().weight.element_size())
    return int(2 * number * shape.num_hidden_layers * width * length * recipe.sampling.batch_rows)


def _answers(recipe: LearningRecipe) -> int:
    """Sequences of a row."""
    paired = recipe.stage == "rm" or (isinstance(recipe, DpoRecipe) and recipe.loss != "kto")
    return 2 if paired else 1


def _numbers(weight: Any) -> int:
    """In ``weight``; one of 4 bits holds two in a byte."""
    return int(weight.numel()) * (2 if type(weight).__name__ == "Params4bit" else 1)


def _is_linear(name: str, weight: Any) -> bool:
    """Whether ``weight`` is one of those that a base of 4 bits has in 4 bits."""
    frozen = weight.ndim == 2 and not weight.requires_grad
    return frozen and not any(part in name for part in ("embed_tokens", "lm_head"))


def duration(seconds: float) -> str:
    """In the unit that suits it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def count(number: int) -> str:
    """In words, with three digits."""
    for unit, name in ((10**9, " billion"), (10**6, " million")):
        if number >= unit:
            return f"{number / unit:.3g}{name}"
    return f"{number:,}"


def size(number: float) -> str:
    """``number`` bytes in the unit that suits it."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"
