"""Lists whose first items have schemas of their own, as drafts before 2020 say it: ``items`` is a list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def as_prefix(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """``schema`` with ``prefixItems`` for a list of ``items``, and ``items`` for what may follow."""
    first = schema.get("items")
    if not isinstance(first, list) or "prefixItems" in schema:
        return schema
    found = {key: value for key, value in schema.items() if key not in ("items", "additionalItems")}
    return {**found, "prefixItems": first, "items": schema.get("additionalItems", True)}
