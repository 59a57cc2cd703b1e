"""What the house lends to chains: the router's encoder, and a folder to keep things in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class TextEncoder(Protocol):
    """Text → vectors; may be used by any thread, and blocks."""

    @property
    def identity(self) -> str:
        """A hash: equal for encoders that give equal vectors."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """``(N, H)`` L2-normalised vectors of ``N`` texts."""
        ...


@dataclass(frozen=True, slots=True)
class Resources:
    """Given to every chain once, by ``warm``."""

    encoder: TextEncoder
    state: Path  # of this gateway; a chain makes folders of its own in it
