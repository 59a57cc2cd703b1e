"""Answers that are JSON of a schema, which the route names or the request's ``response_format`` does.

What is given out has been validated: a stream therefore brings the whole answer at once, where it could be
taken back no more. Only an answer that ran out of tokens comes as far as it was made, and says ``length``.
Several choices are asked for at once, each as if it were alone; one that does not fit refuses them all. Their
prompt counts once, as the engine counts it, and once more for each that is asked for again.

A client that brings tools of its own runs the loop itself: it gets one step as in the chain ``cot``, in the
form that it asks for, if it does, and not in the route's.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Self

from pydantic import BaseModel, Field, model_validator

from chains.choices import choosing, finish_of, seeded
from chains.closing import Deadline
from chains.cot import Cot
from chains.errors import ParameterInvalid, Refused
from chains.events import ChainRequest, Content, Engine, Event, Reasoning
from chains.form import Cost, asked_schema, formed
from chains.options import File
from chains.parameters import calls_tools, formats_of, sampling
from chains.resources import Resources
from chains.schemas.schema import AnswerSchema, ModelSchema
from pointsman.document import Document

_NO_SCHEMA = (
    "is required, as the chain 'structured' has no schema of its own here: give one of type json_schema or "
    "json_object"
)


class StructuredOptions(Document):
    """The schema of a route; a request's own ``response_format`` goes before it."""

    schema_file: File | None = Field(default=None, alias="schema")  # a JSON schema
    model: str | None = None  # module:Class, a pydantic model that is installed

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.schema_file is not None and self.model is not None:
            raise ValueError("give either schema or model")
        schema_of(self)  # raises what is wrong with it
        return self


class Structured:
    """One answer that fits its schema, after at most two calls of the model."""

    Options = StructuredOptions

    def __init__(self, options: StructuredOptions) -> None:
        self._schema = schema_of(options)
        self._stepping = Cot()

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        """Each choice in one piece, Notes of what was asked again, and Finish. Raw for the client's tools.

        Raises:
            ChainUnsupported: log-probabilities are asked for, or a form that is not JSON.
            ParameterInvalid: there is no schema, or one that can't be used.
            AnswerInvalid: the model's answer does not fit.
        """
        if calls_tools(request.parameters):
            try:
                async with aclosing(self._stepping.run(request, engine)) as events:
                    async for event in events:
                        yield event
            except Refused as exc:
                exc.instead = ""  # this is the chain that the client may be sent to
                raise
            return
        form = formats_of(request.parameters)
        choices: int = request.parameters.get("n") or 1
        rest = {name: value for name, value in request.parameters.items() if name not in (*form, "n")}
        parameters = sampling("structured", rest)
        schema = asked_schema("structured", form, self._schema)
        asked = schema is not self._schema
        if schema is None:
            raise ParameterInvalid("response_format", _NO_SCHEMA)
        body, costs = {**parameters, "messages": list(request.messages)}, [Cost() for _ in range(choices)]
        answers = [
            _choice(
                index,
                formed(
                    schema,
                    seeded(body, index),
                    choosing(engine, index, choices),
                    request.limits.steps,
                    cost,
                    asked=asked,
                ),
            )
            for index, cost in enumerate(costs)
        ]
        for made in await Deadline(request.limits.seconds).wait(_all(answers)):
            for event in made:
                yield event
        yield finish_of(costs)

    def warm(self, resources: Resources) -> None:
        """Nothing to do."""


async def _choice(index: int, answer: AsyncGenerator[Event, None]) -> list[Event]:
    async with aclosing(answer) as events:
        return [
            replace(event, choice=index) if isinstance(event, Content | Reasoning) else event
            async for event in events
        ]


async def _all(answers: Sequence[Coroutine[None, None, list[Event]]]) -> list[list[Event]]:
    """What ``answers`` come to, in order; the first that fails stops the others."""
    tasks = [asyncio.create_task(answer, name="choice") for answer in answers]
    try:
        return [await task for task in tasks]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def schema_of(options: StructuredOptions) -> AnswerSchema | None:
    """The schema that ``options`` name.

    Raises:
        ValueError: what they name is no schema, or no pydantic model.
    """
    if options.schema_file is not None:
        path = options.schema_file
        name = re.sub(r"\W", "_", path.name.split(".")[0], flags=re.ASCII)[:64]
        try:
            return AnswerSchema(json.loads(path.read_bytes()), name)
        except (OSError, ValueError) as exc:
            raise ValueError(f"{path}: {exc}") from exc
    return None if options.model is None else ModelSchema(_model(options.model))


def _model(name: str) -> type[BaseModel]:
    try:
        found = EntryPoint(name="model", value=name, group="").load()
    except (ImportError, AttributeError, ValueError) as exc:
        raise ValueError(f"{name!r} can't be imported as module:Class: {exc}") from exc
    if not isinstance(found, type) or not issubclass(found, BaseModel):
        raise ValueError(f"{name!r} is no pydantic model")  # noqa: TRY004  pydantic takes ValueErrors only
    return found
