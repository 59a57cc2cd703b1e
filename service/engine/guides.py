"""A plugin that vLLM loads in each of its processes: guided JSON comes to its end.

JSON allows any amount of white space between its parts, and strings, numbers and lists of any length. A small
model that is guided into a schema which it was never trained on may write nothing else until its tokens end.
White space is bounded always: vLLM's ``disable_any_whitespace`` forbids all of it, also what models write by
habit (``", "``), and does not reach the arguments of tool calls. What else the schema leaves open is bounded
where the environment says so (``POINTSMAN_GUIDED_CHARACTERS``, ``_DIGITS``, ``_ITEMS``): a large model may
well have more to say. What is written fits the schema as it came, too.

Schemas are bounded for XGrammar, in tool calls too, and for llguidance, which is taken where XGrammar can't
hold one (:mod:`service.engine.two_compilers`). Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from chains.schemas.discriminated import with_tags
from chains.schemas.disjoint import names_in
from chains.schemas.implied import fits_length, implies, is_implied
from chains.schemas.multiples import decimals, holds_step
from chains.schemas.neutral import without_neutral
from service.engine import two_compilers
from service.engine.bounded_formats import bounded, exact, within
from service.engine.for_xgrammar import for_xgrammar, with_counted
from service.engine.numerals import marked, spelled
from service.engine.open_objects import closed

WHITE_SPACE = 1  # characters in a row
_WHITE_SPACE = "max_whitespace_cnt"  # XGrammar's name for that bound
_SPACE = rf"[ \n\r\t]{{0,{WHITE_SPACE}}}"
_SEPARATED = {  # llguidance's options; its own white space may be repeated, whatever pattern it is given
    "whitespace_flexible": False,
    "item_separator": f",{_SPACE}",
    "key_separator": f":{_SPACE}",
}
_CLOSED = ("maxLength", "pattern", "format", "enum", "const")  # of a string: it has an end, or another rule
_RULED = ("minLength", "maxLength", "pattern", "enum", "const")  # beside a format: it is left as it is
_FRACTION = (r"(?:\.\d+)?", r"(?:\.\d{1,6})?")  # of a second, and one that has an end
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_DIGITS = 15  # XGrammar reads bounds as 64 bits
_ONE = ("items", "additionalProperties", "additionalItems", "contains")  # hold a schema
_SOME = ("anyOf", "oneOf", "allOf", "prefixItems")  # hold a list of schemas
_NAMED = ("properties", "patternProperties", "$defs", "definitions")  # hold schemas by name

Compile = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of what a schema leaves open is written; None: any amount."""

    characters: int | None = None  # of a string
    digits: int | None = None  # of a number before its point, 15 at most; behind it XGrammar then allows 6
    items: int | None = None  # of a list, and of an object of which nothing is said

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Self:
        """Those that ``environment`` sets.

        Raises:
            ValueError: one is no positive number.
        """
        found: dict[str, int] = {}
        for name in ("characters", "digits", "items"):
            variable = f"POINTSMAN_GUIDED_{name.upper()}"
            if (text := environment.get(variable, "")) == "":
                continue
            if not text.isdecimal() or int(text) == 0:
                raise ValueError(f"{variable} must be a positive number, found {text!r}")
            found[name] = min(int(text), _DIGITS) if name == "digits" else int(text)
        return cls(**found)

    def over(self, schema: Any) -> Any:
        """The JSON ``schema`` with what it leaves open bounded, at any depth.

        What asks for nothing goes, and what tells the schemas of a ``oneOf`` apart is written out.
        """
        schema = with_tags(without_neutral(schema))
        return self._over(schema if self.items is None else closed(schema, self.items))

    def _over(self, schema: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        found = {**schema, **_counts(schema)}
        if "format" in found:
            _hold_format(found, self.characters)
        for key in _ONE:
            if key in found:
                found[key] = self._over(found[key])
        for key in _SOME:
            if isinstance(found.get(key), list):
                found[key] = [self._over(part) for part in found[key]]
        for key in _NAMED:
            if isinstance(found.get(key), dict):
                found[key] = {name: self._over(part) for name, part in found[key].items()}
        kinds = names_in(found, "type")
        if self.characters is not None and "string" in kinds:
            _end(found, self.characters)
        if self.digits is not None and not {"integer", "number"}.isdisjoint(kinds):
            _close(found, 10**self.digits - 1)
        if self.items is not None and "array" in kinds and "maxItems" not in found:
            first = found.get("prefixItems")
            least = max(self.items, len(first)) if isinstance(first, list) else self.items
            found["maxItems"] = _at_least(least, found.get("minItems"))
        return found

    def over_tag(self, tag: Any) -> Any:
        """XGrammar's structural tag whose JSON schemas, at any depth, are bounded, with their white space."""
        if isinstance(tag, list):
            return [self.over_tag(part) for part in tag]
        if not isinstance(tag, dict):
            return tag
        if tag.get("type") == "json_schema" and "json_schema" in tag:
            bound = tag.get(_WHITE_SPACE)
            kept = WHITE_SPACE if bound is None else bound
            schema, rules = _for_xgrammar(tag["json_schema"], self)
            said = {**tag, "json_schema": schema, _WHITE_SPACE: kept}
            return _with_rules(said, rules) if rules else said
        return {key: self.over_tag(part) for key, part in tag.items()}


def register() -> None:
    """Have both compilers bound what they compile; any number of times."""
    import llguidance
    import xgrammar

    schemas: Any = xgrammar.GrammarCompiler
    guides: Any = llguidance.LLMatcher
    if getattr(schemas, "is_bounded", False):
        return
    bounds = Bounds.read(os.environ)
    schemas.compile_json_schema = bounded_schema(schemas.compile_json_schema, bounds)
    schemas.compile_structural_tag = bounded_tag(schemas.compile_structural_tag, bounds)
    tried: Any = xgrammar.Grammar  # before a request goes to the engine
    tried.from_json_schema = staticmethod(bounded_trial(tried.from_json_schema, bounds))
    tried.from_structural_tag = staticmethod(bounded_tag_trial(tried.from_structural_tag, bounds))
    guide = bounded_guide(guides.grammar_from_json_schema, bounds, guides.validate_grammar)
    guides.grammar_from_json_schema = staticmethod(guide)
    two_compilers.register()
    schemas.is_bounded = True


def bounded_schema(compile_schema: Compile, bounds: Bounds) -> Compile:
    """XGrammar's ``compile_schema`` under ``bounds``; white space where its caller allows any."""

    def bounded(compiler: Any, schema: Any, *, any_whitespace: bool = True, **options: Any) -> Any:
        white_space = {_WHITE_SPACE: WHITE_SPACE} if any_whitespace else {}
        options = {"any_whitespace": any_whitespace, **white_space, **options}
        said, rules = _for_xgrammar(_read(schema), bounds)
        if not rules:
            return compile_schema(compiler, json.dumps(said), **options)
        import xgrammar

        grammar = xgrammar.Grammar.from_json_schema(json.dumps(said), **options)
        return compiler.compile_grammar(_ruled(grammar, rules))

    return bounded


def bounded_trial(compile_schema: Compile, bounds: Bounds) -> Compile:
    """XGrammar's ``compile_schema`` that has no compiler: what vLLM tries is what it compiles later."""

    def bounded(schema: Any, **options: Any) -> Any:
        said, rules = _for_xgrammar(_read(schema), bounds)
        grammar = compile_schema(json.dumps(said), **options)
        return _ruled(grammar, rules) if rules else grammar

    return bounded


def bounded_tag(compile_tag: Compile, bounds: Bounds) -> Compile:
    """XGrammar's ``compile_tag`` under ``bounds`` for a tag in JSON, which is how vLLM gives tool calls."""

    def compiled(compiler: Any, *arguments: Any, **options: Any) -> Any:
        return bounded_tag_trial(partial(compile_tag, compiler), bounds)(*arguments, **options)

    return compiled


def bounded_tag_trial(compile_tag: Compile, bounds: Bounds) -> Compile:
    """The same for a ``compile_tag`` that has no compiler."""

    def bounded(*arguments: Any, **options: Any) -> Any:
        first, *others = arguments or (None,)
        if not others and isinstance(first, str):
            arguments = (json.dumps(bounds.over_tag(json.loads(first))),)
        return compile_tag(*arguments, **options)

    return bounded


def bounded_guide(compile_schema: Compile, bounds: Bounds, wrong: Callable[[Any, None], str]) -> Compile:
    """llguidance's ``compile_schema`` under ``bounds``; white space, if any, behind commas and colons.

    It joins what parts of a schema say of one value, which may want more than the bounds allow: where nothing
    is left (``wrong`` says what of a grammar can't be used) the schema is taken as it came.
    """

    def bounded(schema: Any, defaults: Mapping[str, Any] | None = None, **options: Any) -> Any:
        kept = dict(defaults or {})
        if kept.get("whitespace_flexible", True):
            kept |= _SEPARATED
        grammar = compile_schema(_over(schema, bounds), defaults=kept, **options)
        return compile_schema(schema, defaults=kept, **options) if wrong(grammar, None) else grammar

    return bounded


def _over(schema: Any, bounds: Bounds) -> Any:
    if isinstance(schema, str):
        return json.dumps(bounds.over(json.loads(schema)))
    return bounds.over(schema)


def _read(schema: Any) -> Any:
    return json.loads(schema) if isinstance(schema, str) else schema


def _for_xgrammar(schema: Any, bounds: Bounds) -> tuple[Any, list[str]]:
    """``schema`` in XGrammar's words under ``bounds``, and rules of its numbers for the grammar."""
    return marked(with_counted(bounds.over(for_xgrammar(schema))))


def _ruled(grammar: Any, rules: list[str]) -> Any:
    """XGrammar's ``grammar`` of what was marked, with its ``rules``."""
    return type(grammar).from_ebnf(spelled(str(grammar), rules))


def _with_rules(tag: dict[str, Any], rules: list[str]) -> dict[str, Any]:
    """A part of a structural tag that is a JSON schema, as a grammar."""
    import xgrammar

    grammar = xgrammar.Grammar.from_structural_tag(json.dumps({"type": "structural_tag", "format": tag}))
    return {"type": "grammar", "grammar": spelled(str(grammar), rules)}


def _hold_format(schema: dict[str, Any], characters: int | None) -> None:
    """Leave one of a text's format and what stands beside it, which XGrammar does not hold together."""
    form, pattern = schema["format"], schema.get("pattern")
    if implies(pattern, form):
        del schema["format"]
        schema["pattern"] = pattern if characters is None else str(pattern).replace(*_FRACTION)
        return
    if is_implied(pattern, form):
        del schema["format"]
        schema["pattern"] = bounded(form) if characters is None else bounded(form, characters)
        return
    most = schema.get("maxLength")
    for key in ("minLength", "maxLength"):
        if key in schema and fits_length(key, schema):
            del schema[key]
    if any(key in schema for key in _RULED):
        schema |= {"maxLength": most} if most is not None else {}
    elif most is not None:
        del schema["format"]
        schema["pattern"] = within(most, characters or most)
    elif (pattern := exact(str(form))) is not None:
        del schema["format"]
        schema["pattern"] = pattern


def _end(schema: dict[str, Any], characters: int) -> None:
    """Give a text's ``schema`` an end."""
    if not any(key in schema for key in _CLOSED):
        schema["maxLength"] = _at_least(characters, schema.get("minLength"))
    elif not any(key in schema for key in _RULED) and (
        (pattern := bounded(str(schema.get("format")), characters)) is not None
    ):
        del schema["format"]
        schema["pattern"] = pattern


def _close(schema: dict[str, Any], most: int) -> None:
    """Give a number's ``schema`` the bounds that it lacks: ``most`` either way, if its step is held then."""
    if "enum" in schema or "const" in schema:
        return
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    bounds: dict[str, int] = {}
    if low is None and not (isinstance(high, int | float) and high < -most):
        bounds["minimum"] = -most
    if high is None and not (isinstance(low, int | float) and low > most):
        bounds["maximum"] = most
    if not holds_step(schema) or decimals({**schema, **bounds}) is not None:
        schema |= bounds


def _counts(schema: Mapping[str, Any]) -> dict[str, int]:
    """What counts in ``schema`` and is written as 2.0, which both compilers refuse."""
    return {
        key: int(schema[key])
        for key in _COUNTS
        if isinstance(schema.get(key), float) and schema[key].is_integer()
    }


def _at_least(bound: int, least: object) -> int:
    return max(bound, least) if isinstance(least, int) else bound
