"""What of a JSON schema the compilers of guides take, for an engine that has refused it as it is.

vLLM gives a schema to XGrammar, and what that can't hold to llguidance; one keyword that neither has, and
nothing is guided. Here such keywords are taken out, so that the rest guides still. Whatever fits the schema
fits what is left of it: a ``oneOf`` becomes an ``anyOf``, and what inverts (``not``, ``if``) goes as a whole.
What is left does not hold an answer to the schema, so the answer must be checked against all of it.

Of a tool's parameters XGrammar alone makes a grammar; what it only then refuses is taken out as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from chains.schemas.multiples import is_countable
from chains.schemas.neutral import is_neutral
from chains.schemas.references import dangling
from chains.schemas.subschemas import HOLDING, NAMED
from chains.schemas.tuples import as_prefix

_REFUSED = frozenset(  # by llguidance 1.7, or by XGrammar 0.2 in the parameters of a tool
    {"uniqueItems", "contains", "minContains", "maxContains", "unevaluatedItems"}
    | {"propertyNames", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties"}
    | {"minProperties", "maxProperties", "patternProperties", "not", "if", "then", "else"}
    | {"$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"}
)
_FORMATS = frozenset(  # that both know
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"}
)
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_MOST = 2**63  # of a bound
_ESCAPED = r"\\[dDwWsSnrt]|\\[^\w\s]"
_PATTERN = re.compile(  # what both read alike: nothing that looks around, behind or back
    rf"\^?(?:[^\\^$(){{}}\[\]]|{_ESCAPED}|\((?:\?:|(?!\?))|\)|\{{\d+(?:,\d*)?\}}"
    rf"|\[\^?(?:(?!&&|~~|--)[^\\\[\]]|{_ESCAPED})+\])*\$?"
)


def guidable(schema: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What of ``schema`` can guide, and the keywords that had to go, sorted; none: it is all of it."""
    gone: set[str] = set()
    kept = _kept(schema, (), gone)
    if lost := dangling(kept):  # what they named stood under a keyword that went
        kept = _kept(schema, lost, gone)
    return kept, sorted(gone)


def guidable_tools(tools: Collection[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """``tools`` of OpenAI's form with what of their parameters can guide, and the keywords that went."""
    found, gone = [], set[str]()
    for tool in tools:
        function = dict(tool["function"])
        if "parameters" in function:
            function["parameters"], left_out = guidable(function["parameters"])
            gone.update(left_out)
        found.append({**tool, "function": function})
    return found, sorted(gone)


def _kept(schema: Any, lost: Collection[str], gone: set[str]) -> Any:
    """``schema``, or a list of them, without what can't guide, whose keywords are added to ``gone``.

    ``lost``: references that are not kept.
    """
    if isinstance(schema, list):
        return [_kept(part, lost, gone) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, Any] = {}
    schema, older = as_prefix(schema), schema
    gone.update(older.keys() & {"items", "additionalItems"} if schema is not older else ())
    for key, value in schema.items():
        if is_neutral(key, value):
            continue
        if not _guides(key, value, lost) or (key == "oneOf" and "anyOf" in schema):
            gone.add(key)
        elif key in NAMED and isinstance(value, Mapping):
            found[key] = {name: _kept(part, lost, gone) for name, part in value.items()}
        elif key == "oneOf":
            gone.add(key)
            found["anyOf"] = _kept(value, lost, gone)
        else:
            found[key] = _kept(value, lost, gone) if key in HOLDING else value
    return found


def _guides(keyword: str, value: Any, lost: Collection[str]) -> bool:
    if keyword in _REFUSED or (keyword == "multipleOf" and not is_countable(value)):
        return False
    if keyword == "format":
        return isinstance(value, str) and value in _FORMATS
    if keyword == "pattern":
        return isinstance(value, str) and _PATTERN.fullmatch(value) is not None
    if keyword in _BOUNDS:  # of draft 4 some are true
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MOST
    if keyword in ("items", "additionalItems"):  # of drafts before 2020, beside prefixItems
        return keyword == "items" and not isinstance(value, list)
    return keyword != "$ref" or (isinstance(value, str) and value not in lost)
