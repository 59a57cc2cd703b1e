"""How far the numbers of the base's tokens go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from service.engine.vocabulary import last_token
from service.sections import EngineSettings

DEMO = Path(__file__).parents[3] / "deploy" / "demo" / "base"
WORDS = {"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}}, "added_tokens": [{"id": 5, "content": "<e>"}]}
PIECES = {"model": {"type": "Unigram", "vocab": [["a", 0.0], ["b", -1.0], ["c", -1.0]]}}


def settings(folder: Path | str, **more: Any) -> EngineSettings:
    return EngineSettings(model=str(folder), model_name="base", **more)


def test_the_demos() -> None:
    size = json.loads((DEMO / "config.json").read_bytes())["vocab_size"]
    assert last_token(settings(DEMO)) == size - 1
    assert last_token(settings(DEMO, urls=("http://127.0.0.1:1",))) == size - 1


@pytest.mark.parametrize(
    ("tokenizer", "config", "last"),
    [
        (WORDS, {"vocab_size": 4}, 5),  # a tokenizer that has more than the model
        (WORDS, {"vocab_size": 8}, 7),  # and a model that has more than its tokenizer
        (PIECES, {"vocab_size": 2}, 2),
        (WORDS, {"text_config": {"vocab_size": 9}}, 8),
        (WORDS, {}, None),
        ({}, {"vocab_size": 8}, None),
        ([], {"vocab_size": 8}, None),
    ],
)
def test_it_is_the_tokenizers_or_the_models(
    tmp_path: Path, tokenizer: object, config: object, last: int | None
) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    assert last_token(settings(tmp_path)) == last


def test_nobody_knows_of_what_is_not_here(tmp_path: Path) -> None:
    assert last_token(settings("owner/name")) is None
    assert last_token(settings(tmp_path)) is None
    for arguments in (("--tokenizer", "other"), ("--hf-overrides.vocab_size=9",), ("--tokenizer_mode=slow",)):
        assert last_token(settings(DEMO, arguments=arguments)) is None
