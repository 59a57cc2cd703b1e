"""An engine that is asked once more where it can't hold an answer to a form that need not hold all of it.

Without ``strict: true`` a schema is best effort, as with OpenAI: what the engine refuses to guide by is left
out, and the rest guides. With it, the refusal is the client's to hear.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from chains.errors import Refused
from chains.events import Engine
from chains.schemas.guidable import guidable
from chains.second_asking import SecondAsking
from service.errors import EngineRefused

log = logging.getLogger("pointsman.engine")

_ABOUT = ("response_format", "tools")  # the fields that a refusal may be about


def loosened(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """``body`` with schemas that can guide where strict does not ask for more; None: they are all of it."""
    found = dict(body)
    form = body.get("response_format")
    inner = form.get("json_schema") if isinstance(form, Mapping) else None
    if isinstance(form, Mapping) and isinstance(inner, Mapping):
        found["response_format"] = {**form, "json_schema": _loose(inner, "schema")}
    if tools := body.get("tools"):
        found["tools"] = [{**tool, "function": _loose(tool["function"], "parameters")} for tool in tools]
    return None if found == body else found


def may_loosen(body: Mapping[str, Any]) -> bool:
    """Whether ``body`` can be asked in another form at all."""
    return loosened(body) is not None


class BestEffort(SecondAsking):
    """``engine`` for one request; what it refused once is asked in the other form from then on."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._is_loose = False

    def _asked(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return (loosened(body) or body) if self._is_loose else body

    def _loosens(self, body: Mapping[str, Any], refused: Refused) -> bool:
        """Whether there is another form to ask in, which is then taken."""
        named = refused.parameter if isinstance(refused, EngineRefused) else None
        about = named or "tools"  # of whose grammars vLLM may say nothing
        if self._is_loose or not about.startswith(_ABOUT) or loosened(body) is None:
            return False
        log.info("asked again by what can guide: %s", refused)
        self._is_loose = True
        return True


def _loose(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """``holder`` of the schema ``name`` with what of that can guide."""
    if holder.get("strict") or not isinstance(schema := holder.get(name), Mapping):
        return holder
    kept, left_out = guidable(schema)
    return {**holder, name: kept} if left_out else holder
