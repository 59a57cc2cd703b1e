"""Which files a recipe learns from, and what is in them: whether they are what they were the last time."""

from __future__ import annotations

from collections.abc import Mapping

from pointsman.artefact import sha256_file
from training.recipe import Recipe


def hashes(recipe: Recipe) -> dict[str, str]:
    """Each file of its sources with the SHA-256 of its bytes; one that is not there is left out."""
    sources = getattr(recipe.data, "sources", ())
    paths = [source.path for source in sources if getattr(source, "path", None) is not None]
    return {str(path): sha256_file(path) for path in paths if path.is_file()}


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The files that are others now, or gone, or new."""
    return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))
