"""Tries at the engine whether it takes the form that a client asks for, before anything is done.

Which grammars can be made the engine alone knows, and it makes one whatever the prompt is: so it is asked
for one token in this form. What it refuses is refused as in the chain ``direct``, and no tool has run for an
answer that can't be given. What is tried is no part of the answer, but of what it cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from chains.answer import Answer, ask
from chains.errors import Refused
from chains.events import Engine, Usage
from chains.purpose import Meant
from chains.schemas.guidable import guidable

_ANY = [{"role": "user", "content": "."}]


async def tried(form: Mapping[str, Any], engine: Engine) -> Usage:
    """Return what it cost if the engine takes ``form``, of a request's parameters.

    Of a loose schema it may be what can guide of it.

    Raises:
        Refused: what the engine has against it.
    """
    try:
        return await one_token({**form, "messages": _ANY, "temperature": 0}, engine)
    except Refused as exc:
        if (loose := _loosened(form)) is None:
            raise
        try:
            return await one_token({**loose, "messages": _ANY, "temperature": 0}, engine)
        except Refused:
            raise exc from None


async def one_token(body: Mapping[str, Any], engine: Engine) -> Usage:
    """Have ``engine`` answer ``body`` with one token, which is dropped; gives what it cost.

    Raises:
        Refused: what the engine has against it.
    """
    answer = Answer()
    async with aclosing(ask(Meant(engine, "trial"), {**body, "max_tokens": 1}, False, answer)) as pieces:
        async for _ in pieces:
            pass
    return answer.usage


def _loosened(form: Mapping[str, Any]) -> dict[str, Any] | None:
    """``form`` with what of its schema can guide; None: it is all of it, or the form is strict."""
    wanted = form.get("response_format")
    inner = wanted.get("json_schema") if isinstance(wanted, Mapping) else None
    if not isinstance(wanted, Mapping) or not isinstance(inner, Mapping) or inner.get("strict"):
        return None
    if "structured_outputs" in form or not isinstance(inner.get("schema"), Mapping):
        return None
    kept, left_out = guidable(inner["schema"])
    return {"response_format": {**wanted, "json_schema": {**inner, "schema": kept}}} if left_out else None
