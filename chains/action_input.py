"""A tool and its arguments in what a model wrote: JSON, nearly JSON, names with values, or a bare value."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_FENCE = re.compile(r"```[\w-]*\s*(.*?)\s*(?:```|\Z)", re.DOTALL)
_TYPOGRAPHIC = str.maketrans("“”‘’：，｛｝", "\"\"'':,{}")
_TRAILING_COMMA = re.compile(r",\s*([}\]])")
_PAIR = re.compile(r"(\w+)\s*[=:：]\s*(\"[^\"]*\"|'[^']*'|[^,，\n]+)")
_VALUE = r"(?:(?:\"[^\"]*\"|'[^']*')\s*|[^\s\"'{}\[\]:：,，][^\"'{}\[\]:：,，\n]*)"
_UNQUOTED = re.compile(rf"\{{\s*(?:\w+\s*[:：]\s*{_VALUE}(?:[,，]\s*(?!\}})|(?=\}})))+\}}")  # keys, in braces
_LONGEST = 8_000  # characters that are read by Python's rules
_STRUCTURE = re.compile(r"\\.|[\"'{}\[\]]", re.DOTALL)
_OPENERS = ("{", "｛", "[")
_CLOSING = {"{": "}", "[": "]"}
_NAMES = ("name", "action", "tool")  # of a call in one object
_INPUTS = ("arguments", "action_input", "tool_input", "parameters", "input")
_FINISH = re.compile(r"[`*\"' ]*finish[ ]?\[(.*)\][`*\"' .。]*", re.IGNORECASE | re.DOTALL)  # of Yao et al.
_FINAL = re.compile(r"[`*\"' ]*final[ _-]?answer[`*\"' ]*(?:[:：]|\n|\Z)\s*", re.IGNORECASE)
_NOTHING = ("", "none", "null", "{}", "n/a", "无")


def tool_named(written: str, tools: Sequence[str]) -> tuple[str, str | None]:
    """The tool that an action names, and its input where that stands in the action itself.

    The name is as it was written where no tool has it.
    """
    if (call := _call_in(written)) is not None:
        return call
    plain = written.strip().strip("`*\"'“” ").rstrip(".。")
    for tool in sorted(tools, key=len, reverse=True):
        words = r"[ _-]".join(map(re.escape, re.split(r"[ _-]", tool)))
        if match := re.match(rf"{words}(?![\w-])[`*\"']*\s*", plain, re.IGNORECASE):
            rest = plain[match.end() :].strip()
            if rest[:1] in ("(", "[", "（") and rest[-1:] in (")", "]", "）"):
                rest = rest[1:-1]
            is_input = rest.startswith(("{", "[", "`", '"', "'")) or "=" in rest or " " not in rest
            return tool, rest if rest and is_input else None
    named = [tool for tool in tools if re.search(rf"(?<!\w){re.escape(tool)}(?!\w)", plain)]
    return (named[0] if len(named) == 1 else plain.split("\n")[0]), None


def is_final(name: str, tools: Sequence[str]) -> bool:
    """Whether an action of ``name`` is to give the answer, and none of ``tools``."""
    return _FINAL.match(name) is not None and not any(map(_FINAL.fullmatch, tools))


def _finish(name: str, tools: Sequence[str]) -> str | None:
    """The answer of an action of ``name`` that is ``Finish[the answer]``, and none of ``tools``."""
    line = name.strip().split("\n")[0]
    match = _FINISH.fullmatch(line if line.count("[") == line.count("]") else name.strip())
    return None if match is None or "finish" in map(str.lower, tools) else match[1].strip()


def final_answer(action: str, written: str | None, tools: Sequence[str]) -> str | None:
    """The answer, where ``action``, with the input ``written``, is to give it; None: it is a tool."""
    if (finish := _finish(action, tools)) is not None:
        return finish
    name, given = _call_in(action) or (action, None)
    match = _FINAL.match(name)
    if match is None or not is_final(name, tools):
        return None
    text = (given or name[match.end() :] or written or "").strip()
    fenced = _FENCE.fullmatch(text)
    value = _json(fenced[1] if fenced else text)
    if isinstance(value, Mapping) and len(value) == 1 and isinstance(only := next(iter(value.values())), str):
        return only
    if text[:1] == '"' == text[-1:]:
        try:
            return str(json.loads(text, strict=False))
        except ValueError:
            return text
    return text


def is_call(written: str, tools: Sequence[str]) -> bool:
    """Whether ``written`` is one object that names one of ``tools`` and has its input, or the answer."""
    name, given = _call_in(written) or ("", None)
    return given is not None and (name in tools or is_final(name, tools))


def _call_in(written: str) -> tuple[str, str | None] | None:
    """The tool and the input of a call in one object, which may stand in a fence or in tags."""
    text = written.strip().removeprefix("<tool_call>").split("</tool_call>")[0].strip()
    if fenced := _FENCE.match(text):
        text = fenced[1]
    blob = _json(text.strip("`*\"'“” "))
    if isinstance(blob, list) and len(blob) == 1:
        blob = blob[0]
    if not isinstance(blob, Mapping):
        return None
    name = next((blob[key] for key in _NAMES if blob.get(key)), None)
    given = next((blob[key] for key in _INPUTS if key in blob), None)
    if not isinstance(name, str):
        return None
    return name, given if isinstance(given, str) or given is None else json.dumps(given, ensure_ascii=False)


def arguments_in(written: str | None, parameters: Mapping[str, Any], tool: str = "") -> dict[str, Any] | None:
    """The arguments in ``written`` for ``tool``, of the JSON schema ``parameters``; None: they can't be read.

    A bare value is that of the one argument that has to be given, or of the only one. What stands around the
    arguments (a call of the tool, a list of one, a string of JSON) goes where they are all the tool's own.
    """
    properties: Mapping[str, Any] = parameters.get("properties") or {}
    required = parameters.get("required") or []
    text = (written or "").strip()
    if not text.startswith(_OPENERS) and (fenced := _FENCE.search(text)):
        text = fenced[1]
    if (bare := text.lstrip("`* ")).startswith(_OPENERS):
        text = bare.rstrip("`* \n")
    if text.lower() in _NOTHING:
        return {}
    value = _json(text)
    own = _own_in(value if value is not None else _unquoted(text), properties, tool)
    if own is None:
        own = dict(value) if isinstance(value, Mapping) else _unquoted_keys(text, properties)
    if own is not None or text.startswith(_OPENERS[:2]):
        return own
    only = required[0] if len(required) == 1 else next(iter(properties)) if len(properties) == 1 else None
    pairs = {
        name: _typed(found, properties[name]) for name, found in _PAIR.findall(text) if name in properties
    }
    if pairs and not (only is not None and len(properties) == 1 and only not in pairs):
        return pairs
    if only is None:
        return None
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0] if (properties.get(only) or {}).get("type") == "string" else value
    return {only: value if value is not None else _typed(text, properties.get(only) or {})}


def _own_in(value: Any, properties: Mapping[str, Any], tool: str) -> dict[str, Any] | None:
    """The arguments in ``value``, whatever is around them; None: they are not all among ``properties``."""
    if isinstance(value, str):
        value = _json(value)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, Mapping) or not properties:
        return None
    if value.keys() <= properties.keys():
        return dict(value)
    given = [key for key in value if key in _INPUTS]
    names = [key for key in value if key in _NAMES]
    around = (
        len(given) == 1 and len(given) + len(names) == len(value) and not value.keys() & properties.keys()
    )
    if not around or any(value[key] != tool for key in names):
        return None
    return _own_in(value[given[0]], properties, tool)


def _unquoted_keys(text: str, properties: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments in braces that lack the quotes of their names; None: not all are among ``properties``."""
    if len(text) > _LONGEST or not _UNQUOTED.fullmatch(text):
        return None
    pairs = _PAIR.findall(text[1:-1])
    known = {name for name, _ in pairs} <= properties.keys()
    return {name: _typed(value, properties[name]) for name, value in pairs} if known else None


