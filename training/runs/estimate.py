"""What a run will need, before it begins: weights that learn, and memory. An estimate, no promise.

AdamW keeps two float32 numbers for each weight that learns. Gradients come as activations go, so the larger
of both counts; where a step has several batches, or several processes, they are there beside each other. What
passes through the model holds: :mod:`training.runs.activations`. Tensors are counted: a CPU's allocator does
not give back all that they leave, so a process takes more there.

A policy samples, has its answers scored and then learns, so what the three hold beside the weights is not
there at once: the largest counts. A reward model has a tokenizer of its own; its tokens are taken to be as
many as the policy's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.tokens.token_pairs import LabelledRows, PairRows
from training.data.tokens.token_rows import TokenRows
from training.models import base, weights
from training.recipe import (
    CptRecipe,
    DpoRecipe,
    LearningRecipe,
    ModelReward,
    OnlineRecipe,
    RmRecipe,
    SftRecipe,
)
from training.runs import activations, processes

_FLOAT = 4  # bytes
_NF4 = 0.5 + 1 / 64 + 1 / 256 / 16  # bytes: half of one, and scales for 64 weights and for 256 of those
ALLOCATOR = "1.1 to 1.7 times"  # measured: sft by LoRA to simpo, 6 layers of width 384, glibc
_ROUND = 8  # a batch's length is filled up to a multiple of it on a GPU


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
    back: int = 0  # gradients in one layer, and what is computed again of it, once the logits are gone
    scoring: int = 0  # activations of the reward model that has the largest
    merging: int = 0  # the base in full, into which an adapter that rm learned in 4 bits is merged
    kept_gradients: bool = True  # whether they are there before the way back begins

    @property
    def memory(self) -> int:
        """Bytes in all."""
        before = self.gradients if self.kept_gradients else 0
        lasting = self.weights + self.rewards + self.optimiser + before
        learning = max(self.activations + max(self.logits, self.back), self.gradients - before)
        return lasting + max(learning, self.cache, self.scoring, self.merging)

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
                ("or, behind them, a layer's way back", self.back if self.back > self.logits else 0),
                ("or, sampling, keys and values", self.cache),
                ("or, scoring, activations", self.scoring),
                ("or, at the end, the base in full", self.merging),
            )
            if number or not name.startswith(("reward", "or"))
        )
        import torch

        more = "" if torch.cuda.is_available() else f"; a CPU's allocator takes {ALLOCATOR} of that"
        return (
            f"{count(self.trainable)} of {count(self.parameters)} weights learn; "
            f"about {size(self.memory)} of tensors at most ({parts}){more}"
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
    length = longest or recipe.data.max_tokens
    if isinstance(recipe, OnlineRecipe):
        length += recipe.sampling.max_new_tokens
    rows, filled = _answers(recipe) * recipe.train.batch_rows, -(-length // _ROUND) * _ROUND
    kept, back = activations.kept(model, recipe, rows, filled)
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
        activations=kept,
        logits=activations.logits(model, recipe, rows, filled),
        rewards=_FLOAT * sum(map(weights.numbers, _reward_models(recipe))),
        cache=_cache(model, recipe, length),
        back=back,
        scoring=max((activations.scoring(folder, length) for folder in _reward_models(recipe)), default=0),
        merging=_FLOAT * sum(_numbers(weight) for weight in parameters.values() if not weight.requires_grad)
        if in_4_bits and isinstance(recipe, RmRecipe)
        else 0,
        kept_gradients=isinstance(recipe, OnlineRecipe)
        or recipe.train.accumulate > 1
        or processes.count() > 1,
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
    if isinstance(recipe, SftRecipe) and recipe.virtual:
        asked, key = asked + recipe.virtual.tokens, f"{key} + {recipe.method}.tokens"
    if positions is None or asked <= positions:
        return None
    return (
        f"warning: {key} is {asked:,}, and the base has {positions:,} positions "
        "(max_position_embeddings): what is behind them is learned badly, and vLLM does not serve it"
    )


def _reward_models(recipe: LearningRecipe) -> list[Path]:
    """Folders of the models that score answers."""
    if not isinstance(recipe, OnlineRecipe):
        return []
    return [plan.model for plan in recipe.rewards if isinstance(plan, ModelReward)]


def _cache(model: Any, recipe: LearningRecipe, length: int) -> int:
    """Bytes of keys and values of the answers that are sampled at once here, each of ``length`` tokens."""
    if not isinstance(recipe, OnlineRecipe) or getattr(recipe, "server", None):
        return 0
    shape = model.config.get_text_config()
    number = int(model.get_input_embeddings().weight.element_size())
    each = 2 * number * shape.num_hidden_layers * activations.width_of_keys(shape)
    return int(each * length * recipe.sampling.batch_rows)


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
