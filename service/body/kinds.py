"""What kind of value each option takes, for the check and for the OpenAPI document.

vLLM reads ``"0.5"`` as a number and ``true`` as 1; OpenAI refuses both, and so does this. Bounds are in the
document alone where the engine holds to them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.body.shown import kind_of
from service.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of values; null is one of each, and asks for nothing."""

    words: str
    types: tuple[type, ...]
    schema: Mapping[str, Any]

    def holds(self, value: object) -> bool:
        """Whether ``value`` is of it."""
        if value is None:
            return True
        if self.schema["type"] == "integer" and isinstance(value, float):
            return value.is_integer()  # JSON has one kind of number
        return isinstance(value, self.types) and (bool in self.types or not isinstance(value, bool))

    def bounded(self, **more: object) -> Kind:
        """The same, with what else the document says of it."""
        return Kind(self.words, self.types, {**self.schema, **more})

    @property
    def described(self) -> dict[str, Any]:
        """As a schema of the document."""
        return {"anyOf": [dict(self.schema), {"type": "null"}]}

    @property
    def unbounded(self) -> dict[str, Any]:
        """The same, where no engine holds to its bounds."""
        return {"type": [self.schema["type"], "null"]}


NUMBER = Kind("a number", (int, float), {"type": "number"})
WHOLE = Kind("a whole number", (int,), {"type": "integer"})
SWITCH = Kind("true or false", (bool,), {"type": "boolean"})
TEXT = Kind("text", (str,), {"type": "string"})
LIST = Kind("a list", (list,), {"type": "array"})
OBJECT = Kind("an object", (dict,), {"type": "object"})

_PENALTY = NUMBER.bounded(minimum=-2, maximum=2)
_MANY = WHOLE.bounded(minimum=1, maximum=2**31 - 1)
LAST_ID = 2**31 - 1  # of tokens; which of them the base has, the engine knows
_IDS = LIST.bounded(items={"type": "integer", "minimum": 0, "maximum": LAST_ID})
_MOST_BIAS = 100
_SCORE = {"type": "number", "minimum": -_MOST_BIAS, "maximum": _MOST_BIAS}
_ID = re.compile(r"\d{1,9}")

