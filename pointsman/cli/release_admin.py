"""The gateway's admin as a release needs it: refusals and conflicts are told from what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pointsman.cli.desk import Desk
    from pointsman.moves import Moves


@dataclass(frozen=True, slots=True)
class Admin:
    """The gateway's admin as a release needs it."""

    desk: Desk
    by: str
    key: Path | None  # that signs what is registered
    report: Callable[[str], None] = lambda _: None

    def versions(self) -> list[dict[str, Any]]:
        """Every version."""
        return self.desk.versions()

    def register(self, alias: str, artefact: Path) -> Mapping[str, Any]:
        """Check and enter; raises CandidateRefused."""
        from pointsman.cli.desk import placed
        from pointsman.cli.push import is_elsewhere, pushed
        from pointsman.signing import sign

        if self.key is not None:
            sign(artefact, self.key)
        if is_elsewhere(self.desk.url):
            with _refusing():
                return pushed(self.desk, alias, artefact, self.report)
        with _refusing(), placed(artefact, self.desk.config) as name:
            return self.desk.register(alias, name)

    def carry(self, alias: str, version: str, moves: Moves | None) -> object:
        """Have this move with it; raises CandidateRefused, ReleaseConflict."""
        with _refusing(), _conflicting():
            return self.desk.carry(alias, version, moves)

    def route(self, alias: str, version: str, texts: Sequence[str]) -> list[dict[str, Any]]:
        """The intents of texts as if it answered all of its alias."""
        return self.desk.route(alias, version, texts)

    def load(self, alias: str, version: str) -> Mapping[str, Any]:
        """Load and probe; raises CandidateRefused."""
        with _refusing():
            return self.desk.load(alias, version)

    def judge(self, alias: str, version: str, *, passed: bool, report: Mapping[str, Any]) -> object:
        """Keep the verdict."""
        return self.desk.judge(alias, version, passed=passed, report=report, by=self.by)

    def promote(self, alias: str, version: str, weight: int, beside: Sequence[str]) -> object:
        """Give it requests; raises ReleaseConflict."""
        with _conflicting():
            return self.desk.promote(alias, version, weight, self.by, beside)

    def rollback(self, alias: str, version: str) -> object:
        """Go back; raises ReleaseConflict."""
        with _conflicting():
            return self.desk.rollback(alias, version)

    def shadow(self, alias: str, version: str, share: int) -> Mapping[str, Any]:
        """Have it answer along; raises ReleaseConflict."""
        with _conflicting():
            return self.desk.shadow(alias, version, share)

    def metrics(self) -> str:
        """The counters."""
        return self.desk.metrics()


@contextmanager
def _refusing() -> Iterator[None]:
    """Within it what the gateway finds wrong with an artefact is a refusal, not a failure."""
    from pointsman.cli.gateway import Refused
    from training.errors import CandidateRefused

    try:
        yield
    except Refused as exc:
        if exc.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        raise CandidateRefused(exc.problems) from exc


@contextmanager
def _conflicting() -> Iterator[None]:
    """Within it a change that the gateway refuses because somebody else made one is a conflict."""
    from pointsman.cli.gateway import Refused
    from training.errors import ReleaseConflict

    try:
        yield
    except Refused as exc:
        if exc.status != HTTPStatus.CONFLICT:
            raise
        raise ReleaseConflict(str(exc)) from exc
