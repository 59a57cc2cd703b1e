"""What must be live of an alias after what was done to it: a model apart from the code."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Literal

from service.adapters.version import Live

Kind = Literal["promote", "canary", "rollback", "retire", "spoil", "conflict"]
WEIGHTS = (5, 20, 50, 80)  # percent, of canaries
_OFTEN: dict[Kind, int] = {
    "promote": 4, "canary": 4, "rollback": 3, "retire": 2, "spoil": 1, "conflict": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One change that is to be asked for."""

    kind: Kind
    version: str = ""  # of which; none for a rollback
    weight: int = 100


@dataclass
class Expected:
    """One alias with its versions."""

    alias: str
    versions: tuple[str, ...]
    live: Live | None = None
    retired: set[str] = field(default_factory=set)
    _changes: list[tuple[Live | None, Live]] = field(default_factory=list)  # that were not undone

    def choose(self, random: Random, *, spoil: bool) -> Operation:
        """What could be done next."""
        if self.live is None:
            return Operation("promote", random.choice(self.versions))
        kinds = [kind for kind in _OFTEN if spoil or kind != "spoil"]
        while True:
            kind = random.choices(kinds, [_OFTEN[kind] for kind in kinds])[0]
            others = [version for version in self.versions if version not in self.live.versions]
            if kind == "promote":
                wanted = [version for version in self.versions if Live(version) != self.live]
                return Operation(kind, random.choice(wanted))
            if kind == "canary":
                canary = self.live.canary or random.choice(others)
                weights = [weight for weight in WEIGHTS if weight != self.live.weight]
                return Operation(kind, canary, random.choice(weights))
            if kind == "rollback":
                return Operation(kind)
            if kind == "conflict":  # nobody retires what is live
                return Operation(kind, random.choice(self.live.versions))
            if there := [version for version in others if version not in self.retired]:
                return Operation(kind, random.choice(there))

    def way_back(self) -> Live | None:
        """Where a rollback leads; None: it must be refused."""
        back = self._steps_back()[1]
        return None if back is None or self.retired.intersection(back.versions) else back

    def promoted(self, version: str, weight: int) -> None:
        """``version`` has got ``weight`` percent."""
        assert self.live is not None or weight == 100
        after = (
            Live(version) if weight == 100 or self.live is None else Live(self.live.primary, version, weight)
        )
        if after != self.live:
            self._changes.append((self.live, after))
            self.live = after

    def rolled_back(self) -> None:
        """The newest live version has lost its share, by all the changes that gave it one."""
        count, back = self._steps_back()
        assert back is not None
        del self._changes[-count:]
        self.live = back

    def _steps_back(self) -> tuple[int, Live | None]:
        if not self._changes:
            return 0, None
        newest = self._changes[-1][1].versions[-1]
        for count, (before, _) in enumerate(reversed(self._changes), 1):
            if before is None or newest not in before.versions:
                return count, before
        return 0, None
