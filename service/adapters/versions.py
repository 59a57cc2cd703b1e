"""What is known of adapter versions in memory: the facts of the registry and the state of the engine.

Changed only in the event loop and never across an ``await``, so that a request always sees one whole
state.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from pointsman.artefact import ALIAS, VERSION_DIGITS
from pointsman.moves import Moves
from service.engine import EngineClient
from service.errors import AdapterNotFound, ModelNotFound

State = Literal["registered", "loaded", "live", "draining", "rejected", "retired"]
_NAME = re.compile(rf"{ALIAS.pattern}@[0-9a-f]{{{VERSION_DIGITS}}}")


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


class Versions:
    """Every version and who is live."""

    def __init__(self, base_name: str) -> None:
        self._base_name = base_name
        self._entries: dict[str, Entry] = {}  # by name, in the order of their registration
        self._live: dict[str, Live] = {}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def put(self, record: Record) -> Entry:
        """Add a version, or replace what is known of it."""
        entry = self._entries.setdefault(record.name, Entry(record))
        entry.record = record
        return entry

    def get(self, alias: str, version: str) -> Entry:
        """One version.

        Raises:
            AdapterNotFound
        """
        entry = self._entries.get(f"{alias}@{version}")
        if entry is None:
            known = [one.record.version for one in self if one.record.alias == alias]
            hint = f"; it has {', '.join(known)}" if known else "; no version of it is registered"
            raise AdapterNotFound(f"the adapter {alias!r} has no version {version!r}{hint}")
        return entry

    def named(self, name: str) -> Entry | None:
        """The version that is called ``name`` (alias@version)."""
        return self._entries.get(name)

    def live(self, alias: str) -> Live | None:
        """Who is live for ``alias``."""
        return self._live.get(alias)

    def aliases(self) -> list[tuple[str, Live]]:
        """Every alias that has one, and who is live for it."""
        return list(self._live.items())

    def set_live(self, alias: str, live: Live, since: datetime | None = None) -> None:
        """Make ``live`` answer from the next request on. ``since`` is of those that were not live before."""
        before = self._live.get(alias)
        self._live[alias] = live
        for version in live.versions:
            entry = self.get(alias, version)
            entry.draining = False
            if since is not None and (before is None or version not in before.versions):
                entry.record = replace(entry.record, live_since=since)
        for version in before.versions if before is not None else ():
            if version not in live.versions:
                entry = self.get(alias, version)
                entry.draining = entry.leases > 0

    def clear_live(self, alias: str) -> None:
        """Let nobody answer for ``alias`` from the next request on."""
        del self._live[alias]

    def is_live(self, entry: Entry) -> bool:
        """Whether the version gets requests of its alias."""
        live = self._live.get(entry.record.alias)
        return live is not None and entry.record.version in live.versions

    def live_entries(self) -> list[Entry]:
        """Every live version, primaries before canaries."""
        found = [self.get(alias, live.primary) for alias, live in self._live.items()]
        return found + [self.get(a, live.canary) for a, live in self._live.items() if live.canary is not None]

    def knows(self, model: str) -> bool:
        """Whether ``model`` is an alias with a live version or an ``alias@version`` that may be used."""
        entry = self._entries.get(model)
        return model in self._live or (entry is not None and not entry.record.retired)

    def pick(self, model: str, conversation: str) -> Entry:
        """The version that answers a conversation.

        Raises:
            ModelNotFound
        """
        if (live := self._live.get(model)) is not None:
            return self._entries[f"{model}@{live.choose(model, conversation)}"]
        entry = self._entries.get(model)
        if entry is None or entry.record.retired:
            raise ModelNotFound(f"the model {model[:200]!r} does not exist", "model")
        return entry

    @staticmethod
    def foreign(names: set[str]) -> set[str]:
        """Those of ``names`` that have the form of a version's name."""
        return {name for name in names if _NAME.fullmatch(name)}

    def info(self, entry: Entry) -> VersionInfo:
        """The version as it is shown."""
        record, live = entry.record, self._live.get(entry.record.alias)
        return VersionInfo(
            alias=record.alias,
            version=record.version,
            name=record.name,
            state=self._state(entry),
            weight=live.weight_of(record.version) if live is not None else 0,
            canary=live is not None and live.canary == record.version,
            leases=entry.leases,
            loaded=bool(entry.loaded_on),
            rank=record.rank,
            base=self._base_name,
            folder=record.folder,
            created=record.created,
            live_since=record.live_since,
            metrics=record.metrics,
        )

    def _state(self, entry: Entry) -> State:
        if self.is_live(entry):
            return "live"
        if entry.draining:
            return "draining"
        if entry.record.retired:
            return "retired"
        if entry.verdict is not None and not entry.verdict.passed:
            return "rejected"
        return "loaded" if entry.loaded_on else "registered"