KINDS: Mapping[str, Kind] = {
    "temperature": NUMBER.bounded(minimum=0, maximum=2),
    "top_p": NUMBER.bounded(exclusiveMinimum=0, maximum=1),
    "min_p": NUMBER.bounded(minimum=0, maximum=1),
    "frequency_penalty": _PENALTY,
    "presence_penalty": _PENALTY,
    "repetition_penalty": NUMBER.bounded(exclusiveMinimum=0),
    "length_penalty": NUMBER,
    "top_k": WHOLE.bounded(minimum=-1, maximum=2**31 - 1),
    "seed": WHOLE.bounded(minimum=-(2**62), maximum=2**62),
    "max_tokens": _MANY,
    "max_completion_tokens": _MANY,
    "min_tokens": WHOLE.bounded(minimum=0),
    "best_of": WHOLE.bounded(minimum=1),
    "top_logprobs": WHOLE.bounded(minimum=0),
    "prompt_logprobs": WHOLE.bounded(minimum=0),
    "thinking_token_budget": WHOLE.bounded(minimum=-1),
    "stream_interval": _MANY,
    "truncate_prompt_tokens": WHOLE.bounded(minimum=-1),
    "echo": SWITCH,
    "use_beam_search": SWITCH,
    "include_stop_str_in_output": SWITCH,
    "ignore_eos": SWITCH,
    "skip_special_tokens": SWITCH,
    "spaces_between_special_tokens": SWITCH,
    "add_special_tokens": SWITCH,
    "include_reasoning": SWITCH,
    "add_generation_prompt": SWITCH,
    "continue_final_message": SWITCH,
    "return_tokens_as_token_ids": SWITCH,
    "return_token_ids": SWITCH,
    "return_prompt_text": SWITCH,
    "parallel_tool_calls": SWITCH,
    "return_token_strs": SWITCH,
    "allowed_token_ids": _IDS.bounded(minItems=1),
    "logprob_token_ids": _IDS,
    "stop_token_ids": _IDS,
    "bad_words": LIST.bounded(items={"type": "string", "minLength": 1}),
    "documents": LIST.bounded(items={"type": "object", "additionalProperties": {"type": "string"}}),
    "logit_bias": OBJECT.bounded(propertyNames={"pattern": f"^{_ID.pattern}$"}, additionalProperties=_SCORE),
    "metadata": OBJECT.bounded(additionalProperties={"type": ["string", "null"]}),
    "chat_template_kwargs": OBJECT,
    "repetition_detection": OBJECT,
    "prompt_cache_options": OBJECT,
    "client_metadata": OBJECT,
    "user": TEXT,
    "safety_identifier": TEXT,
    "prompt_cache_key": TEXT,
    "prompt_cache_retention": TEXT,
    "suffix": TEXT,
    "cache_salt": TEXT.bounded(minLength=1, maxLength=1024),
    "truncation_side": TEXT.bounded(enum=["left", "right"]),
    "reasoning_effort": TEXT.bounded(enum=["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
}


def given(body: Mapping[str, Any]) -> dict[str, Any]:
    """``body`` without what asks for nothing: what is null, no tools, and how such are chosen.

    OpenAI takes these for what is left out, and vLLM not everywhere.
    """
    kept = {name: value for name, value in body.items() if value is not None}
    if not kept.get("tools"):
        kept.pop("tools", None)
        if kept.get("tool_choice") in ("auto", "none"):
            del kept["tool_choice"]
    if isinstance(wanted := kept.get("structured_outputs"), dict):
        kept["structured_outputs"] = {name: value for name, value in wanted.items() if value is not None}
    return kept


def check_kinds(body: Mapping[str, Any]) -> None:
    """Refuse a value of another kind than its field's.

    Raises:
        InvalidRequest: names the field, what was found and what is taken.
    """
    for name, value in body.items():
        if (kind := KINDS.get(name)) is not None:
            check_kind(name, value, kind)


def check_kind(name: str, value: object, kind: Kind) -> None:
    """Refuse a ``value`` of another ``kind`` than the field ``name`` takes.

    Raises:
        InvalidRequest
    """
    if not kind.holds(value):
        raise InvalidRequest(f"{name} must be {kind.words}, found {kind_of(value)}", name)


def check_bounds(body: Mapping[str, Any]) -> None:
    """Refuse a number outside of its field's bounds, which is else the engine's to do.

    Raises:
        InvalidRequest: names the field, what was found and what is taken.
    """
    for name, value in body.items():
        schema = KINDS[name].schema if name in KINDS else {}
        if not isinstance(value, int | float):
            continue
        least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
        above = schema.get("exclusiveMinimum", -math.inf)
        if not (least <= value <= most and value > above):
            low = f"above {above:.15g}" if above > least else f"at least {least:.15g}"
            high = f" and at most {most:.15g}" if most < math.inf else ""
            raise InvalidRequest(f"{name} must be {low}{high}, found {value:.15g}", name)


def check_metadata(metadata: object) -> None:
    """``metadata``, whose values are texts.

    Raises:
        InvalidRequest
    """
    for name, value in metadata.items() if isinstance(metadata, dict) else ():
        check_kind(f"metadata.{name[:80]}", value, TEXT)


def check_bias(bias: object) -> None:
    """``logit_bias``, whose values vLLM would move to the next bound in silence.

    Raises:
        InvalidRequest
    """
    for token, value in bias.items() if isinstance(bias, dict) else ():
        place = f"logit_bias.{token[:80]}"
        if not _ID.fullmatch(token):
            raise InvalidRequest(f"logit_bias must have token ids as its names, found {token[:80]!r}", place)
        if not NUMBER.holds(value) or value is None or not -_MOST_BIAS <= value <= _MOST_BIAS:
            found = value if isinstance(value, int | float) else kind_of(value)
            raise InvalidRequest(
                f"{place} must be a number from {-_MOST_BIAS} to {_MOST_BIAS}, found {found}", place
            )


def check_token_ids(name: str, tokens: Sequence[object], last: int | None = None) -> None:
    """Refuse ``tokens`` in the field ``name`` of which one is no token id; ``last`` is the base's, if known.

    Raises:
        InvalidRequest
    """
    last = LAST_ID if last is None else last
    for index, token in enumerate(tokens):
        if type(token) is not int or not 0 <= token <= last:
            number = isinstance(token, int | float) and not isinstance(token, bool)
            found = f"{token:.15g}" if number else kind_of(token)
            place = f"{name}[{index}]"
            raise InvalidRequest(
                f"{place} must be a token id, a whole number from 0 to {last}, found {found}", place
            )
