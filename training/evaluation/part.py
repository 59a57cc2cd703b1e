"""What the parts of an evaluation have in common: rows that were read beforehand, and results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from training.evaluation.measures import Measure
from training.served.endpoint import Endpoint

Done = Callable[[], object]  # called after each request


@dataclass(frozen=True, slots=True)
class Result:
    """What one part found out about one model."""

    measures: Mapping[str, Measure]
    details: Sequence[Mapping[str, Any]] = field(default=(), repr=False)  # one a row, to look into


class Part(Protocol):
    """One part of a plan with its rows; asks any number of models."""

    @property
    def name(self) -> str: ...  # such as "loss.support"; its measures are named under it
    @property
    def requests(self) -> int: ...  # how often ``done`` is called
    @property
    def dropped(self) -> Mapping[str, int]: ...  # why → rows
    async def ask(self, endpoint: Endpoint, done: Done) -> Result:
        """Raises EndpointError."""
        ...
