"""What an adapter comes from: its base, and the version that it goes on from, if any."""

from __future__ import annotations

from pathlib import Path

from pointsman import artefact
from pointsman.artefact import ArtefactError, BaseIdentity
from training.errors import AdapterError, BaseError
from training.methods import adapter_files
from training.models import base
from training.recipe import DpoRecipe, OnlineRecipe, SftRecipe


def origin(recipe: SftRecipe | DpoRecipe | OnlineRecipe) -> tuple[BaseIdentity | None, str | None]:
    """The base's identity, and the version that this one goes on from.

    Raises:
        AdapterError: there is no such adapter to go on from, its files are broken, or its weights are not
            those that its configuration says.
        BaseError: it was trained on another base.
    """
    identity = base.identify(recipe.base)
    if recipe.init_adapter is None:
        return identity, None
    before = manifest(recipe.init_adapter)
    try:
        version = artefact.version_of(recipe.init_adapter)
    except ArtefactError as exc:
        raise AdapterError(f"init_adapter {recipe.init_adapter}: {exc}") from exc
    if before.base != identity:
        raise BaseError(
            f"init_adapter {recipe.init_adapter} was trained on another base than {recipe.base}: "
            f"{_difference(before.base, identity)}"
        )
    adapter_files.require(base.load_outline(recipe.base), recipe.init_adapter, "init_adapter")
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


def manifest(folder: Path) -> artefact.Manifest:
    """What the adapter says of itself.

    Raises:
        AdapterError: there is no such adapter, or its files are broken.
    """
    try:
        return artefact.read_manifest(folder)
    except ArtefactError as exc:
        raise AdapterError(f"init_adapter {folder}: {exc}") from exc
