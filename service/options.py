"""The options of a request beside its messages: what must hold before anything works on them.

Checked is what our own code relies on, and what makes vLLM stumble (a 500) or do nothing in silence. All else
is vLLM's to accept or refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.conversation import kind_of
from service.errors import InvalidRequest
from service.reserved import check_reserved

FORMATS = ("json", "regex", "choice", "grammar", "json_object", "structural_tag")
_GONE = "guided_"  # vLLM read these once; now it would answer without any constraint


def check_options(body: Mapping[str, Any], most: int) -> None:
    """All of the checks below; ``most`` bounds the answers.

    Raises:
        InvalidRequest: names the option, what was found and what is taken.
    """
    check_reserved(body)
    _check_choices(body, most)
    _check_stop(body)
    check_tools(body.get("tools"))
    _check_format(body.get("structured_outputs"))
    for name in body:
        if name.startswith(_GONE):
            raise InvalidRequest(f"{name} is not taken any more: use structured_outputs", name)


def _check_choices(body: Mapping[str, Any], most: int) -> None:
    """Bound the answers that one request may ask for; each takes a place in the engine."""
    prompt = body.get("prompt")
    many = isinstance(prompt, list) and not all(isinstance(token, int) for token in prompt)
    prompts = len(prompt) if many and isinstance(prompt, list) else 1
    for name in ("n", "best_of"):
        choices = body.get(name)
        if choices is not None and (isinstance(choices, bool) or not isinstance(choices, int)):
            raise InvalidRequest(f"{name} must be a whole number, found {_shown(choices)}", name)
        if choices is not None and choices < 1:
            raise InvalidRequest(f"{name} must be at least 1, found {choices}", name)
        if choices is not None and choices * prompts > most:
            raise InvalidRequest(
                f"{name} is {choices} for {prompts} prompt{'s' if prompts > 1 else ''}; one request gets "
                f"at most {most} answers",
                name,
            )
    if prompts > most:
        raise InvalidRequest(f"prompt holds {prompts} prompts; at most {most} are taken", "prompt")


def _check_stop(body: Mapping[str, Any]) -> None:
    """``stop`` is looked at by chains before the engine does."""
    stop = body.get("stop")
    texts = stop if isinstance(stop, list) else [] if stop is None else [stop]
    for text in texts:
        if not isinstance(text, str):
            raise InvalidRequest(f"stop must be a text or a list of texts, found {kind_of(text)}", "stop")
        if not text:
            raise InvalidRequest("stop must not be empty text: leave it out", "stop")


def check_tools(tools: object) -> None:
    """The client's ``tools``: vLLM and its chat template stumble over what has no name.

    Raises:
        InvalidRequest
    """
    if tools is None:
        return
    if not isinstance(tools, list):
        raise InvalidRequest(f"tools must be a list of tools, found {kind_of(tools)}", "tools")
    for index, tool in enumerate(tools):
        place = f"tools[{index}]"
        if not isinstance(tool, dict):
            raise InvalidRequest(f"{place} must be an object, found {kind_of(tool)}", place)
        function = tool.get("function")
        if not isinstance(function, dict):
            raise InvalidRequest(
                f"{place}.function must be an object with a name, found {kind_of(function)}",
                f"{place}.function",
            )
        if not isinstance(function.get("name"), str):
            raise InvalidRequest(
                f"{place}.function.name must be text, found {kind_of(function.get('name'))}",
                f"{place}.function.name",
            )


def _check_format(wanted: object) -> None:
    if wanted is None:
        return
    if not isinstance(wanted, dict):
        raise InvalidRequest(
            f"structured_outputs must be an object with one of {', '.join(FORMATS)}; found {_shown(wanted)}",
            "structured_outputs",
        )
    given = [name for name in FORMATS if wanted.get(name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or (f"only {', '.join(map(str, wanted))}" if wanted else "none")
        raise InvalidRequest(
            f"structured_outputs must hold exactly one of {', '.join(FORMATS)}; found {found}",
            "structured_outputs",
        )


def _shown(value: object) -> str:
    return repr(value)[:80] if isinstance(value, str | int | float | bool) else kind_of(value)
