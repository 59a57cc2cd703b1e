"""What is laid over a fitted model: rules before it; parents, parameters and the cost of a switch after it.

It is read from the routes and changes without a fit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from router.deciding.decision import Decision
from router.deciding.parameters import Parameters, extract
from router.deciding.rules import Fired, Rule, first
from router.examples import RoutingExamples
from router.learning.report import FitWarning, quoted
from router.text.conversation import Turn, clean

MOST_CHARGED = 0.5  # of confidence, however long a conversation is


@dataclass(frozen=True)
class Policy:
    """Where an intent may be None, that is an abstention's."""

    rules: tuple[Rule, ...] = ()
    parameters: Mapping[str | None, Parameters] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)  # of intents that have one
    homes: Mapping[str | None, str] = field(default_factory=dict)  # what intents of one home share is warm
    switch_cost: float = 0.0  # of leaving a home: confidence for each 1,000 characters said before
    asides: frozenset[str] = frozenset()  # intents that are no track: answered, and then it goes on as before

    def by_rule(self, text: str) -> Fired | None:
        """The rule that decides on ``text``."""
        return first(self.rules, text) if self.rules else None

    def values(self, intent: str | None, turns: Sequence[Turn]) -> dict[str, str]:
        """The parameters of ``intent`` that ``turns`` hold."""
        return extract(self.parameters.get(intent, {}), turns)

    def common_parent(self, chances: Mapping[str, float], threshold: float) -> tuple[str, float] | None:
        """The closest parent whose own chance and those of all under it reach ``threshold`` together."""
        sums: dict[str, float] = defaultdict(float)
        for intent, chance in chances.items():
            for above in (intent, *self.above(intent)):
                sums[above] += chance
        sure = [parent for parent in set(self.parents.values()) if sums[parent] >= threshold]
        if not sure:
            return None
        closest = max(sure, key=lambda parent: (len(self.above(parent)), sums[parent], parent))
        return closest, sums[closest]

    def above(self, intent: str) -> tuple[str, ...]:
        """The parent of ``intent``, the parent's parent, and so on."""
        found: list[str] = []
        while (parent := self.parents.get(found[-1] if found else intent)) is not None:
            found.append(parent)
        return tuple(found)

    def pays(self, turn: Turn, alone: Decision, staying: float | None = None) -> bool:
        """Whether ``turn``, decided ``alone``, is worth what it costs to leave the home that is warm.

        It is if its intent leads that of the track by what losing the cache is worth, as a part of what a
        wrong route is. ``staying`` is the chance of the track's intent; None: the best that it could have.
        """
        if alone.rule is not None or not self.switch_cost:
            return True
        if staying is None:
            home = self.homes.get(alone.intent)
            staying = max((p for intent, p in alone.top if self.homes.get(intent) != home), default=0.0)
        return alone.confidence - staying >= min(MOST_CHARGED, self.switch_cost * turn.before / 1_000)

    def stays(self, track: Decision, turn: Turn, alone: Decision) -> bool:
        """Whether the conversation stays on ``track`` because leaving it does not pay."""
        if track.abstained or self.homes.get(track.intent) == self.homes.get(alone.intent):
            return False
        return not self.pays(turn, alone, dict(alone.top).get(track.intent or "", 0.0))

    def warnings(
        self, examples: RoutingExamples, fitted: Sequence[FitWarning] = ()
    ) -> tuple[FitWarning, ...]:
        """What is wrong between the rules and the ``examples``, and what of ``fitted`` no rule mends.

        ``fitted`` is what a fit warns of, which knows no rules.
        """
        found: list[FitWarning] = []
        reached = {rule.intent for rule in self.rules}
        covered: set[str] = set()  # intents that rules lead all their examples to
        for name, texts in (*examples.intents.items(), (None, examples.out_of_scope)):
            taken: dict[str, list[str]] = defaultdict(list)  # by the rule that leads elsewhere
            led = 0
            for text in texts:
                fired = self.by_rule(clean(text))
                if fired is not None and fired.intent != name:
                    taken[fired.name].append(text)
                led += fired is not None and fired.intent == name
            found += [_contradiction(rule, name, those, len(texts)) for rule, those in taken.items()]
            if name is None:
                continue
            if name not in reached and sum(map(len, taken.values())) == len(texts):
                message = f"intent {name!r} never fires: rules lead all its examples elsewhere"
                found.append(FitWarning("never_fires", (name,), message))
            if led == len(texts):
                covered.add(name)
        return (*found, *_unmended(fitted, covered, reached))


def _unmended(
    fitted: Sequence[FitWarning], covered: Set[str], reached: Set[str | None]
) -> Iterator[FitWarning]:
    """``fitted`` without what rules make untrue of the intents that they cover, or reach at all."""
    for warning in fitted:
        if warning.kind in ("never_fires", "not_told_apart") and warning.intents[0] in covered:
            continue
        if warning.kind == "never_fires" and (name := warning.intents[0]) in reached:
            message = (
                f"only rules lead to intent {name!r}: none of its own examples is routed to it when held out"
            )
            yield replace(warning, message=message)
        else:
            yield warning


def _contradiction(rule: str, intent: str | None, texts: Sequence[str], of: int) -> FitWarning:
    where = "out_of_scope" if intent is None else intent
    message = (
        f"the rule {rule!r} leads {len(texts)} of {of} examples of {where!r} elsewhere, such as "
        f"{quoted(texts[0])}"
    )
    return FitWarning("rule", (where,), message)


NO_POLICY = Policy()
