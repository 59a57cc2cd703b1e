"""Texts, and recipes of continued pre-training on them that take about a second."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.training.rows import WORDS, write_rows

NEW_WORDS = ["zebra", "zigzag", "quartz", "quiz", "waltz", "jazz"]  # letters that the base has hardly read
Continued = Callable[..., Path]


def texts(words: list[str], count: int, seed: int) -> list[dict[str, Any]]:
    """Rows of 12 to 30 words."""
    rng = random.Random(seed)
    return [{"text": " ".join(rng.choices(words, k=rng.randint(12, 30)))} for _ in range(count)]


def write_recipe(folder: Path, base: Path, /, name: str = "tiny", **changes: Any) -> Path:
    """A recipe that goes on from ``base`` with 60 texts of new words; ``changes`` by dotted key."""
    new = write_rows(folder / "new.jsonl", texts(NEW_WORDS, 60, 1))
    content: dict[str, Any] = {
        "stage": "cpt",
        "name": name,
        "base": str(base),
        "data": {
            "sources": [{"path": str(new), "format": "text"}],
            "validation_rows": 8,
            "max_tokens": 64,
        },
        "train": {
            "steps": 6,
            "batch_rows": 4,
            "learning_rate": 0.01,
            "log_every": 2,
            "precision": "fp32",
            "schedule": "constant",
        },
    }
    for key, value in changes.items():
        place = content
        *parents, last = key.split(".")
        for parent in parents:
            place = place[parent]
        place[last] = value
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def replay(folder: Path, share: float = 0.4) -> dict[str, Any]:
    """The section ``replay``, of texts that the base knows the words of."""
    general = write_rows(folder / "general.jsonl", texts(WORDS, 40, 2))
    return {"share": share, "sources": [{"path": str(general), "format": "text"}]}
