"""The options of a request beside its messages: what must hold before anything works on them.

Checked is what our own code relies on, and what makes vLLM stumble (a 500) or do nothing in silence. All else
is vLLM's to accept or refuse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from chains.schemas.disjoint import kinds_of, resolved
from service.body.conversation import kind_of
from service.body.kinds import (
    OBJECT,
    SWITCH,
    TEXT,
    check_bias,
    check_kind,
    check_kinds,
    check_metadata,
    check_token_ids,
)
from service.body.known import CHOICE, CHOSEN, FORM, FORMATS, FUNCTION, JSON_SCHEMA, STRUCTURED_OUTPUTS, TOOL
from service.body.schemas import check_schemas
from service.errors import InvalidRequest

_FIELDS = ("messages", "tools", "documents", "add_generation_prompt", "continue_final_message")
_FILLED = (  # the other arguments of the call that renders the chat template
    *("self", "conversation", "chat_template", "tokenizer", "model_config"),
    *("tokenize", "padding", "truncation", "max_length", "return_tensors", "return_dict"),
    *("return_assistant_tokens_mask", "tokenizer_kwargs", "processor_kwargs"),
)
OF_PROMPT = (  # they show the prompt as the engine gets it, or cut it
    *("echo", "prompt_logprobs", "return_prompt_text", "return_token_ids"),
    *("truncate_prompt_tokens", "truncation_side"),
)
_OF_FUNCTION = {"description": TEXT, "strict": SWITCH, "defer_loading": SWITCH}
MOST_STOPS = 4  # OpenAI's, and vLLM's
TOOL_NAME = re.compile(r"[\w.:/-]{1,128}")  # stands in a prompt and in a grammar; as long as MCP's
FORM_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # OpenAI's, of a schema


def check_options(body: Mapping[str, Any], most: int) -> None:
    """All of the checks below; ``most`` bounds the answers.

    Raises:
        InvalidRequest: names the option, what was found and what is taken.
    """
    check_kinds(body)
    check_bias(body.get("logit_bias"))
    check_metadata(body.get("metadata"))
    check_template(body)
    _check_prompt(body.get("prompt"))
    _check_tokens(body)
    _check_choices(body, most)
    _check_stop(body)
    check_tools(body.get("tools"))
    _check_tool_choice(body.get("tool_choice"), body.get("tools"))
    if not isinstance(form := body.get("response_format"), dict | None):
        raise InvalidRequest(
            f"response_format must be an object with a type, found {_shown(form)}", "response_format"
        )
    _check_form(form or {})
    _check_format(body.get("structured_outputs"))
    check_schemas(body)


def check_routed(body: Mapping[str, Any]) -> None:
    """Refuse what would show a route's prompt to the client, or cut it off: it is the operator's.

    What the adapters and the base are asked by name is the client's own, and theirs to see.

    Raises:
        InvalidRequest: names the first such option.
    """
    for name in OF_PROMPT:
        if (value := body.get(name)) is not None and value is not False:
            raise InvalidRequest(
                f"{name} can't be had with model 'auto', where a route's prompt comes before the messages "
                "and is neither shown nor cut: leave it out, or name an adapter or the base",
                name,
            )


def _check_prompt(prompt: object) -> None:
    """Tokens in place of text, for one answer or for several."""
    if not isinstance(prompt, list):
        return
    if any(isinstance(part, int | float) for part in prompt):
        check_token_ids("prompt", prompt)
    for index, part in enumerate(prompt):
        if isinstance(part, list):
            check_token_ids(f"prompt[{index}]", part)


def _check_tokens(body: Mapping[str, Any]) -> None:
    """Two bounds of the answer that differ: the engine would take one and pass over the other."""
    old, new = body.get("max_tokens"), body.get("max_completion_tokens")
    if old is not None and new is not None and old != new:
        raise InvalidRequest(
            f"max_tokens is {old} and max_completion_tokens {new}, which is its new name: leave one out",
            "max_tokens",
        )


def _check_choices(body: Mapping[str, Any], most: int) -> None:
    """Bound the answers that one request may ask for; each takes a place in the engine."""
    prompt = body.get("prompt")
    many = isinstance(prompt, list) and not all(isinstance(token, int) for token in prompt)
    prompts = len(prompt) if many and isinstance(prompt, list) else 1
    choices = body.get("n")
    if choices is not None and (isinstance(choices, bool) or not isinstance(choices, int)):
        raise InvalidRequest(f"n must be a whole number, found {_shown(choices)}", "n")
    if choices is not None and choices < 1:
        raise InvalidRequest(f"n must be at least 1, found {choices}", "n")
    if choices is not None and choices * prompts > most:
        raise InvalidRequest(
            f"n is {choices} for {prompts} prompt{'s' if prompts > 1 else ''}; one request gets at most "
            f"{most} answers",
            "n",
        )
    if body.get("best_of") not in (None, choices or 1):
        raise InvalidRequest("best_of is not supported: ask for as many answers by n and choose", "best_of")
    if prompts > most:
        raise InvalidRequest(f"prompt holds {prompts} prompts; at most {most} are taken", "prompt")


def _check_stop(body: Mapping[str, Any]) -> None:
    """``stop`` is looked at by chains before the engine does, and in its place."""
    stop = body.get("stop")
    if not isinstance(stop, str | list | None):
        raise InvalidRequest(f"stop must be text or a list of texts, found {kind_of(stop)}", "stop")
    if isinstance(stop, list) and len(stop) > MOST_STOPS:
        raise InvalidRequest(f"stop holds {len(stop)} texts; at most {MOST_STOPS} are taken", "stop")
    for index, text in enumerate(stop if isinstance(stop, list) else [stop]):
        place = f"stop[{index}]" if isinstance(stop, list) else "stop"
        if not isinstance(text, str) and stop is not None:
            raise InvalidRequest(f"{place} must be text, found {kind_of(text)}", place)
        if text == "":
            raise InvalidRequest(f"{place} must not be empty: it would end every answer, leave it out", place)


def check_tools(tools: object) -> None:
    """The client's ``tools``: vLLM and its chat template stumble over what has no name.

    Raises:
        InvalidRequest
    """
    if tools is None:
        return
    if not isinstance(tools, list):
        raise InvalidRequest(f"tools must be a list of tools, found {kind_of(tools)}", "tools")
    names = dict[str, int]()
    for index, tool in enumerate(tools):
        place = f"tools[{index}]"
        if not isinstance(tool, dict):
            raise InvalidRequest(f"{place} must be an object, found {kind_of(tool)}", place)
        if (named := tool.get("type", "function")) != "function":
            raise InvalidRequest(
                f"{place}.type {_shown(named)} is not supported: no tools are built in, give functions "
                "and run them yourself",
                f"{place}.type",
            )
        TOOL.check(tool, place)
        function = tool.get("function")
        if not isinstance(function, dict):
            raise InvalidRequest(
                f"{place}.function must be an object with a name, found {kind_of(function)}",
                f"{place}.function",
            )
        FUNCTION.check(function, f"{place}.function")
        check_kind(f"{place}.defer_loading", tool.get("defer_loading"), SWITCH)
        for name, kind in _OF_FUNCTION.items():
            check_kind(f"{place}.function.{name}", function.get(name), kind)
        _check_parameters(function.get("parameters"), f"{place}.function.parameters")
        if not isinstance(function.get("name"), str):
            raise InvalidRequest(
                f"{place}.function.name must be text, found {kind_of(function.get('name'))}",
                f"{place}.function.name",
            )
        if not TOOL_NAME.fullmatch(function["name"]):
            raise InvalidRequest(
                f"{place}.function.name must be 1 to 128 letters, digits and any of _ - . : /, found "
                f"{function['name'][:150]!r}: write _ in place of others",
                f"{place}.function.name",
            )
        if (first := names.setdefault(function["name"], index)) != index:
            raise InvalidRequest(
                f"{place}.function.name {function['name']!r} is that of tools[{first}] too, and a call says "
                "no more than the name: give each its own",
                f"{place}.function.name",
            )


def with_parameters(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Checked ``tools``. Whose parameters are left out has none, as with OpenAI; vLLM would take any."""
    return [
        tool
        if (function := tool["function"]).get("parameters") is not None
        else {**tool, "function": {**function, "parameters": {"type": "object", "properties": {}}}}
        for tool in map(dict, tools)
    ]


