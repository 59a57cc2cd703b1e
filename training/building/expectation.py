"""The rules that an answer must pass: the right tools with the right arguments, and the right final answer.

A rule is a fact that whoever asks knows; nothing here is judged by a model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Self

import jsonschema
from pydantic import Field, ValidationError, model_validator

from pointsman.document import Document
from training.data.row.fields import FieldError

WRONG_TOOL = "wrong tool"
WRONG_ARGUMENTS = "wrong arguments"
WRONG_ANSWER = "wrong final answer"
_RULES = ("calls", "contains", "any_of", "without", "equals", "number", "json or json_schema")
Call = tuple[str, Any]  # name and arguments
_NUMBER = re.compile(r"[-−]?\d[\d,，]*(?:\.\d+)?")


class ExpectedCall(Document):
    """One call of a tool."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class Expectation(Document):
    """What is known about the right answer; each rule that is given must hold."""

    calls: list[ExpectedCall] | None = Field(
        default=None, description="all calls in their order; [] forbids any, left out allows any"
    )
    contains: list[str] = Field(default_factory=list, description="parts of the answer's text")
    any_of: list[str] = Field(
        default_factory=list, description="texts of which it holds one at least: the ways to refuse, say"
    )
    without: list[str] = Field(default_factory=list, description="texts of which it holds none")
    equals: str | None = Field(default=None, description="the whole text, but for white space around it")
    number: Decimal | None = Field(default=None, description="the number that the text ends with")
    json_object: Any = Field(default=None, alias="json", description="the JSON value that the text is")
    json_schema: dict[str, Any] | None = Field(
        default=None, description="a JSON Schema that the JSON value of the text keeps"
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        known = (self.calls, self.equals, self.number, self.json_object, self.json_schema)
        texts = (*self.contains, *self.any_of, *self.without)
        if not texts and all(one is None for one in known):
            raise ValueError(f"holds no rule; give {', '.join(_RULES)}")
        if self.json_schema is not None:
            try:
                jsonschema.Draft202012Validator.check_schema(self.json_schema)
            except jsonschema.SchemaError as exc:
                raise ValueError(f"json_schema: is no JSON Schema: {exc.message}") from exc
        return self

    def misses(self, calls: Sequence[Call], text: str) -> str:
        """The first rule that an answer of these calls and this final text breaks; "" if it keeps all."""
        if self.calls is not None:
            wanted = [(call.name, call.arguments) for call in self.calls]
            if [name for name, _ in calls] != [name for name, _ in wanted]:
                return WRONG_TOOL
            if list(calls) != wanted:
                return WRONG_ARGUMENTS
        right = (
            all(part in text for part in self.contains)
            and (not self.any_of or any(part in text for part in self.any_of))
            and not any(part in text for part in self.without)
            and (self.equals is None or text.strip() == self.equals.strip())
            and (self.number is None or stated_number(text) == self.number)
            and (self.json_object is None or _json(text) == self.json_object)
            and (self.json_schema is None or _keeps(text, self.json_schema))
        )
        return "" if right else WRONG_ANSWER


def read(raw: Any) -> Expectation:
    """A question's ``expect``.

    Raises:
        FieldError: with everything that is wrong with it.
    """
    try:
        return Expectation.model_validate(raw)
    except ValidationError as exc:
        problems = exc.errors(include_url=False)
        place = ".".join(["expect", *map(str, problems[0]["loc"])])
        rest = [f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in problems[1:]]
        raise FieldError(place, "; ".join([problems[0]["msg"], *rest])) from exc


def stated_number(text: str) -> Decimal | None:
    """The number that a text ends with: the one after its last ``=``, else its last."""
    _, equals, result = text.rpartition("=")
    found: list[str] = _NUMBER.findall(result)
    if not found:
        return None
    number = (found[0] if equals else found[-1]).replace("−", "-").replace(",", "").replace("，", "")
    return Decimal(number)


def _keeps(text: str, schema: dict[str, Any]) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
