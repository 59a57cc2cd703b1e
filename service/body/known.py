"""The fields that each endpoint knows: those that it takes, and those that it refuses by name.

vLLM answers a field that it does not know as if it had not been there. Here that is a 400, as at OpenAI: a
misspelt ``temprature`` would else be answered at another temperature than was asked for. What is refused by
name is OpenAI's or vLLM's; it would change the answer, or it gives power over the engine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from service.errors import InvalidRequest, UnknownField

_ELSEWHERE_CALLED: Mapping[str, str] = {  # names of other servers and libraries, which are near to none here
    "max_new_tokens": "max_tokens",
    "max_gen_toks": "max_tokens",
    "n_predict": "max_tokens",
    "num_beams": "use_beam_search",
    "num_return_sequences": "n",
    "repeat_penalty": "repetition_penalty",
    "enable_thinking": "chat_template_kwargs",
    "thinking": "chat_template_kwargs",
    "json_schema": "response_format",
    "grammar": "structured_outputs",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a field is refused, and the values, beside null, that ask for nothing."""

    why: str
    neutral: tuple[object, ...] = ()

    def allows(self, value: object) -> bool:
        """Whether ``value`` asks for nothing."""
        return value is None or any(type(value) is type(one) and value == one for one in self.neutral)


@dataclass(frozen=True, slots=True)
class Fields:
    """What one endpoint knows."""

    taken: frozenset[str]
    refused: Mapping[str, Refusal] = field(default_factory=dict)

    def check(self, body: Mapping[str, Any], at: str = "") -> None:
        """Refuse ``body``, or the object in one at the place ``at``, for a field that is not taken.

        Raises:
            UnknownField: nobody knows it.
            InvalidRequest: it is known, and refused.
        """
        if body.keys() <= self.taken:
            return
        for name, value in body.items():
            if name in self.taken:
                continue
            shown = name[:80] or "''"
            place = f"{at}.{shown}" if at else shown
            if (refusal := self.refused.get(name)) is None:
                meant = _meant(name, self.taken)
                raise UnknownField(f"Unrecognized request argument supplied: {place}{meant}", place)
            if not refusal.allows(value):
                raise InvalidRequest(f"{place} {refusal.why}", place)


