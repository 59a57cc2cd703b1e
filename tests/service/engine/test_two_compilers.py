"""Which compiler vLLM chooses for a schema, and that the one that it chose compiles it."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from service.engine.two_compilers import Chosen, is_passed_over, takes_all


class Backend:
    """Makes grammars that say by whom they were made."""

    made = 0
    words = 1  # of a mask

    def __init__(self, config: Any = None, tokenizer: Any = None, vocab_size: int = 0) -> None:
        type(self).made += 1
        self.given = (tokenizer, vocab_size)

    def allocate_token_bitmask(self, rows: int) -> Any:
        return SimpleNamespace(shape=(rows, self.words))


class First(Backend):
    made = 0


class Second(Backend):
    made = 0


def asking(kind: str) -> Any:
    chosen = SimpleNamespace(_backend=kind)
    return SimpleNamespace(sampling_params=SimpleNamespace(structured_outputs=chosen))


def manager() -> Any:
    config = SimpleNamespace(model_config=SimpleNamespace(get_vocab_size=lambda: 7))
    return SimpleNamespace(backend=First(), tokenizer="its tokenizer", vllm_config=config)


def test_each_request_is_compiled_by_what_was_chosen_for_it() -> None:
    create = Chosen(lambda one, _: one.backend, {"first": First, "second": Second}).method()
    one = manager()
    First.made = 0
    assert create(one, asking("first")) is one.backend
    other = create(one, asking("second"))
    assert isinstance(other, Second)
    assert other.given == ("its tokenizer", 7)
    assert create(one, asking("second")) is other  # made once
    assert create(one, asking("first")) is one.backend
    assert create(one, asking("outlines")) is one.backend  # which vLLM made itself
    assert (First.made, Second.made) == (0, 1)


def test_masks_of_two_widths_fail_the_request_and_not_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    create = Chosen(lambda one, _: one.backend, {"first": First, "second": Second}).method()
    monkeypatch.setattr(Second, "words", 2)
    one = manager()
    for _ in range(2):
        with pytest.raises(ValueError, match="masks of 1 words in use, and 2"):
            create(one, asking("second"))
    assert create(one, asking("first")) is one.backend


@pytest.mark.parametrize(
    ("schema", "passed"),
    [
        ({"type": "string"}, False),
        ({"type": "array", "items": {"type": "integer"}, "uniqueItems": False}, False),
        ({"type": "object", "properties": {"not": {"type": "string"}}}, False),
        ({"type": "string", "allOf": [{"maxLength": 2}]}, True),
        ({"type": "array", "items": {"type": "number", "multipleOf": 2001}}, True),
    ],
)
def test_xgrammar_is_left_where_it_would_pass_over_something(schema: Any, passed: bool) -> None:
    assert is_passed_over(schema) is passed
    assert takes_all({"patternProperties": {"^a": schema}}) is False


CHOICES = """
import json, sys
from vllm.sampling_params import SamplingParams, StructuredOutputsParams
from vllm.config import StructuredOutputsConfig
from vllm.v1.structured_output import StructuredOutputManager, backend_guidance
from service.engine.guides import register

register()
register()
class Tokenizer: pass
backend_guidance.GuidanceBackend.is_tokenizer_supported = staticmethod(lambda tokenizer: True)
class Model: is_diffusion = False
for name, schema in json.loads(sys.argv[1]):
    asked = StructuredOutputsParams(**{name: json.dumps(schema) if name == "structural_tag" else schema})
    params = SamplingParams(structured_outputs=asked)
    try:
        params._validate_structured_outputs(Model(), StructuredOutputsConfig(), Tokenizer())
        print(params.structured_outputs._backend)
    except Exception as exc:
        print(str(exc).splitlines()[0])
print(StructuredOutputManager._create_grammar.__module__)
"""


def test_vllm_chooses_so_once_the_plugin_is_registered() -> None:
    text = {"type": "string"}
    schemas = [
        text,
        {"allOf": [text, {"maxLength": 3}]},
        {"type": "object", "properties": {"a": text}, "patternProperties": {"^b": text}},
        {**text, "not": {"const": "x"}},
        {"type": "array", "items": text, "uniqueItems": False},
    ]
    price = {"type": "array", "items": {"type": "number", "multipleOf": 0.01}}
    pair = {"type": "array", "items": [text, text], "minItems": 1}
    call = {"type": "structural_tag", "format": {"type": "json_schema", "json_schema": pair}}
    paid = {"type": "structural_tag", "format": {"type": "json_schema", "json_schema": price}}
    asked = [*(("json", schema) for schema in [*schemas, pair, price])]
    asked += [("structural_tag", tag) for tag in (call, paid)]
    found = subprocess.run(
        [sys.executable, "-c", CHOICES, json.dumps(asked)], capture_output=True, text=True, check=False
    )
    assert found.stdout.splitlines() == [
        "xgrammar",
        "guidance",
        "guidance",
        'Grammar error: Unimplemented keys: ["not"]',
        *["xgrammar"] * 5,
        "service.engine.two_compilers",
    ], found.stderr[-2000:]
