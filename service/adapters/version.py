"""What is known of one version: as the registry has it, in memory, and as it is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from pointsman.moves import Moves
from service.engine import EngineClient

State = Literal["registered", "loaded", "live", "draining", "rejected", "retired"]


class VersionInfo(BaseModel):
    """One version as it is shown."""

    model_config = ConfigDict(frozen=True)

    alias: str
    version: str
    name: str  # alias@version, vLLM's name for it
    state: State
    weight: int  # percent of the alias's conversations
    canary: bool  # live beside the version that it may replace
    leases: int  # requests that use it now
    loaded: bool  # a server of the engine has it
    rank: int
    base: str  # the base's name for clients
    folder: str  # it was registered from
    created: datetime  # registered at
    live_since: datetime | None
    metrics: dict[str, float]  # of the manifest


@dataclass(frozen=True)
class Live:
    """Who answers for an alias: a primary, and perhaps a canary that gets ``weight`` percent."""

    primary: str
    canary: str | None = None
    weight: int = 0

    @property
    def versions(self) -> tuple[str, ...]:
        """Primary first."""
        return (self.primary,) if self.canary is None else (self.primary, self.canary)

    def weight_of(self, version: str) -> int:
        """Percent of the conversations that ``version`` gets."""
        if version == self.canary:
            return self.weight
        return 100 - self.weight if version == self.primary else 0

    def choose(self, alias: str, conversation: str) -> str:
        """The version of a conversation: always the same as long as this object stays live."""
        digest = hashlib.sha256(f"{alias}\0{conversation}".encode()).digest()
        point = int.from_bytes(digest[:8]) % 100  # a canary that grows keeps the conversations it has
        return self.canary if self.canary is not None and point < self.weight else self.primary


@dataclass(frozen=True)
class Verdict:
    """What a gate said of a version."""

    passed: bool  # False: it must not get requests of its alias
    report: Mapping[str, Any]
    by: str
    at: datetime

    @property
    def reasons(self) -> str:
        """Why it was refused, as far as its report says."""
        found = self.report.get("reasons")
        return "; ".join(map(str, found)) if isinstance(found, list) and found else "its report says why"


@dataclass(frozen=True)
class Record:
    """A version as the registry has it."""

    alias: str
    version: str
    rank: int
    folder: str
    base_weights: str  # sha256 of the base it was trained on
    created: datetime
    metrics: dict[str, float]
    live_since: datetime | None = None
    retired: bool = False

    @property
    def name(self) -> str:
        """``alias@version``"""
        return f"{self.alias}@{self.version}"


@dataclass(eq=False)
class Entry:
    """A version in memory."""

    record: Record
    loaded_on: set[EngineClient] = field(default_factory=set)
    leases: int = 0
    uses: int = 0  # leases ever
    used: float = 0.0  # seconds on the loop's clock
    verdict: Verdict | None = None
    moves: Moves | None = None  # what is in force with it
    draining: bool = False  # was live, or was retired, and is still in use or loaded

    @property
    def name(self) -> str:
        """``alias@version``"""
        return self.record.name
