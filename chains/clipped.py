"""A chain's own words, which no model wrote, within the client's bound on tokens: the engine counts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.errors import ChainUnsupported
from chains.events import Engine, Tokenizing
from chains.parameters import most_tokens


async def clipped(chain: str, text: str, parameters: Mapping[str, Any], engine: Engine) -> str:
    """As much of ``text`` from its beginning as the ``parameters`` of the request leave.

    Raises:
        ChainUnsupported: they bound it, and ``engine`` does not know what a token is.
    """
    bound = most_tokens(parameters)
    if bound is None or bound[1] > len(text.encode()):  # no token is less than a byte, but for one in front
        return text
    name, tokens = bound
    if not isinstance(engine, Tokenizing):
        raise ChainUnsupported(chain, name, tokens, "the engine counts no tokens here: leave it out")
    return await engine.clip(text, tokens)
