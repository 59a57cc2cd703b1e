"""What of routes.yaml is the router's and needs no fit: rules, parents, parameters, the cost of a switch."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pointsman.problems import Location
from router.deciding.policy import Policy
from router.text.pattern import CHARACTERS, STEPS, checked, steps
from service.routes_document import RoutesDocument

RULES_STEPS = 4 * STEPS  # of all patterns of rules together on one text: about half a second


def policy_of(document: RoutesDocument) -> Policy:
    """The policy of a document without problems."""
    tracks = [(None, document.fallback), *((route.intent, route) for route in document.routes)]
    return Policy(
        rules=tuple(rule.rule() for rule in document.rules),
        parameters={
            intent: {name: checked(pattern) for name, pattern in track.parameters.items()}
            for intent, track in tracks
            if track.parameters
        },
        parents={route.intent: route.parent for route in document.routes if route.parent is not None},
        homes={intent: track.adapter or "" for intent, track in tracks},
        switch_cost=document.switch_cost,
        asides=frozenset(route.intent for route in document.routes if route.aside),
    )


def policy_problems(document: RoutesDocument, learned: Collection[str]) -> Iterable[tuple[Location, str]]:
    """What is wrong across rules and routes, by its place in the document.

    ``learned`` are the intents that have examples, those of files included.
    """
    yield from _rule_problems(document)
    yield from _tree_problems(document)
    led = {rule.intent for rule in document.rules} | {route.parent for route in document.routes}
    for index, route in enumerate(document.routes):
        if route.intent not in learned and route.intent not in led:
            message = "needs examples, a rule that leads to it, or children: as it is, nothing leads to it"
            yield ("routes", index), message
    taught = sum(route.intent in learned for route in document.routes)
    if taught < 2:
        yield ("routes",), f"two routes with examples are needed, found {taught}"


def _rule_problems(document: RoutesDocument) -> Iterable[tuple[Location, str]]:
    intents = {None, *(route.intent for route in document.routes)}
    names: set[str] = set()
    words: dict[str, str] = {}  # keyword → the first rule that has it
    for index, rule in enumerate(document.rules):
        if rule.intent not in intents:
            known = ", ".join(sorted(intent for intent in intents if intent is not None))
            yield ("rules", index, "intent"), f"there is no route {rule.intent!r}; known: {known}"
        if rule.name in names:
            yield ("rules", index, "name"), f"the name {rule.name!r} is given twice"
        names.add(rule.name)
        for place, word in enumerate(rule.keywords):
            before = words.setdefault(word.casefold(), rule.name)
            if before != rule.name:
                message = f"the rule {before!r} has {word!r} too and comes first, so it never decides here"
                yield ("rules", index, "keywords", place), message
    total = sum(steps(rule.pattern) for rule in document.rules if rule.pattern is not None)
    if total > RULES_STEPS:
        yield (
            ("rules",),
            f"the patterns together could take {total:.0e} steps on {CHARACTERS:,} characters, "
            f"{RULES_STEPS:.0e} are allowed; bound their repeats or begin them with ^",
        )


def _tree_problems(document: RoutesDocument) -> Iterable[tuple[Location, str]]:
    parents = {route.intent: route.parent for route in document.routes}
    for index, route in enumerate(document.routes):
        if route.parent is None:
            continue
        place: Location = ("routes", index, "parent")
        if route.parent not in parents:
            yield place, f"there is no route {route.parent!r}; known: {', '.join(parents)}"
            continue
        seen: set[str] = {route.intent}
        above: str | None = route.parent
        while above is not None and above not in seen:
            seen.add(above)
            above = parents.get(above)
        if above == route.intent:
            yield place, f"{route.intent!r} would be above itself"
