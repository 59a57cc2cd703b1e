"""Both compilers as the plugin has them: whether a text fits what they make of a schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import llguidance
import xgrammar

from service.engine.guide_bounds import Bounds
from service.engine.guides import bounded_guide, bounded_schema, bounded_tag, bounded_trial

DEMO = Bounds(characters=100, digits=12, items=8)
_VOCABULARY = [*map(chr, range(32, 127)), "<end>"]
_TOKENS = xgrammar.TokenizerInfo(
    _VOCABULARY, vocab_type=xgrammar.VocabType.RAW, stop_token_ids=[len(_VOCABULARY) - 1]
)

Fits = Callable[[str], bool]


def compiled(schema: Any, bounds: Bounds | None = None) -> Fits:
    """XGrammar's, once it has been tried."""
    bounds = bounds or Bounds()
    bounded_trial(xgrammar.Grammar.from_json_schema, bounds)(json.dumps(schema))
    compile_schema = bounded_schema(xgrammar.GrammarCompiler.compile_json_schema, bounds)
    return _fits(compile_schema(xgrammar.GrammarCompiler(_TOKENS), json.dumps(schema)))


def called(schema: Any, bounds: Bounds | None = None) -> Fits:
    """XGrammar's of the arguments of a call."""
    part = {"type": "json_schema", "json_schema": schema}
    tag = json.dumps({"type": "structural_tag", "format": part})
    compile_tag = bounded_tag(xgrammar.GrammarCompiler.compile_structural_tag, bounds or Bounds())
    return _fits(compile_tag(xgrammar.GrammarCompiler(_TOKENS), tag))


def guided(schema: Any, bounds: Bounds | None = None) -> Fits:
    """llguidance's."""
    kind = llguidance.LLMatcher
    compile_schema = bounded_guide(kind.grammar_from_json_schema, bounds or Bounds(), kind.validate_grammar)
    grammar = compile_schema(schema)
    assert not kind.validate_grammar(grammar, None)
    tokens = llguidance.LLTokenizer("byte")

    def fits(text: str) -> bool:
        matcher = kind(tokens, grammar, log_level=0)
        return bool(matcher.consume_tokens(tokens.tokenize_str(text)) and matcher.is_accepting())

    return fits


def _fits(grammar: Any) -> Fits:
    def fits(text: str) -> bool:
        matcher = xgrammar.GrammarMatcher(grammar, terminate_without_stop_token=True)
        return bool(matcher.accept_string(text) and matcher.is_terminated())

    return fits
