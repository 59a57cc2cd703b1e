"""Whether a training that was done again gave the same: by provenance, metrics and weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pointsman.artefact import WEIGHTS, Manifest, version_of

_CLOCK = ("seconds", "per_second")  # metrics of the machine, not of the result


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of both; None where one has none."""

    name: str
    first: float | None
    second: float | None

    @property
    def apart(self) -> float:
        """The difference as a share of the larger of both; infinite where one is missing or no number."""
        if self.first is None or self.second is None:
            return math.inf
        largest = max(abs(self.first), abs(self.second))
        found = abs(self.first - self.second) / largest if largest else 0.0
        return found if math.isfinite(found) else math.inf


@dataclass(frozen=True, slots=True)
class Comparison:
    """An artefact and what the same recipe made once more."""

    same_version: bool  # every byte of weights and config
    unlike: tuple[str, ...]  # what went in differently, a sentence each
    metrics: tuple[Metric, ...]
    largest: float | None  # of weights: the largest difference over the largest number; None: not compared

    def close(self, tolerance: float) -> bool:
        """Whether the same came out, or every metric within ``tolerance``, a share."""
        return self.same_version or all(metric.apart <= tolerance for metric in self.metrics)


def compare(
    first: Manifest, version: str, second: Manifest, folder: Path, weights: Path | None
) -> Comparison:
    """``first`` is the version's, ``second`` of the artefact in ``folder``; ``weights`` are the version's.

    Raises:
        ArtefactError: ``folder`` is no artefact.
    """
    same = version_of(folder) == version
    largest = 0.0 if same else None
    if not same and weights is not None:
        largest = _largest(weights, folder / WEIGHTS)
    return Comparison(same, tuple(_unlike(first, second)), tuple(_metrics(first, second)), largest)


def _unlike(first: Manifest, second: Manifest) -> Iterable[str]:
    if first.base != second.base:
        yield "the base is another one"
    for source in sorted({*first.data, *second.data}):
        was, now = first.data.get(source, "not there"), second.data.get(source, "not there")
        if was != now:
            yield f"the rows of {source} were {was[:12]}, now {now[:12]}"
    if first.code != second.code:
        yield f"the code was {first.code}, now {second.code}"
    for library in sorted({*first.libraries, *second.libraries}):
        was, now = first.libraries.get(library, "absent"), second.libraries.get(library, "absent")
        if was != now:
            yield f"{library} was {was}, now {now}"
    if first.parent != second.parent:
        yield f"it went on from {first.parent or 'nothing'}, now from {second.parent or 'nothing'}"


def _metrics(first: Manifest, second: Manifest) -> Iterable[Metric]:
    for name in sorted({*first.metrics, *second.metrics}):
        if not name.endswith(_CLOCK):
            yield Metric(name, first.metrics.get(name), second.metrics.get(name))


def _largest(one: Path, other: Path) -> float | None:
    """Over all numbers; None where the tensors are not the same by name and shape."""
    from safetensors.torch import load

    first, second = _read(load, one), _read(load, other)
    if {name: tensor.shape for name, tensor in first.items()} != {
        name: tensor.shape for name, tensor in second.items()
    }:
        return None
    largest = max((float(tensor.float().abs().max()) for tensor in first.values()), default=0.0)
    apart = max(
        (float((tensor.float() - second[name].float()).abs().max()) for name, tensor in first.items()),
        default=0.0,
    )
    return apart / largest if largest else math.inf


def _read(load: Any, path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = load(path.read_bytes())
    return found
