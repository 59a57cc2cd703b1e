"""Tries at the engine whether it takes the form that a client asks for, before anything is done.

Which grammars can be made the engine alone knows, and it makes one whatever the prompt is: so it is asked
for one token in this form. What it refuses is refused as in the chain ``direct``, and no tool has run for an
answer that can't be given. What is tried is no part of the answer, and not in its usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.errors import Refused
from chains.events import Engine
from chains.schemas.guidable import guidable

_ANY = [{"role": "user", "content": "."}]


async def tried(form: Mapping[str, Any], engine: Engine) -> None:
    """Return if the engine takes ``form``, of a request's parameters, or what can guide of a loose schema.

    Raises:
        Refused: what the engine has against it.
    """
    try:
        await _ask(form, engine)
    except Refused as exc:
        if (loose := _loosened(form)) is None:
            raise
        try:
            await _ask(loose, engine)
        except Refused:
            raise exc from None


async def _ask(form: Mapping[str, Any], engine: Engine) -> None:
    await engine.complete({**form, "messages": _ANY, "max_tokens": 1, "temperature": 0, "stream": False})


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