def _check_parameters(schema: object, at: str) -> None:
    """A tool's schema is of objects: a call's arguments are one, by name."""
    check_kind(at, schema, OBJECT)
    kind = schema.get("type") if isinstance(schema, dict) else None
    if kind is not None and kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise InvalidRequest(
            f"{at}.type must be 'object', as a call's arguments are; found {_shown(kind)}", f"{at}.type"
        )
    if kind is None and isinstance(schema, dict) and not _may_be_object(schema):
        raise InvalidRequest(f"{at} must let an object pass, as a call's arguments are: say type", at)


def _may_be_object(schema: dict[str, Any]) -> bool:
    """Whether a schema's values, types or ways leave objects, so far as its references are followed."""
    found = resolved(schema, schema)
    if not isinstance(found, dict):
        return found is not False
    ways = next((found[key] for key in ("anyOf", "oneOf") if isinstance(found.get(key), list)), None)
    inner = [found] if not ways else [resolved(way, schema) for way in ways]
    return any(not isinstance(each, dict) or "object" in kinds_of(each, schema) for each in inner)


def check_template(body: Mapping[str, Any]) -> None:
    """``chat_template_kwargs``: variables of the chat template's own, and nothing that is filled anyway.

    Raises:
        InvalidRequest
    """
    given = body.get("chat_template_kwargs")
    if not isinstance(given, dict):  # None, or the engine's to refuse
        return
    for name in given:
        if name in _FIELDS:
            raise InvalidRequest(
                f"chat_template_kwargs may not hold {name!r}: give {name} as a field of the request",
                f"chat_template_kwargs.{name}",
            )
        if name in _FILLED:
            raise InvalidRequest(
                f"chat_template_kwargs may not hold {name!r}, which the engine fills itself: only variables "
                "of the chat template's own are taken, such as enable_thinking",
                f"chat_template_kwargs.{name}",
            )


