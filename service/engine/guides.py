"""A plugin that vLLM loads in each of its processes: guided JSON comes to its end.

White space is bounded always: vLLM's ``disable_any_whitespace`` forbids all of it, also what models write by
habit (``", "``), and does not reach the arguments of tool calls. What else a schema leaves open is bounded
(:mod:`service.engine.guide_bounds`) where the environment says so (``POINTSMAN_GUIDED_CHARACTERS``,
``_DIGITS``, ``_ITEMS``): a large model may well have more to say.

Schemas are bounded for XGrammar, in tool calls too, and for llguidance, which is taken where XGrammar can't
hold one (:mod:`service.engine.two_compilers`). Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from service.engine import two_compilers
from service.engine.for_xgrammar import for_xgrammar, with_counted
from service.engine.guide_bounds import Bounds
from service.engine.numerals import marked, spelled

WHITE_SPACE = 1  # characters in a row
_WHITE_SPACE = "max_whitespace_cnt"  # XGrammar's name for that bound
_SPACE = rf"[ \n\r\t]{{0,{WHITE_SPACE}}}"
_SEPARATED = {  # llguidance's options; its own white space may be repeated, whatever pattern it is given
    "whitespace_flexible": False,
    "item_separator": f",{_SPACE}",
    "key_separator": f":{_SPACE}",
}
Compile = Callable[..., Any]


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
            arguments = (json.dumps(over_tag(json.loads(first), bounds)),)
        return compile_tag(*arguments, **options)

    return bounded


def over_tag(tag: Any, bounds: Bounds) -> Any:
    """XGrammar's structural tag whose JSON schemas, at any depth, are bounded, with their white space."""
    if isinstance(tag, list):
        return [over_tag(part, bounds) for part in tag]
    if not isinstance(tag, dict):
        return tag
    if tag.get("type") == "json_schema" and "json_schema" in tag:
        bound = tag.get(_WHITE_SPACE)
        kept = WHITE_SPACE if bound is None else bound
        schema, rules = _for_xgrammar(tag["json_schema"], bounds)
        said = {**tag, "json_schema": schema, _WHITE_SPACE: kept}
        return _with_rules(said, rules) if rules else said
    return {key: over_tag(part, bounds) for key, part in tag.items()}


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
