"""Which ways lead from a recipe's result to what vLLM serves, in words; nothing is loaded for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pointsman import artefact
from training.cpt import stage
from training.errors import ConversionError
from training.methods import choice, lora
from training.recipe import CptRecipe, DpoRecipe, GrpoRecipe, PpoRecipe, SftRecipe

Target = Literal["lora", "base"]
TARGETS: tuple[Target, ...] = ("lora", "base")
_KEPT = 0.01  # share of a change that may be lost and count as kept
Convertible = (
    CptRecipe | SftRecipe | DpoRecipe | PpoRecipe | GrpoRecipe
)  # whose results are adapters or bases


def method(recipe: Convertible) -> str:
    """By which its weights learn."""
    return str(getattr(recipe, "method", "lora"))


def gives_base(recipe: Convertible) -> bool:
    """Whether the result is a base; else it is an adapter."""
    if isinstance(recipe, CptRecipe):
        return stage.gives_base(recipe)
    return method(recipe) in choice.BASES


def is_served(recipe: Convertible) -> bool:
    """Whether the result is an adapter that vLLM takes as it is."""
    return not gives_base(recipe) and method(recipe) in artefact.SERVED


def route(recipe: Convertible, to: Target = "lora") -> str:
    """How the result of ``recipe`` becomes ``to``, in words.

    Raises:
        ConversionError: there is no way.
    """
    if gives_base(recipe):
        if to == "base":
            return "its weights are a base as they are"
        _refuse_own_base(recipe)
        return "a LoRA by singular values, of the linear layers alone: embeddings and norms stay the base's"
    if recipe.lora is None:
        if to == "base":
            raise ConversionError(
                f"{method(recipe)} changes no weight of the base, so there is no base to make; use --to lora"
            )
        return "a LoRA by distillation"
    if to == "base":
        return "merged into the base"
    return {"pissa": "a LoRA, exact", "dora": "a LoRA by singular values"}.get(
        method(recipe), "a LoRA as it is"
    )


def _refuse_own_base(recipe: Convertible) -> None:
    """Of a base that is not another's with changed weights."""
    if not isinstance(recipe, CptRecipe):
        return
    if recipe.base is None:
        raise ConversionError(
            f"{recipe.name} was made from nothing, so there is no base that a LoRA would belong to; use "
            "--to base"
        )
    if recipe.vocabulary:
        raise ConversionError(
            f"{recipe.name} has more pieces of vocabulary than {recipe.base}, and a LoRA has none of its "
            "own; use --to base"
        )


def refuse_rank(recipe: Convertible, asked: int | None, usual: int) -> None:
    """Refuse a LoRA of a rank that nobody serves.

    Args:
        recipe: whose result becomes the LoRA.
        asked: the rank that is asked for, if one is.
        usual: the rank that is taken where none is asked for, and none follows from the recipe.

    Raises:
        ConversionError: vLLM serves none so high.
    """
    rank, why = asked or usual, "--rank"
    if recipe.lora and is_served(recipe):  # where none is asked for: refuse_idle
        rank, why = max(lora.ranks(recipe.lora).values()), "as it is, the LoRA's rank"
    elif recipe.lora and method(recipe) == "pissa" and asked is None:
        rank, why = (
            2 * recipe.lora.rank,
            f"pissa's exact LoRA has twice its rank of {recipe.lora.rank}, which",
        )
    if rank > lora.LARGEST_RANK:
        raise ConversionError(
            f"{why} is {rank}, and vLLM serves ranks up to {lora.LARGEST_RANK}; {_instead(recipe)}"
        )


def refuse_idle(recipe: Convertible, to: Target, given: Sequence[str]) -> None:
    """Refuse options that the way does not have.

    Args:
        recipe: whose result is converted.
        to: what it becomes.
        given: the options that are given, as the command line has them.

    Raises:
        ConversionError: with those that would change nothing.
    """
    used: tuple[str, ...] = ()
    if to == "lora" and not gives_base(recipe) and recipe.lora is None:
        used = ("--rank", "--steps", "--learning-rate")
    elif to == "lora" and not is_served(recipe):
        used = ("--rank",)
    if idle := [option for option in given if option not in used]:
        has = f"; it has {', '.join(used)}" if used else ""
        way = route(recipe, to)
        raise ConversionError(f"{', '.join(idle)}: would change nothing here, {way}{has}; leave it out")


@dataclass(frozen=True, slots=True)
class Lost:
    """What of a change in weights a conversion has not taken along."""

    error: float | None = None  # share of the linear layers' change, where it is cut to a rank
    outside: bool = False  # whether other weights changed too, which no LoRA holds


def advice(recipe: Convertible, to: Target, lost: Lost) -> str:
    """What can be done where more was lost than is allowed."""
    if to == "base":
        return "all that is lost is the rounding to bfloat16; allow it, or use --to lora"
    if lost.outside and lost.error is not None and lost.error < _KEPT:
        return (
            "a higher --rank gains nothing, as what is lost is the change outside the linear layers: use "
            "--to base"
        )
    if lost.outside:
        return "use --to base; a higher --rank keeps more of the linear layers' change, and nothing else"
    if recipe.lora or gives_base(recipe):
        return "raise --rank, or use --to base"
    return "raise --rank or --steps"


def _instead(recipe: Convertible) -> str:
    """Of a rank that is too high."""
    if is_served(recipe):
        return "use --to base"
    lower = f"give --rank {lora.LARGEST_RANK} or less"
    return f"{lower}, or use --to base" if recipe.lora or gives_base(recipe) else lower
