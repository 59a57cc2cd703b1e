"""A JSON schema that an answer is held to: checked when it is taken, and again on every answer.

Schemas come from clients too. So nothing is fetched for one, no pattern of theirs is run without a bound in
time, and a validation is bounded in steps: neither a schema nor an answer can hold up the event loop.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import regex
from jsonschema import ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend
from pydantic import BaseModel
from pydantic import ValidationError as ValidationFailed
from referencing import Registry

from chains.schemas import by_pattern, copied
from chains.schemas.by_step import multiple_of
from chains.schemas.formats import fits_format, format_checker
from chains.schemas.metaschema import draft_of, no_schema
from chains.schemas.references import parts, wrong_reference
from chains.schemas.subschemas import placed

_STEPS = 50_000  # keywords that one validation may look at
_SHOWN = 200  # characters of a message
_OURS = {  # in every draft
    "format": fits_format,
    "multipleOf": multiple_of,
    "pattern": by_pattern.pattern,
    "patternProperties": by_pattern.pattern_properties,
    "additionalProperties": by_pattern.additional_properties,
}
_BOUND = "it takes too long to check an answer against it"


class SchemaUnusable(ValueError):
    """No answer could be held to this schema; the message says why."""


class AnswerSchema:
    """A schema, and whether a text is JSON that fits it. For one thread."""

    def __init__(self, schema: object, name: str = "answer", strict: bool | None = None) -> None:
        """Take ``schema``; ``name`` and ``strict`` are for the engine, which may be OpenAI's own.

        Raises:
            SchemaUnusable: it is no JSON schema, refers to what is not in it or says nothing, or has
                keywords that could run without a bound, or says of what is no plain string that it is copied.
        """
        if not isinstance(schema, dict):
            raise SchemaUnusable(str(no_schema(schema)))
        self.schema: dict[str, Any] = schema
        self.name = name
        self.strict = strict  # whether the client asks the engine to hold all of it; None: it does not say
        self._spent = 0
        self._sources: Sequence[str] | None = None
        kind = draft_of(schema)
        try:
            if (wrong := no_schema(schema)) is not None:
                raise SchemaUnusable(wrong)
            _check_parts(schema)
        except RecursionError:
            raise SchemaUnusable("nested too deep") from None
        if (wrong := copied.misuse(schema)) is not None:
            raise SchemaUnusable(wrong)
        self.copies = copied.copies(schema)  # whether a string of an answer must stand in the sources
        keywords = {**kind.VALIDATORS, **_OURS, copied.KEYWORD: self._copied}
        checks = {word: self._counted(check) for word, check in keywords.items()}
        bounded = extend(kind, checks)
        self._validator = bounded(schema, registry=Registry(), format_checker=format_checker())

    def problem(self, text: str, sources: Sequence[str] | None = None) -> str | None:
        """What keeps ``text`` from being JSON that fits, in a sentence for the model; None: it fits.

        Copied strings must stand in ``sources``; without any they may be any.
        """
        try:
            value = json.loads(text, parse_constant=_no_constant)
        except RecursionError:
            return "the JSON is nested too deep"
        except ValueError as exc:
            return f"not JSON: {exc}"
        self._spent, self._sources = 0, sources
        try:
            error = best_match(self._validator.iter_errors(value))
        except (RecursionError, TimeoutError):
            return _BOUND
        return None if error is None else f"{_place(error)}{_short(error.message)}"

    def guide(self, sources: Sequence[str]) -> dict[str, Any] | None:
        """The schema for an engine, copied strings held to pieces of ``sources``; None: it can't be."""
        return copied.guide(self.schema, sources) if self.copies else self.schema

    def format(self, guide: dict[str, Any] | None = None) -> dict[str, Any]:
        """OpenAI's ``response_format`` of ``guide``, or of the schema where copied strings are any."""
        schema = copied.plain(self.schema) if guide is None and self.copies else guide or self.schema
        strict = {} if self.strict is None else {"strict": self.strict}
        form = {"name": self.name, "schema": schema, **strict}
        return {"type": "json_schema", "json_schema": form}

    def in_words(self) -> str:
        """What a model is told that nothing guides."""
        schema = json.dumps(self.schema, ensure_ascii=False)
        return (
            f"Reply with one JSON value only, without any other text. It must fit this JSON schema:\n{schema}"
        )

    def _copied(self, _: Any, wanted: bool, instance: object, schema: object) -> Iterator[ValidationError]:
        if not wanted or self._sources is None or not isinstance(instance, str):
            return
        if not copied.stands_in(instance, self._sources):
            yield ValidationError(f"{instance!r} does not stand in the request word for word")

    def _counted(self, check: Callable[..., Any]) -> Callable[..., Iterator[ValidationError]]:
        def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
            self._spent += 1
            if self._spent > _STEPS:
                raise TimeoutError(_BOUND)
            yield from check(validator, value, instance, schema) or ()

        return counted


class ModelSchema(AnswerSchema):
    """The schema of a pydantic model, whose own validators an answer must pass too."""

    def __init__(self, model: type[BaseModel]) -> None:
        """Take ``model``; raises as :class:`AnswerSchema` does."""
        super().__init__(model.model_json_schema(), model.__name__)
        self._model = model

    def problem(self, text: str, sources: Sequence[str] | None = None) -> str | None:
        """What keeps ``text`` from being an instance of the model."""
        if (problem := super().problem(text, sources)) is not None:
            return problem
        try:
            self._model.model_validate_json(text)
        except ValidationFailed as exc:
            first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            return _short(f"{place}: {first['msg']}" if place else str(first["msg"]))
        return None


def json_in(text: str) -> str:
    """The JSON in what a model says: without a fence, or words before and after it.

    ``text`` itself, stripped, where no JSON object or list is in it.
    """
    text = text.strip()
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    if not starts or _whole(text):
        return text
    try:
        _, end = json.JSONDecoder().raw_decode(text, min(starts))
    except (ValueError, RecursionError):
        return text
    return text[min(starts) : end]


def _whole(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _check_parts(schema: dict[str, Any]) -> None:
    """Raises SchemaUnusable for the first reference or pattern that can't be used."""
    if (wrong := wrong_reference(schema)) is not None:
        raise SchemaUnusable(wrong)
    for part in parts(schema):
        named = part.get("patternProperties")
        if named and _holds(schema, "unevaluatedProperties"):
            raise SchemaUnusable(
                f"patternProperties{_within(schema, part)} is not taken beside unevaluatedProperties: say "
                "additionalProperties"
            )
        for pattern in [part.get("pattern"), *(named if isinstance(named, dict) else ())]:
            if not isinstance(pattern, str):
                continue
            try:
                regex.compile(pattern)
            except regex.error as exc:
                raise SchemaUnusable(
                    f"the pattern {pattern[:80]!r}{_within(schema, part)} can't be read: {exc}"
                ) from exc


def _holds(schema: dict[str, Any], keyword: str) -> bool:
    return any(keyword in part for part in parts(schema))


def _within(schema: dict[str, Any], part: Mapping[str, Any]) -> str:
    place = next((place for place, each in placed(schema) if each is part), None)
    return "" if place is None else f" at {place}"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _place(error: ValidationError) -> str:
    return f"{error.json_path}: " if error.absolute_path else ""


def _short(message: str) -> str:
    return message if len(message) <= _SHOWN else f"{message[:_SHOWN]}..."