def _meant(name: str, taken: Collection[str]) -> str:
    """A guess at the field that was meant by ``name``, if one is near."""
    meant = "structured_outputs" if name.startswith("guided_") else _ELSEWHERE_CALLED.get(name)
    if meant in taken:
        return f"; did you mean {meant}?"
    near = get_close_matches(name[:80], sorted(taken), n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""


def _of(*taken: str, **refused: Refusal) -> Fields:
    return Fields(frozenset(taken), refused)


def _engines(why: str, *neutral: object) -> Refusal:
    return Refusal(f"may not be set by a request: {why}", neutral)


def _without(fix: str, *neutral: object) -> Refusal:
    return Refusal(f"is not supported: {fix}", neutral)


_ELSEWHERE = "it has the engine move its cache to and from other servers"
_TEXT_ONLY = "only text is given: leave it out"
_STATELESS = "nothing is kept between requests: give the whole conversation as input"

ENGINES: Mapping[str, Refusal] = {  # vLLM's, which give power over the engine
    "priority": _engines("who goes first is the gateway's to decide"),
    "request_id": _engines("the engine's ids are the gateway's; send the header x-request-id"),
    "session_id": _engines("the engine's cache tells others who asked by it"),
    "kv_transfer_params": _engines(_ELSEWHERE),
    "ec_transfer_params": _engines(_ELSEWHERE),
    "vllm_xargs": _engines("it reaches extensions of the engine unchecked"),
    "mm_processor_kwargs": _engines("it changes how the engine reads images and sound"),
    "media_io_kwargs": _engines("it changes how the engine loads images and sound"),
    "prompt_embeds": _engines("tensors from outside are loaded unchecked"),
    "chat_template": _engines("adapters are trained for the base's own template"),
    "watermarking": _engines("whether text is marked is the engine's settings to say", True),
}
SHOWN_NOWHERE: Mapping[str, Refusal] = {  # vLLM's, of which its answers have nothing
    "return_token_offsets": _without("leave it out", False),
    "return_mm_kwargs": _without("leave it out", False),
    "mm_payload": _without("leave it out", "none", "tensors"),
    "routed_experts_prompt_start": _without("leave it out", 0),
}
NOT_HERE: Mapping[str, Refusal] = {  # OpenAI's, of a chat
    "functions": _without("it is deprecated, use tools"),
    "function_call": _without("it is deprecated, use tool_choice"),
    "modalities": _without(_TEXT_ONLY, ["text"]),
    "audio": _without(_TEXT_ONLY),
    "prediction": _without("leave it out"),
    "moderation": _without("leave it out"),
    "web_search_options": _without("nothing is searched: leave it out"),
    "verbosity": _without("leave it out", "medium"),
    "service_tier": _without("there is one tier: leave it out", "auto", "default"),
    "store": _without("nothing is stored: leave it out or give false", False),
}
_OF_RESPONSES: Mapping[str, Refusal] = {
    **{name: NOT_HERE[name] for name in ("moderation", "service_tier", "store")},
    "previous_response_id": _without(_STATELESS),
    "conversation": _without(_STATELESS),
    "prompt": _without("give instructions"),
    "background": _without("answers are given at once or streamed", False),
    "background_options": _without("answers are given at once or streamed"),
    "truncation": _without("a conversation is not shortened: give 'disabled'", "disabled"),
    "context_management": _without("a conversation is not shortened: leave it out", []),
    "include": _without(
        "leave it out", [], ["reasoning.encrypted_content"]
    ),  # none is hidden, none read again
    "top_logprobs": _without("leave it out", 0),
    "max_tool_calls": _without("no tools are built in: leave it out"),
    "image": _without(_TEXT_ONLY),
    "access_programs": _without("leave it out"),
}

_HARMLESS = (  # OpenAI's, which change nothing of an answer here
    *("user", "metadata", "safety_identifier"),
    *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
)
_GENERATION = (
    *("model", "stream", "stream_options", "user", "n", "seed", "stop", "max_tokens", "echo"),
    *("temperature", "top_p", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs"),
    # vLLM's
    *("top_k", "min_p", "repetition_penalty", "length_penalty", "use_beam_search", "min_tokens"),
    *("stop_token_ids", "include_stop_str_in_output", "ignore_eos", "allowed_token_ids", "bad_words"),
    *("skip_special_tokens", "spaces_between_special_tokens", "add_special_tokens"),
    *("truncate_prompt_tokens", "truncation_side", "prompt_logprobs", "logprob_token_ids"),
    *("response_format", "structured_outputs", "return_tokens_as_token_ids", "return_token_ids"),
    *("cache_salt", "repetition_detection", "thinking_token_budget", "stream_interval"),
)
_OF_CHAT = (
    *("messages", "max_completion_tokens", "top_logprobs"),
    *("tools", "tool_choice", "parallel_tool_calls", "reasoning_effort"),
    # vLLM's
    *("include_reasoning", "add_generation_prompt", "continue_final_message"),
    *("documents", "chat_template_kwargs", "return_prompt_text"),
)

CHAT = Fields(frozenset((*_GENERATION, *_OF_CHAT, *_HARMLESS)), {**ENGINES, **SHOWN_NOWHERE, **NOT_HERE})
COMPLETION = Fields(frozenset((*_GENERATION, "prompt", "suffix", "best_of")), {**ENGINES, **SHOWN_NOWHERE})
EMBEDDING = _of("model", "input", "encoding_format", "dimensions", "user", "truncate_prompt_tokens")
RESPONSE = _of(
    *("model", "input", "instructions", "stream", "stream_options", "max_output_tokens"),
    *("temperature", "top_p", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning"),
    *(*_HARMLESS, "client_metadata"),  # the last is OpenAI's own agents'
    **_OF_RESPONSES,
)
TOKENIZED_TEXT = _of("model", "prompt", "add_special_tokens", "return_token_strs")
TOKENIZED_CHAT = _of(
    *("model", "messages", "tools", "add_special_tokens", "return_token_strs"),
    *("add_generation_prompt", "continue_final_message", "chat_template_kwargs"),
    **{name: ENGINES[name] for name in ("chat_template", "media_io_kwargs", "mm_processor_kwargs")},
)
DETOKENIZED = _of("model", "tokens")
ROUTED = _of(*CHAT.taken, *CHAT.refused, "text", "input")  # a chat that is only explained
LOADED = _of("lora_name", "lora_path", "load_inplace", is_3d_lora_weight=_without("leave it out", False))
UNLOADED = _of("lora_name", "lora_int_id")

# inside of the fields above
MESSAGE = _of(
    *("role", "content", "name", "tool_calls", "tool_call_id", "refusal"),
    # what answers bring along, of other servers too, and clients send back
    *("annotations", "parsed", "id", "provider_specific_fields", "extra_content", "cache_control"),
    *("reasoning", "reasoning_content", "reasoning_details", "reasoning_items", "thinking_blocks"),
    audio=_without(_TEXT_ONLY),
    images=_without(_TEXT_ONLY, []),
    function_call=_without("use tool_calls"),
)
TEXT_PART = _of(
    *("type", "text", "cache_control", "id", "index"),
    *("annotations", "citations", "logprobs", "extras", "provider_specific_fields"),  # of an answer's
    "prompt_cache_breakpoint",
)
CACHE_BREAKPOINT = _of("mode", "ttl")
TOOL = _of("type", "function", "defer_loading", "cache_control")
FUNCTION = _of("name", "description", "parameters", "strict", "defer_loading", "cache_control")
CHOICE = _of("type", "function")
CHOSEN = _of("name")
STREAM_OPTIONS = _of("include_usage", "include_obfuscation", "continuous_usage_stats")
FORM = _of("type", "json_schema", *("format", "structures", "triggers"))  # the last three are vLLM's
FORMATS = ("json", "regex", "choice", "grammar", "json_object", "structural_tag")  # of structured outputs
STRUCTURED_OUTPUTS = _of(
    *FORMATS, "disable_any_whitespace", "disable_additional_properties", "whitespace_pattern"
)
JSON_SCHEMA = _of("name", "description", "schema", "strict")
RESPONSE_TOOL = _of(
    *("type", "name", "description", "parameters", "strict"),
    defer_loading=_without("leave it out", False),
    output_schema=_without("leave it out"),
    allowed_callers=_without("leave it out", ["direct"]),
    **{"async": _without("leave it out", False)},
)
RESPONSE_CHOICE = _of("type", "name")
RESPONSE_TEXT = _of("format", verbosity=NOT_HERE["verbosity"])
RESPONSE_FORM = _of("type", "name", "description", "schema", "strict")
RESPONSE_REASONING = _of(
    "effort",
    summary=_without("what is reasoned comes as it is: leave it out", "auto"),
    **{name: _without("leave it out") for name in ("generate_summary", "context", "mode")},
)
