"""What a run will need, before it begins: weights that learn, and memory. An estimate, no promise.

AdamW keeps two float32 numbers for each weight that learns. Activations are those that a Llama's layer keeps
for the way back, counted by hand: 8 vectors of the hidden size and 4 of the inner size for each token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.recipe import LearningRecipe, OnlineRecipe

_FLOAT = 4  # bytes
_NF4 = 0.5 + 1 / 64 + 1 / 256 / 16  # bytes: half of one, and scales for 64 weights and for 256 of those
_HIDDEN, _INNER = 8, 4  # vectors that a layer keeps of a token
_ROUND = 8  # a batch's length is filled up to a multiple of it


@dataclass(frozen=True, slots=True)
class Estimate:
    """Counts of weights, and bytes."""

    parameters: int
    trainable: int
    weights: int
    gradients: int
    optimiser: int
    activations: int  # of the longest batch

    @property
    def memory(self) -> int:
        """Bytes in all."""
        return self.weights + self.gradients + self.optimiser + self.activations

    def __str__(self) -> str:
        parts = ", ".join(
            f"{name} {size(getattr(self, name))}"
            for name in ("weights", "gradients", "optimiser", "activations")
        )
        return (
            f"{count(self.trainable)} of {count(self.parameters)} weights learn; "
            f"about {size(self.memory)} of memory at most ({parts})"
        )


def of(model: Any, recipe: LearningRecipe) -> Estimate:
    """The estimate for training ``model``, of which the weights that learn are marked, by ``recipe``."""
    in_4_bits = getattr(recipe, "method", "") == "qlora"
    parameters = dict(model.named_parameters())
    trainable = sum(weight.numel() for weight in parameters.values() if weight.requires_grad)
    shape = model.config.get_text_config()
    tokens = _answers(recipe) * recipe.train.batch_rows * -(-_longest(recipe) // _ROUND) * _ROUND
    kept = shape.num_hidden_layers * (_HIDDEN * shape.hidden_size + _INNER * shape.intermediate_size)
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
    )


def _longest(recipe: LearningRecipe) -> int:
    """Tokens of the longest sequence."""
    longest = recipe.data.max_tokens
    return longest + recipe.sampling.max_new_tokens if isinstance(recipe, OnlineRecipe) else longest


def _answers(recipe: LearningRecipe) -> int:
    """Sequences of a row."""
    return 2 if recipe.stage in ("rm", "dpo") else 1


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
