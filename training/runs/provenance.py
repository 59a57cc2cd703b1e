"""Where an artefact comes from: code, libraries, data and recipe, as its manifest says them."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from pointsman.artefact import BaseIdentity, Manifest
from training.recipe import Recipe

LIBRARIES = (
    *("torch", "transformers", "trl", "peft", "bitsandbytes"),
    *("tokenizers", "datasets", "accelerate", "numpy"),
)


def manifest(
    recipe: Recipe,
    *,
    base: BaseIdentity | None,
    data: dict[str, str],
    metrics: dict[str, float],
    parent: str | None = None,
    warning: str | None = None,
) -> Manifest:
    """The manifest of what ``recipe`` made just now."""
    return Manifest(
        alias=getattr(recipe, "alias", None) or recipe.name,
        stage=recipe.stage,
        base_model=recipe.base or "",
        base=base,
        recipe=recipe.model_dump(mode="json"),
        data=data,
        seed=recipe.seed,
        code=code(),
        libraries=libraries(),
        metrics=metrics,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        parent=parent,
        method=getattr(recipe, "method", "lora"),
        warning=warning,
    )


def libraries() -> dict[str, str]:
    """Versions of what decides the numbers."""
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "absent"
    return versions


def code() -> str:
    """The git commit of this code, with ``+changes`` where its tree was not clean; else ``unknown``."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return "unknown"
    return commit + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
