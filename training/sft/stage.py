"""Supervised fine-tuning: what the assistant says is learned, and nothing of what it is told.

Which weights learn it is the method's matter; an adapter is fresh, or goes on from one of the same base.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman import artefact
from pointsman.artefact import ArtefactError, BaseIdentity
from training.data.collection import Report
from training.errors import BaseError
from training.methods import choice
from training.models import base
from training.recipe import DpoRecipe, OnlineRecipe, SftRecipe
from training.runs.folder import RunFolder

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def tokenizer(recipe: SftRecipe, run: RunFolder, report: Report) -> Path | str:
    """Where the run's tokenizer is: the base's."""
    return recipe.base


def model(recipe: SftRecipe, tokenizer: PreTrainedTokenizerBase) -> Any:
    """The base as training begins, with the method's weights ready to learn."""
    return choice.held(recipe, choice.plain_base(recipe))


def save(recipe: SftRecipe, model: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write the adapter's files, or the base's."""
    choice.save(recipe, model, tokenizer, folder)


def origin(recipe: SftRecipe | DpoRecipe | OnlineRecipe) -> tuple[BaseIdentity | None, str | None]:
    """The base's identity, and the version that this one goes on from.

    Raises:
        BaseError: the adapter to go on from was trained on another base.
    """
    identity = base.identify(recipe.base)
    if recipe.init_adapter is None:
        return identity, None
    try:
        before = artefact.read_manifest(recipe.init_adapter)
        version = artefact.version_of(recipe.init_adapter)
    except ArtefactError as exc:
        raise BaseError(f"init_adapter: {exc}") from exc
    if before.base != identity:
        raise BaseError(
            f"init_adapter {recipe.init_adapter} was trained on another base than {recipe.base}: "
            f"{_difference(before.base, identity)}"
        )
    return identity, f"{before.alias}@{version}"


def _difference(then: BaseIdentity | None, now: BaseIdentity | None) -> str:
    if then is None or now is None:
        return "one of them has no recorded identity"
    changed = [
        f"{field} {getattr(then, field)[:12]} then, {getattr(now, field)[:12]} now"
        for field in BaseIdentity.model_fields
        if getattr(then, field) != getattr(now, field)
    ]
    return "; ".join(changed)
