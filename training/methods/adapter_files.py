"""Whether the weights of an adapter are those that its configuration says, on its base, and all numbers.

PEFT passes over weights that are missing or of no layer, and leaves those as they began.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman import artefact
from training.errors import AdapterError
from training.methods import lora, virtual_tokens
from training.models import weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def require(shape: PreTrainedModel, folder: Path, what: str) -> None:
    """Hold the adapter in ``folder``, of any of PEFT's kinds, beside its base.

    Args:
        shape: the base, which needs no weights; it has the adapter on it afterwards.
        folder: the adapter's two files.
        what: what it is, in words.

    Raises:
        AdapterError: a file is missing or broken, the configuration is none for this base, the weights have
            other names or shapes than it says, or a number of them is NaN or infinite.
    """
    weights.require(folder, what, AdapterError)
    if unlike := weights.misfits(weights.shapes(folder), _wanted(shape, folder, what)):
        raise AdapterError(
            f"{what} {folder / artefact.WEIGHTS} does not hold what {artefact.CONFIG} says: {unlike}; copy "
            "both anew from where they came"
        )
    if broken := weights.not_finite(folder):
        raise AdapterError(f"{what} {folder / artefact.WEIGHTS}: {broken}; train it anew")


def _wanted(shape: PreTrainedModel, folder: Path, what: str) -> dict[str, tuple[int, ...]]:
    """Name → shape of the weights that an adapter of this configuration has."""
    try:
        kind = json.loads((folder / artefact.CONFIG).read_bytes())["peft_type"]
        shapes = lora.shapes if kind == "LORA" else virtual_tokens.shapes
        return shapes(shape, folder)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as exc:
        reason = str(exc).splitlines()[0]
        raise AdapterError(
            f"{what} {folder / artefact.CONFIG} can't be read, or is of another base: {reason}; copy it anew "
            "from where it came"
        ) from exc
