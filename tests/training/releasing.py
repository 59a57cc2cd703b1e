"""A gateway's admin in memory, and releases that may be killed at any of its calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pointsman.artefact import CONFIG, WEIGHTS, version_of
from pointsman.moves import Moves
from training.errors import CandidateRefused, ReleaseConflict
from training.evaluation.evaluate import Findings
from training.evaluation.measures import ratio
from training.release.journal import Journal, opened
from training.release.recipe import ReleaseRecipe
from training.release.release import Release

OLD = "0" * 12
METRIC = "answers.desk.correct"


class Killed(BaseException):
    """The process ended here."""


def artefact(folder: Path, content: str = "new") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS).write_text(content, encoding="utf-8")
    (folder / CONFIG).write_text("{}", encoding="utf-8")
    return folder


def recipe(folder: Path, **changes: Any) -> ReleaseRecipe:
    """A release of the artefact in ``folder`` with a canary of two steps."""
    content: dict[str, Any] = {
        "name": "r",
        "alias": "support",
        "artefact": str(folder),
        "evaluation": {"answers": {"desk": {"path": "unread.jsonl"}}},
        "gate": [{"metric": METRIC, "at_least": "live - 0.1"}],
        "canary": {"steps": [{"weight": 10, "requests": 20}, {"weight": 50, "seconds": 3}]},
    }
    return ReleaseRecipe.model_validate(content | changes)


@dataclass
class FakeGateway:
    """Versions of one alias and the weights that they have; traffic comes with every look at the counters."""

    live: list[str] = field(default_factory=lambda: [OLD])  # primary, canary
    weight: int = 0
    known: set[str] = field(default_factory=lambda: {OLD})
    refused: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    before: list[list[str]] = field(default_factory=list)  # to go back to
    refuses: dict[str, list[str]] = field(default_factory=dict)  # call → problems
    failing: float = 0.0  # share of the canary's requests that fail
    calls: list[str] = field(default_factory=list)
    kill: tuple[int, bool] | None = None  # the call, and whether its effect is still had
    answered: dict[str, int] = field(default_factory=dict)
    shadows: int = 0  # answers that were compared
    shadowed: str | None = None  # who answers along now
    differing: float = 0.0  # share of them that are not the live version's
    moves: dict[str, Moves] = field(default_factory=dict)  # by version
    most: int = 0  # highest weight that a canary has had

    def _call(self, name: str, effect: Callable[[], Any]) -> Any:
        self.calls.append(name)
        killed = self.kill is not None and len(self.calls) == self.kill[0]
        if killed and self.kill is not None and not self.kill[1]:
            raise Killed
        if problems := self.refuses.get(name):
            raise CandidateRefused(problems)
        found = effect()
        if killed:
            raise Killed
        return found

    def versions(self) -> list[dict[str, Any]]:
        return [
            {
                "alias": "support",
                "version": version,
                "state": "live" if version in self.live else "loaded",
                "canary": version in self.live[1:],
            }
            for version in sorted(self.known)
        ]

    def register(self, alias: str, artefact: Path) -> Mapping[str, Any]:
        version = version_of(artefact)
        found: Mapping[str, Any] = self._call("register", lambda: self.known.add(version)) or {}
        return found

    def carry(self, alias: str, version: str, moves: Moves | None) -> object:
        """One call, if there is something to carry."""
        if moves is None:
            return self.moves.pop(version, None)
        return self._call("carry", lambda: self.moves.update({version: moves}))

    def route(self, alias: str, version: str, texts: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Knows the intents that move with the version, and no other."""
        known = self.moves.get(version)
        intents = {} if known is None else {one.text: one.intent for one in known.examples}
        return [{"intent": intents.get(text)} for text in texts]

    def load(self, alias: str, version: str) -> Mapping[str, Any]:
        return self._call("load", dict)  # type: ignore[no-any-return]

    def judge(self, alias: str, version: str, *, passed: bool, report: Mapping[str, Any]) -> object:
        def effect() -> None:
            assert passed or version not in self.live
            self.refused.pop(version, None)
            if not passed:
                self.refused[version] = report

        return self._call("judge", effect)

    def promote(self, alias: str, version: str, weight: int, beside: Sequence[str]) -> object:
        def effect() -> None:
            if list(beside) != self.live:
                raise ReleaseConflict(f"{self.live} are live")
            assert version not in self.refused
            if version not in self.live:
                self.before.append(list(self.live))
            self.live = [version] if weight == 100 else [self.live[0], version]
            self.weight = weight
            self.most = max(self.most, weight)

        return self._call("promote", effect)

    def rollback(self, alias: str, version: str) -> object:
        def effect() -> None:
            if self.live[-1] != version:
                raise ReleaseConflict(f"{self.live} are live")
            self.live, self.weight = self.before.pop(), 0

        return self._call("rollback", effect)

    def shadow(self, alias: str, version: str, share: int) -> Mapping[str, Any]:
        """Ten answers come between two looks."""

        def effect() -> Mapping[str, Any]:
            self.shadowed = version if share else None
            self.shadows += 10 * bool(share)
            different = round(self.differing * self.shadows)
            return {
                **{"same": self.shadows - different, "different": different, "failed": 0},
                **{"left_out": 0, "seconds": 1.0, "live_seconds": 1.0, "differences": []},
            }

        found: Mapping[str, Any] = self._call("shadow", effect)
        return found

    def metrics(self) -> str:
        lines = ["# TYPE pointsman_requests counter"]
        for place, version in enumerate(self.live):
            name = f"support@{version}"
            self.answered[name] = self.answered.get(name, 0) + 10
            bad = round(self.failing * self.answered[name]) if place else 0
            labels = f'intent="a",chain="direct",adapter="{name}",status='
            lines.append(f'pointsman_requests_total{{{labels}"200"}} {self.answered[name] - bad}')
            lines.append(f'pointsman_requests_total{{{labels}"502"}} {bad}')
        return "\n".join([*lines, "# EOF"])


def findings(models: Sequence[str], share: float) -> list[Findings]:
    """The first model answers ``share`` right, the others nine in ten."""
    found = []
    for place, model in enumerate(models):
        right = np.arange(50) < round(50 * (0.9 if place else share))
        found.append(Findings(model, (), {METRIC: ratio(right.astype(float).tolist(), [1.0] * 50)}, []))
    return found


def run(
    asked: ReleaseRecipe, gateway: FakeGateway, runs: Path, share: float = 0.9, undo: bool = False
) -> Journal:
    """One process at the release; its clock counts pauses."""
    seconds = [0.0]

    def pause() -> None:
        seconds[0] += 1

    with opened(asked, runs) as journal:
        release = Release(
            asked,
            journal,
            gateway,
            train=lambda path: artefact(runs / path.stem),
            fetch=Path,
            evaluate=lambda models: findings(models, share),
            report=lambda _: None,
            pause=pause,
            clock=lambda: seconds[0],
        )
        return release.undo() if undo else release.run()
