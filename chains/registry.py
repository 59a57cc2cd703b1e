"""Chains by name. A chain of one's own is one class and one line under ``pointsman.chains``."""

from __future__ import annotations

import functools
from importlib.metadata import entry_points

from chains.errors import ChainNotFound
from chains.events import Chain

GROUP = "pointsman.chains"


def chain_names() -> tuple[str, ...]:
    """The names of all installed chains, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


@functools.cache
def chain_by_name(name: str) -> Chain:
    """The installed chain ``name``, always the same instance.

    Raises:
        ChainNotFound: no entry point of that name.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        raise ChainNotFound(name, found)
    chain: Chain = found[name].load()()
    return chain
