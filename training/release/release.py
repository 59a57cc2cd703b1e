"""One release, step by step: train → register → evaluate → gate → shadow → canary → promote.

DESIGN's order has the gate before the registration; here the candidate is registered first, with no traffic,
because what is judged is the served candidate. Knows no HTTP: the gateway's admin is a ``Gateway``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pointsman.artefact import version_of
from training.errors import CandidateRefused, ReleaseConflict
from training.evaluation.evaluate import Findings
from training.release import canary, gate, results, shadow
from training.release.gateway import Gateway
from training.release.journal import Journal, State
from training.release.moving import with_routing
from training.release.recipe import Canary, ReleaseRecipe

Report = Callable[[str], None]
Evaluate = Callable[[Sequence[str]], Sequence[Findings]]  # of these models, on the same rows


@dataclass(frozen=True, slots=True)
class Release:
    """A release and what it works with; every step may be done twice."""

    recipe: ReleaseRecipe
    journal: Journal
    gateway: Gateway
    train: Callable[[Path], Path]  # a training recipe → the artefact's folder
    fetch: Callable[[str], Path]  # a folder or a URL → the artefact's folder
    evaluate: Evaluate
    report: Report
    pause: Callable[[], object]  # between two looks at a canary
    clock: Callable[[], float]  # seconds

    def run(self) -> Journal:
        """Go on from the first step that is not done; the journal says how it ended.

        Raises:
            ReleaseConflict: it was undone, or its data or what is live changed under it.
            TrainingError: of training and evaluation.
        """
        self.journal.go_on()
        for name, step in (
            ("train", self._train),
            ("register", self._register),
            ("evaluate", self._evaluate),
            ("gate", self._gate),
            ("shadow", self._shadow),
            ("canary", self._canary),
            ("promote", self._promote),
        ):
            if self.journal.ended:
                break
            if name not in self.journal.steps:
                self.report(f"{name}: {self.recipe.alias}")
                step()
        return self.journal

    def undo(self) -> Journal:
        """Take the candidate out of traffic, whatever share it has; everything else stays as it is.

        Raises:
            ReleaseConflict: another version came after it, so that going back would take that one away.
        """
        if "register" in self.journal.steps:
            live = self._live()
            if self._version in live:
                if live[-1] != self._version:
                    raise ReleaseConflict(
                        f"{self.recipe.alias}@{live[-1]} became a canary after {self._version}; take that "
                        f"one back first: pointsman adapters rollback {self.recipe.alias}"
                    )
                self.gateway.rollback(self.recipe.alias, self._version)
            if self.recipe.shadow is not None:
                self.gateway.shadow(self.recipe.alias, self._version, 0)
        self.journal.end("undone", ["by hand"])
        return self.journal

    @property
    def _version(self) -> str:
        return str(self.journal.steps["train"]["version"])

    @property
    def _name(self) -> str:
        return f"{self.recipe.alias}@{self._version}"

    def _live(self) -> list[str]:
        """The live versions of the alias: the primary, then a canary if there is one."""
        found = [
            version
            for version in self.gateway.versions()
            if version["alias"] == self.recipe.alias and version["state"] == "live"
        ]
        found.sort(key=lambda version: bool(version["canary"]))
        return [str(version["version"]) for version in found]

    def _train(self) -> None:
        if self.recipe.train is not None:  # before the minutes that it takes: a gateway, and no other canary
            self._alone(self._live())
        given = self.recipe.artefact
        artefact = self.fetch(given) if given is not None else self.train(self.recipe.train or Path())
        self.journal.done("train", artefact=str(artefact), version=version_of(artefact))

    def _register(self) -> None:
        artefact = Path(self.journal.steps["train"]["artefact"])
        if (now := version_of(artefact)) != self._version:
            self.journal.forget("train")
            raise ReleaseConflict(
                f"{artefact} has changed since this release began, from {self._version} to {now}; run the "
                "same command again to release what is there now"
            )
        try:
            self.gateway.register(self.recipe.alias, artefact)
        except CandidateRefused as exc:  # it is in no registry, so there is nothing to mark
            self.journal.end("rejected", exc.problems)
            return
        try:
            moves = None if self.recipe.moves is None else self.recipe.moves.read(self.recipe.evaluation.seed)
            self.gateway.carry(self.recipe.alias, self._version, moves)
            self.gateway.load(self.recipe.alias, self._version)
        except CandidateRefused as exc:
            self._reject(exc.problems, {})
            return
        self.journal.done("register", name=self._name)

    def _evaluate(self) -> None:
        live = self._live()
        if live[:1] == [self._version]:
            raise ReleaseConflict(f"{self._name} is live already; there is nothing to release")
        live = [version for version in live if version != self._version]  # a canary, of a run that was killed
        self._alone(live)
        models = [self._name, *(f"{self.recipe.alias}@{version}" for version in live)]
        rows = {name: texts.read(self.recipe.evaluation.seed) for name, texts in self.recipe.routing.items()}
        route = partial(self.gateway.route, self.recipe.alias)
        results.write(self.journal.folder, [with_routing(one, rows, route) for one in self.evaluate(models)])
        self.journal.done("evaluate", live=live[0] if live else None)

    def _gate(self) -> None:
        measured = results.read(self.journal.folder)
        live = self.journal.steps["evaluate"]["live"]
        verdict = gate.judge(
            self.recipe.gate,
            measured[self._name],
            measured[f"{self.recipe.alias}@{live}"] if live else None,
        )
        rows = [asdict(row) for row in verdict.rows]
        for row in verdict.rows:
            self.report(f"gate: {row.metric} {row.bound}: {row.outcome}, {row.why}")
        found = {"rows": rows, "compared_with": live}
        if not verdict.passed:
            self._reject(verdict.reasons, found, gate=found)
            return
        report = {"release": self.recipe.name, "reasons": [], **found}
        self.gateway.judge(self.recipe.alias, self._version, passed=True, report=report)
        self.journal.done("gate", **found)

    def _shadow(self) -> None:
        plan = self.recipe.shadow
        if plan is None or self.journal.steps["evaluate"]["live"] is None:  # nobody's answers to compare with
            self.journal.done("shadow", answers=0)
            return
        why, told = shadow.run(
            plan,
            ask=lambda share: self.gateway.shadow(self.recipe.alias, self._version, share),
            report=self.report,
            pause=self.pause,
            clock=self.clock,
        )
        if why:
            self._reject([f"shadow: {why}"], self.journal.steps["gate"], shadow=told)
            return
        self.journal.done("shadow", **told)

    def _canary(self) -> None:
        plan, live = self.recipe.canary, self.journal.steps["evaluate"]["live"]
        self._unchanged(live)
        if plan is None or live is None:
            self.journal.done("canary", steps=0)
            return
        if "tripped" not in self.journal.steps:  # by a run that was killed before it could take it back
            tripped = self._walk(plan, live)
            if not tripped:
                self.journal.done("canary", steps=len(plan.steps))
                return
            self.journal.done("tripped", why=tripped)
        if self._version in self._live():
            self.gateway.rollback(self.recipe.alias, self._version)
        reasons = [f"canary: {self.journal.steps['tripped']['why']}"]
        self._reject(reasons, self.journal.steps["gate"], state="rolled back")

    def _walk(self, plan: Canary, live: str) -> str:
        return canary.run(
            plan,
            self._name,
            f"{self.recipe.alias}@{live}",
            give=lambda weight: self._give(weight, live),
            metrics=self.gateway.metrics,
            report=self.report,
            pause=self.pause,
            clock=self.clock,
        )

    def _promote(self) -> None:
        self._give(100, self.journal.steps["evaluate"]["live"])
        self.journal.done("promote", name=self._name)
        self.journal.end("promoted", [])

    def _give(self, weight: int, compared: str | None) -> None:
        """A share, beside what the candidate was compared with and nobody else."""
        self.gateway.promote(self.recipe.alias, self._version, weight, self._unchanged(compared))

    def _unchanged(self, compared: str | None) -> list[str]:
        """What is live, once it is sure that what the candidate was compared with is what it replaces."""
        found = self._live()
        live = [version for version in found if version != self._version]
        if live and live[0] != compared:
            self.journal.forget("evaluate", "gate", "shadow", "canary")
            raise ReleaseConflict(
                f"{self.recipe.alias}@{live[0]} is live now, and {self._name} was compared with "
                f"{compared or 'nothing'}; run the same command again to compare it with that"
            )
        self._alone(live)
        return found

    def _alone(self, live: Sequence[str]) -> None:
        if len(live) > 1:
            raise ReleaseConflict(
                f"{self.recipe.alias}@{live[1]} is a canary already; promote it or take it back first: "
                f"pointsman adapters rollback {self.recipe.alias}"
            )

    def _reject(
        self,
        reasons: list[str],
        report: Mapping[str, Any],
        *,
        state: State = "rejected",
        **steps: dict[str, Any],
    ) -> None:
        content = {"release": self.recipe.name, **report, "reasons": reasons}
        self.gateway.judge(self.recipe.alias, self._version, passed=False, report=content)
        self.journal.end(state, reasons, **steps)