def _unquoted(text: str) -> str | None:
    """What stands in quotes, if ``text`` is all of these; None: it is not."""
    if len(text) < 2 or text[0] not in "\"'" or text[-1] != text[0]:
        return None
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return text[1:-1]


def _json(text: str) -> Any:
    """The JSON value that ``text`` begins with, mended where that is easy; None: there is none."""
    begins = text.translate(_TYPOGRAPHIC)[:1] if text else ""
    if begins not in ("{", "["):
        return None
    text += _left_open(text)
    for form in (
        text,
        _TRAILING_COMMA.sub(r"\1", text),
        _TRAILING_COMMA.sub(r"\1", text.translate(_TYPOGRAPHIC)),
    ):
        try:
            return json.JSONDecoder(strict=False).raw_decode(form)[0]
        except (ValueError, RecursionError):
            continue
    if len(text) > _LONGEST:
        return None
    try:
        return json.loads(json.dumps(ast.literal_eval(text[: text.rfind("}" if begins == "{" else "]") + 1])))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def _left_open(text: str) -> str:
    """The brackets that ``text`` lacks at its end; none where it lacks more than these."""
    if text.rstrip().endswith(("{", "[", ",", ":", "，", "：")):
        return ""
    closing: list[str] = []
    quote = ""
    for match in _STRUCTURE.finditer(text if '"' in text else text.translate(_TYPOGRAPHIC)):
        mark = match[0]
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "\"'":
            quote = mark
        elif mark in _CLOSING:
            closing.append(_CLOSING[mark])
        elif mark in "}]":
            if not closing or closing.pop() != mark:
                return ""
            if not closing:
                return ""  # what follows is no part of it
    return "" if quote else "".join(reversed(closing))


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    """``text`` as a value of ``schema``: a number where it asks for one, else the first line of the text."""
    plain = text.strip().split("\n")[0].strip("` \t\r")
    if len(plain) > 1 and plain[0] in "\"'“" and plain[-1] in "\"'”":
        plain = plain[1:-1]
    if schema.get("type") in ("integer", "number", "boolean"):
        try:
            return json.loads(plain.lower())
        except ValueError:
            return plain
    return plain
