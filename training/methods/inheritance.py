"""A recipe with what it leaves to the adapter that it goes on from, and to its base."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from pointsman import artefact
from training.errors import AdapterError, BaseError
from training.methods import lora, parent
from training.models import base, weights
from training.recipe import Lora, OnlineRecipe, Recipe

R = TypeVar("R", bound=Recipe)
_SHAPE = {  # key of a recipe's lora → PEFT's word for it
    "rank": "r",
    "alpha": "lora_alpha",
    "targets": "target_modules",
    "rank_pattern": "rank_pattern",
    "alpha_pattern": "alpha_pattern",
    "rslora": "use_rslora",
}


def settled(recipe: R) -> R:
    """Filled in, as it is trained and kept.

    Raises:
        AdapterError: the adapter to go on from can't be, or is of another shape than it says.
    """
    return fitted(inherited(recipe))


def inherited(recipe: R) -> R:
    """``recipe`` with the shape of the adapter that it goes on from, in all that it does not say itself.

    Raises:
        AdapterError: there is no such adapter, its files are broken, its method can't go on, or it has
            another shape than the recipe says.
    """
    folder = getattr(recipe, "init_adapter", None)
    if folder is None:
        return recipe
    plan: Lora = recipe.lora  # type: ignore[union-attr, assignment]  # which all have that go on
    before = parent.manifest(folder)
    if before.method not in artefact.SERVED:
        raise AdapterError(
            f"init_adapter {folder} is of the method {before.method}, and only "
            f"{' and '.join(artefact.SERVED)} go on; see `pointsman convert --to lora`"
        )
    weights.require(folder, "init_adapter", AdapterError)
    written = {key for key in plan.model_fields_set if getattr(plan, key) is not None}
    taken: dict[str, Any] = {}
    wrong: list[str] = []
    for key, theirs in _shape(folder, type(plan)).items():
        ours = getattr(plan, key)
        if key not in written:
            taken[key] = theirs
        elif (tuple(sorted(ours)) if key == "targets" else ours) != theirs:
            wrong.append(f"{key} is {_said(ours)} in the recipe, {_said(theirs)} in the adapter")
    if wrong:
        raise AdapterError(
            f"init_adapter {folder} has another shape than lora: {'; '.join(sorted(wrong))}; leave these "
            "keys out, and the adapter's are taken, or leave init_adapter out"
        )
    return cast("R", recipe.model_copy(update={"lora": plan.model_copy(update=taken)}))


def fitted(recipe: R) -> R:
    """``recipe`` with prompts that fit the base's positions beside an answer, where it says no length itself.

    What can't be said of the base is left to those who load it.
    """
    if not isinstance(recipe, OnlineRecipe) or (left := _left(recipe)) is None:
        return recipe
    return cast("R", recipe.model_copy(update={"data": recipe.data.model_copy(update={"max_tokens": left})}))


def _left(recipe: OnlineRecipe) -> int | None:
    """Tokens that a prompt may have; None where it is what the recipe says."""
    if "max_tokens" in recipe.data.model_fields_set:
        return None
    try:
        positions = base.positions(base.load_config(recipe.base))
    except BaseError:
        return None
    if positions is None:
        return None
    left = positions - recipe.sampling.max_new_tokens
    return left if 0 < left < recipe.data.max_tokens else None


def _shape(folder: Path, plan: type[Lora]) -> dict[str, Any]:
    """The adapter's, under the keys of ``plan``; raises AdapterError where it is no shape."""
    found = lora.read_config(folder)
    shape = {key: getattr(found, theirs) for key, theirs in _SHAPE.items()}
    # As a text, PEFT takes them for an expression.
    pattern = {"targets": shape.pop("targets")} if isinstance(shape.get("targets"), str) else {}
    try:
        checked = plan.model_validate(shape)
    except ValidationError as exc:
        wrong = exc.errors()[0]
        raise AdapterError(
            f"init_adapter {folder / artefact.CONFIG}: {_SHAPE[str(wrong['loc'][0])]}: {wrong['msg']}, found "
            f"{wrong['input']!r}; copy it anew from where it came"
        ) from exc
    shape = {key: getattr(checked, key) for key in shape} | pattern
    if isinstance(shape.get("targets"), tuple):
        shape["targets"] = tuple(sorted(shape["targets"]))
    return shape


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
