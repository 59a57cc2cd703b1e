"""Whether something is a JSON schema at all, by the metaschema of its draft.

jsonschema says what is wrong and where; it takes 0.3 s of 5,000 keywords. So what is plainly sound is seen
here first: by a table of what each keyword may say in all drafts since 6. What the table does not take is
jsonschema's to judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from jsonschema import Draft201909Validator, Draft202012Validator, FormatChecker, SchemaError
from jsonschema.validators import validator_for

from chains.schemas.subschemas import HOLDING, NAMED, placed

_DEEPEST = 400  # steps from the root; behind them jsonschema says whether it goes so deep
_SHOWN = 200  # characters of a message
_NO_FORMATS = FormatChecker(formats=())  # jsonschema's reads patterns as Python's, not as ECMA-262's
_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMES = re.compile(r"https?://json-schema\.org/(?:draft-0[67]/schema|draft/20(?:19-09|20-12)/schema)#?")


def no_schema(schema: object) -> str | None:
    """Why ``schema`` is no JSON schema, with keyword and place; None: it is one."""
    if not isinstance(schema, dict):
        return "a JSON schema must be an object"
    if _is_plain(schema):
        return None
    try:
        draft_of(schema).check_schema(schema, format_checker=_NO_FORMATS)
    except SchemaError as exc:
        place = f"{exc.json_path}: " if exc.absolute_path else ""
        words = exc.message if len(exc.message) <= _SHOWN else f"{exc.message[:_SHOWN]}..."
        return f"no JSON schema: {place}{words}"
    except RecursionError:
        return "nested too deep"
    return None


def draft_of(schema: Mapping[str, Any]) -> Any:
    """jsonschema's class for the draft that ``schema`` names; its name is often written with https.

    One that names none is of 2020-12, or of 2019-09 if it has lists of ``items``, which are older.
    """
    named = schema.get("$schema") if isinstance(schema.get("$schema"), str) else None
    if named is not None:
        named = re.sub(r"^https(?=://json-schema\.org/draft-0)", "http", named)
    older = named is None and _lists_items(schema)
    return validator_for({"$schema": named}, default=Draft201909Validator if older else Draft202012Validator)


def _lists_items(schema: Mapping[str, Any]) -> bool:
    return any(
        isinstance(part, Mapping) and isinstance(part.get("items"), list) for _, part in placed(schema)
    )


def _is_plain(schema: Mapping[str, Any]) -> bool:
    """Whether all of ``schema`` is as the table has it."""
    draft = schema.get("$schema")
    if draft is not None and not (isinstance(draft, str) and _NAMES.fullmatch(draft)):
        return False
    for place, part in placed(schema):
        if isinstance(part, bool):
            continue
        if place.count("/") > _DEEPEST or not isinstance(part, dict):
            return False
        if not all(_may_say(key, value) for key, value in part.items()):
            return False
    return True


def _may_say(keyword: str, value: Any) -> bool:
    if keyword in NAMED:
        return isinstance(value, dict)
    if keyword in _LISTS:
        return isinstance(value, list) and value != []
    if keyword in HOLDING:
        return isinstance(value, dict | bool)
    check = _SAYS.get(keyword)
    if check is None:
        return keyword != "dependencies" and not keyword.startswith("$")
    return check(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_type(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return names != [] and _are_names(names) and set(names) <= _TYPES


def _are_names(value: Any) -> bool:
    texts = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return texts and len(set(value)) == len(value)


_SAYS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("title", "description", "format", "pattern", "$ref", "$schema", "$comment"), _is_text),
    **dict.fromkeys(("uniqueItems", "readOnly", "writeOnly", "deprecated"), _is_switch),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_number),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minContains"), _is_count),
    **dict.fromkeys(("minProperties", "maxProperties", "maxContains"), _is_count),
    **dict.fromkeys(("contentMediaType", "contentEncoding"), _is_text),
    **dict.fromkeys(("enum", "examples"), lambda value: isinstance(value, list)),
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "type": _is_type,
    "required": _are_names,
    "dependentRequired": lambda value: isinstance(value, dict) and all(map(_are_names, value.values())),
    "contentSchema": lambda _: False,
}
