"""The shape of an adapter that a recipe goes on from: what the recipe does not say of it itself."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from pointsman import artefact
from training.errors import AdapterError
from training.methods import lora, parent
from training.models import weights
from training.recipe import Lora, Recipe

R = TypeVar("R", bound=Recipe)
_SHAPE = {  # key of a recipe's lora → PEFT's word for it
    "rank": "r",
    "alpha": "lora_alpha",
    "targets": "target_modules",
    "rank_pattern": "rank_pattern",
    "alpha_pattern": "alpha_pattern",
    "rslora": "use_rslora",
}


def inherited(recipe: R) -> R:
    """``recipe`` with the shape of the adapter that it goes on from, in all that it does not say itself.

    Raises:
        BaseError: there is no such adapter, or its files are broken.
        AdapterError: its method can't go on, or it has another shape than the recipe says.
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
    weights.require(folder, "init_adapter")
    found = lora.read_config(folder)
    written = {key for key in plan.model_fields_set if getattr(plan, key) is not None}
    taken: dict[str, Any] = {}
    wrong: list[str] = []
    for key in _SHAPE.keys() & type(plan).model_fields.keys():
        theirs, ours = getattr(found, _SHAPE[key]), getattr(plan, key)
        if key == "targets" and not isinstance(theirs, str):  # as one, PEFT takes it for an expression
            theirs = tuple(sorted(theirs))
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


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
