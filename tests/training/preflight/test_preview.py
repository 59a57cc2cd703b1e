"""The preview shows the very tokens that a run trains on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import SHAPE, Recipe
from tests.training.rows import ROOT, TOOL_USE, said, write_rows
from training.data.formats import conversations, learned
from training.data.reading import sources
from training.data.rendering import render
from training.errors import BadRows
from training.preflight.preview import preview
from training.recipe import GeneratorSource, load

GENERATED = {"generator": "deploy.demo.text.corpus:adapter_rows", "rows": 8, "arguments": {"adapter": "math"}}


def test_spans_are_exactly_the_trained_tokens(recipe: Recipe, tokenizer: Any, tmp_path: Path) -> None:
    wrong = said("red?", "green", weight=0)["messages"]
    rows = [TOOL_USE, {"messages": [*wrong, *said("no", "red 早")["messages"]]}, said("a", "b")]
    shown = list(preview(recipe(rows, **{"data.max_tokens": 512}), 2))
    assert [row.number for row in shown] == [1, 2]  # the first two of three
    for row, raw in zip(shown, rows, strict=False):
        ids, mask = render.tokens(tokenizer, conversations.messages(raw), "sft")
        assert "".join(span.text for span in row.spans) == tokenizer.decode(ids)
        assert (row.tokens, row.trained) == (len(ids), sum(mask))
        assert [span.trained for span in row.spans for _ in range(span.tokens)] == [bool(m) for m in mask]
        assert row.source == str(tmp_path / "tiny.jsonl")
        assert not row.too_long
    assert [span.text for span in shown[1].spans if span.trained] == ["red 早<|im_end|>"]


def test_every_source_is_shown_and_rows_that_are_too_long_are_marked(recipe: Recipe, tmp_path: Path) -> None:
    long = write_rows(tmp_path / "long.jsonl", [said("red?", "blue " * 300)])
    path = recipe(
        **{
            "data.sources": [
                {
                    "generator": "deploy.demo.text.corpus:adapter_rows",
                    "rows": 5,
                    "arguments": {"adapter": "math"},
                },
                {"path": str(long), "format": "messages"},
            ],
            "data.max_tokens": 300,
        }
    )
    shown = list(preview(path, 1))
    assert [row.source for row in shown] == [
        "deploy.demo.text.corpus:adapter_rows(adapter=math)",
        str(long),
    ]
    assert shown[1].too_long


def test_a_recipe_that_makes_its_tokenizer_is_shown_too(recipe: Recipe) -> None:
    template = str(ROOT / "deploy" / "demo" / "chat_template.jinja")
    made = {"tokenizer": {"vocab_size": 400, "chat_template": template}, "model": SHAPE.model_dump()}
    path = recipe([{"text": "A red parcel."}], stage="cpt", base=None, alias=None, lora=None, **made)
    (row,) = preview(path, 3)
    (span,) = row.spans
    assert (span.text, span.trained) == ("A red parcel.<|endoftext|>", True)


def test_preview_draws_the_rows_of_the_run(recipe: Recipe) -> None:
    path = recipe(seed=5, **{"data.sources": [GENERATED], "data.max_tokens": 1000})
    source = load(path).data.sources[0]
    assert isinstance(source, GeneratorSource)
    trained = learned.read(sources.parts(source, 5)[0], "sft")
    for row, row_read in zip(preview(path, 8), trained, strict=True):
        answers = [turn for turn in row_read.messages if turn["role"] == "assistant" and "weight" not in turn]
        assert [span.text for span in row.spans if span.trained] == [
            f"{turn['content']}<|im_end|>" for turn in answers
        ]


def test_bad_rows_are_refused_as_in_a_run(recipe: Recipe) -> None:
    with pytest.raises(BadRows, match=r"tiny\.jsonl:2: messages: is empty"):
        list(preview(recipe([said("a", "b"), {"messages": []}]), 1))
