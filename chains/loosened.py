"""An engine that is asked once more where it refuses to guide the calls of tools: by what of them can guide.

For tools of ours, whose arguments are checked against the whole schema when they are called.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.errors import ContextFull, Refused
from chains.events import Engine, Note
from chains.schemas.guidable import guidable_tools
from chains.schemas.passed_over import passed_over
from chains.second_asking import SecondAsking


class LoosenedTools(SecondAsking):
    """``engine`` for one run; what it refused once is asked in the other form from then on."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.refused: Refused | None = None  # why, where the tools guide in part only
        self.left_out: list[str] = []  # the keywords that do not guide then
        self._passed: set[str] | None = (
            None  # those that the engine's guide passes over; None: nothing was asked
        )

    def note(self) -> Note | None:
        """What of the tools did not guide, and why; None: they guided as they are."""
        passed = self._passed or set()
        if self.refused is not None:
            return Note(
                "unguided", {"reason": str(self.refused), "left_out": sorted({*self.left_out, *passed})}
            )
        reason = "the engine's guide of calls passes over these keywords"
        return Note("unguided", {"reason": reason, "left_out": sorted(passed)}) if passed else None

    def _asked(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        if not body.get("tools"):
            return body
        tools = body["tools"] if self.refused is None else guidable_tools(body["tools"])[0]
        if self._passed is None:
            parameters = [tool["function"].get("parameters") for tool in tools]
            self._passed = {passed.keyword for one in parameters for passed in passed_over(one)}
        return {**body, "tools": tools}

    def _loosens(self, body: Mapping[str, Any], refused: Refused) -> bool:
        """Whether there is another form to ask in, which is then taken."""
        if self.refused is not None or isinstance(refused, ContextFull):
            return False
        _, self.left_out = guidable_tools(body.get("tools") or ())
        self.refused = refused if self.left_out else None
        self._passed = None
        return bool(self.left_out)
