"""What is laid over a fitted model: rules before it and parameters after it.

It is read from the routes and changes without a fit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from router.conversation import Turn, clean
from router.examples import RoutingExamples
from router.parameters import Parameters, extract
from router.report import QUOTE, FitWarning
from router.rules import Fired, Rule, first


@dataclass(frozen=True)
class Policy:
    """``parameters`` are by intent; None is that of an abstention."""

    rules: tuple[Rule, ...] = ()
    parameters: Mapping[str | None, Parameters] = field(default_factory=dict)

    def by_rule(self, text: str) -> Fired | None:
        """The rule that decides on ``text``."""
        return first(self.rules, text) if self.rules else None

    def values(self, intent: str | None, turns: Sequence[Turn]) -> dict[str, str]:
        """The parameters of ``intent`` that ``turns`` hold."""
        return extract(self.parameters.get(intent, {}), turns)

    def warnings(self, examples: RoutingExamples) -> tuple[FitWarning, ...]:
        """What is wrong between the rules and the ``examples``, found without a fit."""
        found: list[FitWarning] = []
        for name, texts in (*examples.intents.items(), (None, examples.out_of_scope)):
            taken: dict[str, list[str]] = defaultdict(list)  # by the rule that leads elsewhere
            for text in texts:
                fired = self.by_rule(clean(text))
                if fired is not None and fired.intent != name:
                    taken[fired.name].append(text)
            found += [_contradiction(rule, name, those, len(texts)) for rule, those in taken.items()]
            if name is not None and sum(map(len, taken.values())) == len(texts):
                message = f"intent {name!r} never fires: rules lead all its examples elsewhere"
                found.append(FitWarning("never_fires", (name,), message))
        return tuple(found)


def _contradiction(rule: str, intent: str | None, texts: Sequence[str], of: int) -> FitWarning:
    where = "out_of_scope" if intent is None else intent
    message = (
        f"the rule {rule!r} leads {len(texts)} of {of} examples of {where!r} elsewhere, such as "
        f"{texts[0][:QUOTE]!r}"
    )
    return FitWarning("rule", (where,), message)


NO_POLICY = Policy()
