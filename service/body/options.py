"""The options of a request beside its messages: what must hold before anything works on them.

Checked is what our own code relies on, and what makes vLLM stumble (a 500) or do nothing in silence. All else
is vLLM's to accept or refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.body.forms import check_form, check_guide
from service.body.kinds import check_bias, check_kinds, check_metadata, check_token_ids
from service.body.schemas import check_schemas
from service.body.shown import kind_of, shown
from service.body.tools import check_tool_choice, check_tools
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
MOST_STOPS = 4  # OpenAI's, and vLLM's


def check_options(body: Mapping[str, Any], most: int) -> None:
    """All of the checks below, and those of tools and forms; ``most`` bounds the answers.

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
    check_tool_choice(body.get("tool_choice"), body.get("tools"))
    check_form(body.get("response_format"))
    check_guide(body.get("structured_outputs"))
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
        raise InvalidRequest(f"n must be a whole number, found {shown(choices)}", "n")
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
            f"reasoning_effort {shown(effort)} is not supported: the base's chat template does not read it, "
            "and it would change nothing. Leave it out; the chain cot reasons, by its route or by the header "
            "x-pointsman-chain",
            "reasoning_effort",
        )
