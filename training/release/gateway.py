"""What a release asks of the gateway's admin: HTTP for the command line, memory for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pointsman.moves import Moves


class Gateway(Protocol):
    """A version is as ``/admin/adapters`` shows it."""

    def versions(self) -> list[dict[str, Any]]: ...
    def register(self, alias: str, artefact: Path) -> Mapping[str, Any]:
        """Raises CandidateRefused."""
        ...

    def carry(self, alias: str, version: str, moves: Moves | None) -> object:
        """Have this move with it, None: nothing. Raises CandidateRefused, ReleaseConflict."""
        ...

    def route(self, alias: str, version: str, texts: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """The ``intent`` of each text as if the version answered all of its alias; None: abstained."""
        ...

    def load(self, alias: str, version: str) -> Mapping[str, Any]:
        """Load and probe, with no traffic. Raises CandidateRefused."""
        ...

    def judge(self, alias: str, version: str, *, passed: bool, report: Mapping[str, Any]) -> object: ...
    def promote(self, alias: str, version: str, weight: int, beside: Sequence[str]) -> object:
        """Only where ``beside`` is what is live, the primary first; raises ReleaseConflict."""
        ...

    def rollback(self, alias: str, version: str) -> object:
        """Only where ``version`` is the newest that is live; raises ReleaseConflict."""
        ...

    def shadow(self, alias: str, version: str, share: int) -> Mapping[str, Any]:
        """Have it answer a share along, 0 ends it; what came of that so far."""
        ...

    def metrics(self) -> str:
        """Prometheus's text."""
        ...
