"""What moves with the versions that are live, or would be."""

from __future__ import annotations

from functools import partial

from pointsman.moves import Moves
from service.adapters.version import Entry, Live
from service.adapters.versions import Versions
from service.errors import AdapterConflict
from service.moving import Beside, Mover, Movers, Moving


def moving(versions: Versions, changed: tuple[str, Live | None] | None = None) -> Moving:
    """What is in force, or would be if the alias in ``changed`` were answered by those (None: by nobody).

    Raises:
        AdapterConflict: the canaries of two aliases bring along other things than what they may replace.
    """
    live = dict(versions.aliases())
    if changed is not None:
        alias, after = changed
        live = {name: one for name, one in live.items() if name != alias} | ({alias: after} if after else {})
    stable = {alias: versions.get(alias, one.primary) for alias, one in live.items()}
    canaries = {
        alias: versions.get(alias, one.canary) for alias, one in live.items() if one.canary is not None
    }
    apart = [alias for alias, canary in canaries.items() if canary.moves != stable[alias].moves]
    if len(apart) > 1:
        raise AdapterConflict(
            f"routes move with the canaries of {' and '.join(sorted(apart))}: one at a time, so promote the "
            "first, or take it back, before the second gets requests"
        )
    if not apart:
        return Moving(_movers(stable))
    [alias] = apart
    takes = partial(_takes, live[alias], alias)
    return Moving(_movers(stable), Beside(alias, takes, _movers(stable | {alias: canaries[alias]})))


def in_place(versions: Versions, alias: str, entry: Entry, moves: Moves | None) -> Movers:
    """What would be in force if ``entry`` answered all of ``alias`` and brought ``moves`` along."""
    others = {name: versions.get(name, one.primary) for name, one in versions.aliases() if name != alias}
    own = () if moves is None else (Mover(alias, entry.name, moves),)
    return tuple(sorted((*_movers(others), *own), key=lambda mover: mover.alias))


def _movers(entries: dict[str, Entry]) -> Movers:
    return tuple(
        Mover(alias, entry.name, entry.moves)
        for alias, entry in sorted(entries.items())
        if entry.moves is not None
    )


def _takes(live: Live, alias: str, conversation: str) -> bool:
    return live.choose(alias, conversation) == live.canary