def check_effort(body: Mapping[str, Any]) -> None:
    """Refuse a ``reasoning_effort``: for a base whose template does not read it, as OpenAI for such models.

    "medium", which asks for what there is anyway, is taken.

    Raises:
        InvalidRequest
    """
    effort = body.get("reasoning_effort")
    if effort is not None and effort != "medium":
        raise InvalidRequest(
            f"reasoning_effort {_shown(effort)} is not supported: the base's chat template does not read it, "
            "and it would change nothing. Leave it out; the chain cot reasons, by its route or by the header "
            "x-pointsman-chain",
            "reasoning_effort",
        )


def _check_tool_choice(choice: object, tools: object) -> None:
    """The form of a choice, and that there are tools where one must be called."""
    if choice is None or choice in ("none", "auto"):
        return
    if choice != "required":
        _check_named_choice(choice)
    if not tools:
        raise InvalidRequest(
            "tool_choice has a tool called, and no tools are given: give tools, or leave tool_choice out",
            "tool_choice",
        )


def _check_named_choice(choice: object) -> None:
    given = choice if isinstance(choice, dict) else {}
    check_choice_kind(given)
    function = named if isinstance(named := given.get("function"), dict) else {}
    if not isinstance(name := function.get("name"), str) or not name:
        raise InvalidRequest(
            "tool_choice must be 'none', 'auto', 'required' or {'type': 'function', 'function': {'name': …}}"
            f", found {_shown(choice)}",
            "tool_choice",
        )
    CHOICE.check(given, "tool_choice")
    CHOSEN.check(function, "tool_choice.function")


def check_choice_kind(choice: Mapping[str, Any]) -> None:
    """Refuse OpenAI's forms of a ``tool_choice`` that are not had here, by their names.

    Raises:
        InvalidRequest
    """
    kind = choice.get("type", "function")
    if kind != "function":
        fix = (
            "send only the tools that may be called, with tool_choice 'auto' or 'required'"
            if kind == "allowed_tools"
            else "no tools are built in, name a function"
        )
        raise InvalidRequest(
            f"tool_choice of the type {_shown(kind)} is not supported: {fix}", "tool_choice.type"
        )


def _check_form(form: Mapping[str, Any]) -> None:
    FORM.check(form, "response_format")
    schema = form.get("json_schema")
    if not isinstance(schema, dict | None):
        raise InvalidRequest(
            f"response_format.json_schema must be an object with a name and a schema, found {_shown(schema)}",
            "response_format.json_schema",
        )
    if schema is not None:
        JSON_SCHEMA.check(schema, "response_format.json_schema")
        check_kind("response_format.json_schema.strict", schema.get("strict"), SWITCH)
        name = schema.get("name")
        if isinstance(name, str) and not FORM_NAME.fullmatch(name):  # what is no text, the engine refuses
            raise InvalidRequest(
                "response_format.json_schema.name must be 1 to 64 of a-z, A-Z, 0-9, _ and -, found "
                f"{name[:80]!r}",
                "response_format.json_schema.name",
            )


def _check_format(wanted: object) -> None:
    if wanted is None:
        return
    if not isinstance(wanted, dict):
        raise InvalidRequest(
            f"structured_outputs must be an object with one of {', '.join(FORMATS)}; found {_shown(wanted)}",
            "structured_outputs",
        )
    STRUCTURED_OUTPUTS.check(wanted, "structured_outputs")
    check_kind("structured_outputs.json_object", wanted.get("json_object"), SWITCH)
    given = [name for name in FORMATS if wanted.get(name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or (f"only {', '.join(map(str, wanted))}" if wanted else "none")
        raise InvalidRequest(
            f"structured_outputs must hold exactly one of {', '.join(FORMATS)}; found {found}",
            "structured_outputs",
        )


def _shown(value: object) -> str:
    return repr(value)[:80] if isinstance(value, str | int | float | bool) else kind_of(value)
