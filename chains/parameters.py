"""Which of a client's parameters a chain can honour that makes the answer itself, event by event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chains.errors import ChainUnsupported
from chains.events import Usage

_OWN = frozenset({"model", "messages", "stream", "stream_options"})
_ALONG = "continuous_usage_stats"
_ELSEWHERE = "leave it out, or name an adapter in place of 'auto', and no chain"
_LEAST = "min_tokens"
_TOKENS = ("max_tokens", "max_completion_tokens", _LEAST)
_FORMATS: Mapping[str, tuple[object, ...]] = {
    "response_format": ({"type": "text"},),
    "structured_outputs": (),
}
_ONLY: Mapping[str, tuple[object, ...]] = {  # the values that ask for nothing beyond one text
    "n": (1,),
    "best_of": (1,),
    "use_beam_search": (False,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logprob_token_ids": ([],),
    "prompt_logprobs": (),  # 0 asks for those of the prompt's own tokens
    "echo": (False,),
    "return_token_ids": (False,),
    "include_stop_str_in_output": (False,),
    "return_prompt_text": (False,),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    **_FORMATS,
    "continue_final_message": (False,),
    "add_generation_prompt": (True,),
    "modalities": (["text"],),
    "audio": (),
}


def beyond_text(parameters: Mapping[str, Any]) -> str | None:
    """The first of ``parameters`` that asks for more than one plain text; None: none does.

    Tools that may not be called (``tool_choice: "none"``) ask for nothing.
    """
    for name, neutral in _ONLY.items():
        value = parameters.get(name)
        if name == "tools" and not calls_tools(parameters):
            continue
        if value is not None and value not in neutral:
            return name
    return None


def formats_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``parameters`` that ask for a form of the answer, JSON for instance."""
    given = {name: parameters.get(name) for name in _FORMATS}
    return {name: value for name, value in given.items() if value is not None and value not in _FORMATS[name]}


def calls_tools(parameters: Mapping[str, Any]) -> bool:
    """Whether the client brings tools that the model may call."""
    return bool(parameters.get("tools")) and parameters.get("tool_choice") != "none"


def token_bounds(parameters: Mapping[str, Any]) -> dict[str, int]:
    """The client's bounds on what is written, by their names; none where it set none."""
    return {name: value for name in _TOKENS if isinstance(value := parameters.get(name), int)}


def most_tokens(parameters: Mapping[str, Any]) -> tuple[str, int] | None:
    """The narrowest of the client's upper bounds on what is written, and its name; None: it set none."""
    bounds = {name: many for name, many in token_bounds(parameters).items() if name != _LEAST}
    return min(bounds.items(), key=lambda bound: bound[1], default=None)


def tokens_left(parameters: Mapping[str, Any], usage: Usage) -> dict[str, int] | None:
    """The client's bounds on what is written, less what ``usage`` says; None: nothing may be any more."""
    bounds = token_bounds(parameters)
    left = {name: max(0, bound - usage.completion_tokens) for name, bound in bounds.items()}
    return None if any(many == 0 for name, many in left.items() if name != _LEAST) else left


def sampling(chain: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What of ``parameters`` goes to every call of the engine.

    Raises:
        ChainUnsupported: names the first parameter that ``chain`` can't honour.
    """
    if (name := beyond_text(parameters)) is not None:
        raise ChainUnsupported(chain, name, parameters[name], _ELSEWHERE)
    if (parameters.get("stream_options") or {}).get(_ALONG):  # a chunk of ours knows no usage but the last
        raise ChainUnsupported(chain, f"stream_options.{_ALONG}", True, _ELSEWHERE)
    return {name: value for name, value in parameters.items() if name not in _OWN and name not in _ONLY}
