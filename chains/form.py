"""One answer that is held to a schema: guided by the engine where it can, and validated in any case.

An engine that refuses to guide is asked in words as well, guided by what of the schema can guide, and if it
refuses that too, in words alone. An answer that does not fit goes back to the model
once, with what is wrong with it; one that does not fit then is never given out.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from chains.answer import Answer, ask
from chains.errors import AnswerInvalid, ChainUnsupported, ParameterInvalid, Refused
from chains.events import Content, Engine, Event, Note, Reasoning, Usage
from chains.messages import text_of, with_system
from chains.parameters import formats_of
from chains.purpose import Meant
from chains.schemas.guidable import guidable
from chains.schemas.schema import AnswerSchema, SchemaUnusable, json_in
from chains.splitter import Splitter
from chains.stop import StopAt, stops_of

NO_SCHEMA = "give a response_format of type json_schema or json_object"
_OBJECT = {"type": "object"}
_TOO_MUCH = "the request is too long, or holds nothing to copy: copied strings are only checked"
_MISSED = ". The rest of the schema guided the answer, and all of it was checked: "
_REPAIR = "This does not fit: {problem}. Reply again with the JSON only, all of it."


@dataclass(slots=True)
class Cost:
    """What the calls for one answer came to; complete when its events have ended."""

    usage: Usage = field(default_factory=Usage)
    prompt: int = 0  # tokens that the first call read
    calls: int = 0
    cut: bool = False  # the answer ran out of tokens, and was given out as far as it came


@dataclass(frozen=True, slots=True)
class _Said:
    content: str
    reasoning: str
    cut: bool


def asked_schema(
    chain: str, form: Mapping[str, Any], default: AnswerSchema | None = None
) -> AnswerSchema | None:
    """The schema that the parameters ``form`` ask for; ``default`` where they ask for no more than JSON.

    Raises:
        ChainUnsupported: they ask for a form that is not JSON.
        ParameterInvalid: the schema can't be used.
    """
    try:
        if "structured_outputs" in form:
            wanted = form["structured_outputs"]
            schema = wanted.get("json") if isinstance(wanted, Mapping) else None
            if isinstance(wanted, Mapping) and wanted.get("json_object"):
                return default or AnswerSchema(_OBJECT)
            if schema is None:
                raise ChainUnsupported(chain, "structured_outputs", None, "only json is held to here")
            return AnswerSchema(json.loads(schema) if isinstance(schema, str) else schema)
        wanted = form.get("response_format")
        if wanted is None:
            return default
        if wanted == {"type": "json_object"}:
            return default or AnswerSchema(_OBJECT)
        if not isinstance(wanted, Mapping):
            raise ParameterInvalid("response_format", f"must be an object: {NO_SCHEMA}")
        inner = wanted.get("json_schema")
        if wanted.get("type") != "json_schema" or not isinstance(inner, Mapping):
            raise ChainUnsupported(chain, "response_format", None, NO_SCHEMA)
        return AnswerSchema(inner.get("schema"), str(inner.get("name") or "answer"), inner.get("strict"))
    except (SchemaUnusable, ValueError) as exc:
        raise ParameterInvalid(next(iter(form)), f"the schema can't be used: {exc}") from exc


async def formed(
    schema: AnswerSchema,
    body: Mapping[str, Any],
    engine: Engine,
    calls: int,
    cost: Cost,
    *,
    asked: bool = True,
) -> AsyncGenerator[Event, None]:
    """The JSON that answers ``body``, in one piece; the model is asked at most ``calls`` times, 1 or more.

    ``asked``: the client asked for this ``schema``, so it hears what the engine has against it.

    A ``stop`` string cuts what was found to fit, and not what the model is to write.

    Raises:
        AnswerInvalid: it does not fit ``schema``, and nothing of it was given.
        Refused: likewise, and the engine had refused to be guided by any of the client's schema, or by all of
            one that is strict.
    """
    refused: Refused | None = None
    messages, stop = list(body["messages"]), StopAt(stops_of(body))
    unstopped = {name: value for name, value in body.items() if name != "stop"}
    sources = [text_of(message) for message in messages if message.get("role") == "user"]
    guide = schema.guide(sources)
    if guide is None:
        yield Note("unguided", {"reason": _TOO_MUCH})
    form: Mapping[str, Any] | None = schema.format(guide)
    asking = engine
    while True:
        guided = {} if form is None else {"response_format": form}
        turns = messages if refused is None else with_system(messages, schema.in_words())
        try:
            said = await _say({**unstopped, **guided, "messages": turns}, asking, cost)
        except Refused as exc:
            if form is None:
                raise
            loose, left_out = _loosened(form) if refused is None else (form, [])
            form = loose if left_out else None
            refused = refused or exc
            yield Note("unguided", {"reason": str(exc), **({"left_out": left_out} if left_out else {})})
            continue
        text = json_in(said.content)
        problem = schema.problem(text, sources)
        if problem is None or said.cut:
            if said.reasoning:
                yield Reasoning(said.reasoning)
            if text := stop.feed(text) + stop.end():
                yield Content(text)
            cost.cut = said.cut and not stop.reached
            return
        yield Note("repair", {"problem": problem, "answer": said.content})
        if cost.calls >= min(calls, 2):
            invalid = AnswerInvalid(problem, cost.calls)
            if refused is None or not asked or (form is not None and not schema.strict):
                raise invalid
            refused.instead = f"; {invalid}" if form is None else f"{_MISSED}{invalid}"
            raise refused
        asking = Meant(engine, "repair")
        messages += [
            {"role": "assistant", "content": said.content},
            {"role": "user", "content": _REPAIR.format(problem=problem)},
        ]


def _loosened(form: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """``form`` with what of its schema can guide, and the keywords that went."""
    inner = form["json_schema"]
    kept, left_out = guidable(inner["schema"])
    return {**form, "json_schema": {**inner, "schema": kept}}, left_out


async def _say(body: Mapping[str, Any], engine: Engine, cost: Cost) -> _Said:
    guided = bool(formats_of(body))
    answer, splitter = Answer(), Splitter("reasoning", guided=guided)
    content, reasoning = "", ""
    async with aclosing(ask(engine, body, False, answer)) as pieces:
        async for piece in pieces:
            parts = [*splitter.feed(piece.content), *splitter.end()]
            content += "".join(part.text for part in parts if part.kind == "content")
            reasoning += piece.reasoning
            reasoning += "".join(part.text for part in parts if part.kind == "reasoning")
    cost.prompt = cost.prompt if cost.calls else answer.usage.prompt_tokens
    cost.calls += 1
    cost.usage += answer.usage
    cut = answer.reason == "length" or (splitter.unclosed is not None and not guided)
    return _Said(content, reasoning, cut)
