"""Answers that are JSON of a schema, which the route names or the request's ``response_format`` does.

What is given out has been validated: a stream therefore brings the whole answer at once, where it could be
taken back no more. Only an answer that ran out of tokens comes as far as it was made, and says ``length``.

A client that brings tools of its own runs the loop itself: it gets one step as in the chain ``cot``, in the
form that it asks for, if it does, and not in the route's.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from importlib.metadata import EntryPoint
from typing import Self

from pydantic import BaseModel, Field, model_validator

from chains.closing import Deadline
from chains.cot import Cot
from chains.errors import ChainUnsupported
from chains.events import ChainRequest, Engine, Event, Finish
from chains.form import NO_SCHEMA, Cost, asked_schema, formed
from chains.options import File
from chains.parameters import calls_tools, formats_of, sampling
from chains.resources import Resources
from chains.schema import AnswerSchema, ModelSchema
from pointsman.document import Document


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
        """Content in one piece, and Finish; Notes of what had to be asked again. Raw for the client's tools.

        Raises:
            ChainUnsupported: there is no schema, or it can't be used; more than one text is asked for.
            AnswerInvalid: the model's answer does not fit.
        """
        if calls_tools(request.parameters):
            async with aclosing(self._stepping.run(request, engine)) as events:
                async for event in events:
                    yield event
            return
        form = formats_of(request.parameters)
        rest = {name: value for name, value in request.parameters.items() if name not in form}
        parameters = sampling("structured", rest)
        schema = asked_schema("structured", form, self._schema)
        if schema is None:
            raise ChainUnsupported("structured", "response_format", None, NO_SCHEMA)
        body, cost = {**parameters, "messages": list(request.messages)}, Cost()
        answer = formed(schema, body, engine, request.limits.steps, cost)
        async with Deadline(request.limits.seconds).each(answer) as events:
            async for event in events:
                yield event
        yield Finish("length" if cost.cut else "stop", cost.usage)

    def warm(self, resources: Resources) -> None:
        """Nothing to do."""


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
