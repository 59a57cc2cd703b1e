"""Texts of three intents, an encoder that knows their words, and a recipe of the stage router on both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from training import recipe as recipes
from training.recipe import RouterRecipe

WORDS = {"fruit": "apple pear plum fig", "metal": "iron zinc tin lead", "water": "river lake pond sea"}
FILLERS = ["the", "a", "my", "one", "old", "new"]


def texts() -> list[dict[str, Any]]:
    """24 texts of three intents, and two of none."""
    found: list[dict[str, Any]] = [
        {"text": f"{filler} {a} and {b}", "intent": intent}
        for intent, words in WORDS.items()
        for filler, a, b in zip(FILLERS * 2, words.split() * 2, words.split()[::-1] * 2, strict=False)
    ]
    return [*found, {"text": "music", "intent": None}, {"text": "loud music", "intent": None}]


def make_encoder(folder: Path) -> Path:
    """An encoder of four layers with random weights, that knows the words above."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = [*WORDS, *" ".join(WORDS.values()).split(), *FILLERS, "and", "music", "loud"]
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    BertModel(shape, add_pooling_layer=False).save_pretrained(folder / "bert")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=32
    ).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"))
    pooling = Pooling(32)
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(
        str(folder / "whole"), create_model_card=False
    )
    return folder / "whole"


def write(folder: Path, encoder: Path, given: list[dict[str, Any]] | None = None, **train: Any) -> Path:
    """A recipe of 12 steps in ``folder``."""
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in given or texts()), encoding="utf-8")
    plan = {"steps": 12, "batch_rows": 6, "learning_rate": 0.003, "save_every": 4, "log_every": 1} | train
    content = {
        "stage": "router",
        "name": "small",
        "base": str(encoder),
        "frozen": 0.5,
        "data": {"sources": [{"path": str(data), "format": "intents"}], "validation_rows": 6},
        "train": plan,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def loaded(path: Path) -> RouterRecipe:
    found = recipes.load(path)
    assert isinstance(found, RouterRecipe)
    return found
