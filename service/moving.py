"""What live versions bring along, laid over routes.yaml: whole for a conversation, or not at all.

The stable versions' moves are in force for everybody. Where a canary's differ from those of the version that
it may replace, they are in force for the conversations that the canary answers; one alias at a time, so that
there are never more than two sets of routes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pointsman.moves import Moves
from service.routes_document import FALLBACK


@dataclass(frozen=True)
class Mover:
    """A version and what moves with it."""

    alias: str
    name: str  # alias@version
    moves: Moves


Movers = tuple[Mover, ...]


@dataclass(frozen=True)
class Beside:
    """What is in force for the conversations that a canary answers."""

    alias: str
    takes: Callable[[str], bool]  # whether a conversation, by its key, is the canary's
    movers: Movers


@dataclass(frozen=True)
class Moving:
    """What is in force now."""

    stable: Movers = ()
    beside: Beside | None = None


def laid_over(data: Mapping[str, Any], movers: Sequence[Mover]) -> tuple[dict[str, Any], list[str]]:
    """The plain content of routes.yaml with what moves, and what does not go together."""
    found: dict[str, Any] = deepcopy(dict(data))
    problems: list[str] = []
    brought: dict[str, str] = {}  # what → by whom
    for mover in movers:
        moves = mover.moves
        costs = {"wrong_cost": moves.wrong_cost, "switch_cost": moves.switch_cost}
        given = {name: cost for name, cost in costs.items() if cost is not None}
        for what in (*(f"the route {intent!r}" for intent in moves.routes), *given):
            if (other := brought.setdefault(what, mover.name)) != mover.name:
                problems.append(f"{what} moves with {other} and with {mover.name}; it can follow one only")
        found |= given
        for intent, track in moves.routes.items():
            _lay(found, intent, {**track, "adapter": mover.alias})
        problems += _learn(found, mover)
    return found, problems


def _lay(found: dict[str, Any], intent: str, track: dict[str, Any]) -> None:
    if intent == FALLBACK:
        found["fallback"] = {**(found.get("fallback") or {}), **track}
        return
    routes = found.setdefault("routes", [])
    for place, route in enumerate(routes):
        if route.get("intent") == intent:
            routes[place] = {**route, **track}
            return
    routes.append({"intent": intent, **track})


def _learn(found: dict[str, Any], mover: Mover) -> list[str]:
    routes = {route.get("intent"): route for route in found.get("routes") or ()}
    strange: dict[str, None] = {}
    for example in mover.moves.examples:
        if example.intent is None:
            found["out_of_scope"] = [*(found.get("out_of_scope") or ()), example.text]
        elif (route := routes.get(example.intent)) is not None:
            route["examples"] = [*(route.get("examples") or ()), example.text]
        else:
            strange[example.intent] = None
    return [f"examples: no route has the intent {', '.join(map(repr, strange))}"] if strange else []
