"""What of a base is quantised, whether it can be, and what that saves; known before any weight is read."""

from __future__ import annotations

from dataclasses import dataclass

from training.errors import QuantizeError
from training.models import base
from training.recipe import QuantizeRecipe
from training.runs.estimate import count, size

_MULTIPLE = 32  # of a layer's inputs and outputs, for vLLM's kernels
_BFLOAT16 = 2  # bytes
_OUTPUT = "lm_head"  # stays as it is


@dataclass(frozen=True, slots=True)
class Shape:
    """Counts, and bytes."""

    layers: int  # transformer blocks
    parameters: int
    quantized: int  # of them
    before: int  # bytes in bfloat16
    after: int

    def __str__(self) -> str:
        return (
            f"{count(self.quantized)} of {count(self.parameters)} weights are quantised: "
            f"{size(self.before)} become {size(self.after)}"
        )


def shape(recipe: QuantizeRecipe) -> Shape:
    """What the recipe's base becomes.

    Raises:
        BaseError: there is no such base, or it is quantised already.
        QuantizeError: a layer's shape does not fit.
    """
    import torch

    model = base.load_outline(recipe.base)
    linear = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and not name.endswith(_OUTPUT)
    }
    _refuse_misfits({name: (m.in_features, m.out_features) for name, m in linear.items()}, recipe)
    parameters = sum(weight.numel() for weight in model.parameters())
    quantized, packed = 0, 0.0
    for module in linear.values():
        into, out = module.in_features, module.out_features
        groups = 1 if recipe.group_size == -1 else into // recipe.group_size
        quantized += into * out
        packed += into * out * recipe.bits / 8 + groups * out * (_BFLOAT16 + recipe.bits / 8) + 4 * into
    layers = int(model.config.get_text_config().num_hidden_layers)
    rest = (parameters - quantized) * _BFLOAT16
    return Shape(layers, parameters, quantized, parameters * _BFLOAT16, round(rest + packed))


def _refuse_misfits(shapes: dict[str, tuple[int, int]], recipe: QuantizeRecipe) -> None:
    """``shapes``: layer → inputs, outputs."""
    if not shapes:
        raise QuantizeError(f"{recipe.base} has no linear layer, so there is nothing to quantise")
    for name, sides in shapes.items():
        for what, side in zip(("inputs", "outputs"), sides, strict=True):
            if side % _MULTIPLE:
                raise QuantizeError(
                    f"{recipe.base}: {name} has {side} {what}; vLLM's kernels need a multiple of {_MULTIPLE}"
                )
    group = recipe.group_size
    if group == -1 or not (misfits := {n: i for n, (i, _) in shapes.items() if i % group}):
        return
    fitting = [g for g in (128, 64, 32) if all(into % g == 0 for into, _ in shapes.values())]
    name, into = next(iter(misfits.items()))
    raise QuantizeError(
        f"group_size: {group} does not divide the {into} inputs of {name} ({len(misfits)} layers in all); "
        f"choose {', '.join(map(str, fitting))} or -1"
    )
