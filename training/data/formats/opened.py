"""A row's own system prompt, which stands beside its turns, as the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.data.row.fields import FieldError, text_at


def opened(raw: dict[str, Any], turns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """``turns`` behind the ``system`` of ``raw``, if it has any.

    Raises:
        FieldError: that is no text, or the turns begin with another system prompt.
    """
    if not raw.get("system"):
        return list(turns)
    said = text_at(raw, "system")
    if not turns or turns[0]["role"] not in ("system", "developer"):
        return [{"role": "system", "content": said}, *turns]
    if turns[0].get("content") != said:
        raise FieldError("system", "is another system prompt than the first turn is; give one of the two")
    return list(turns)
