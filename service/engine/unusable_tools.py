"""Why the engine can't guide calls of tools, by tool, keyword and place: vLLM says of it nothing at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chains.schemas.guidable import guidable
from chains.schemas.schema import AnswerSchema, SchemaUnusable
from chains.schemas.subschemas import placed
from chains.schemas.unpassable import lets_nothing_pass, unpassable


def unusable_tool(tools: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """What is wrong with the first tool whose parameters are no schema or let nothing pass, and its place.

    If none is wrong in itself, then what no guide holds of one that is strict.
    """
    for why in (_no_schema, _nothing_passes, _not_guided):
        for index, tool in enumerate(tools):
            place = f"tools[{index}].function.parameters"
            if (wrong := why(tool["function"])) is not None:
                return f"{place} can't be used: {wrong}", place
    return None


def _no_schema(function: Mapping[str, Any]) -> str | None:
    try:
        AnswerSchema(function.get("parameters") or {})
    except SchemaUnusable as exc:
        return str(exc)
    return None


def _nothing_passes(function: Mapping[str, Any]) -> str | None:
    """What leaves nothing, also of a property that need not be there: the engine makes no grammar of it."""
    for place, part in placed(function.get("parameters")):
        if part is not False and (keyword := lets_nothing_pass(part)) is not None:
            return f"{keyword} at {place} lets no value pass: correct it"
    if (found := unpassable(function.get("parameters"))) is not None:
        return f"{found[0]} at {found[1]} lets no value pass: leave it out"
    return None


def _not_guided(function: Mapping[str, Any]) -> str | None:
    schema = function.get("parameters")
    if not function.get("strict") or not isinstance(schema, Mapping):
        return None
    _, gone = guidable(schema)
    for place, part in placed(schema):
        if isinstance(part, Mapping) and (keyword := next((key for key in part if key in gone), None)):
            return (
                f"{keyword} at {place} can't be held, and strict asks that a call fits all of its schema: "
                "leave it out or say it in another way, or leave strict out and check the arguments"
            )
    return None
