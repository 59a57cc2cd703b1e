"""Prompts, rules and recipes for the stages that learn from their own answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import load_file, save_file

from tests.training.rows import WORDS, write_rows
from training.data.preparing.collection import Prepared
from training.online import prompts
from training.recipe import Prompts

Messages = Sequence[Mapping[str, Any]]
Online = Callable[..., Path]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a recipe says of its prompts."""

    data: Prompts
    seed: int = 0


def prepared(folder: Path, data: Prompts, seed: int = 0) -> Prepared[prompts.Asked]:
    """The prompts of ``data`` with the tokenizer in ``folder``."""
    return prompts.prepared(Plan(data, seed), folder, lambda _: None)


def question(number: int) -> dict[str, Any]:
    """A row of a prompt and a column."""
    content = f"Where is the {WORDS[number % 10]} {WORDS[number // 7 % 10]}?"
    return {"prompt": [{"role": "user", "content": content}], "wanted": WORDS[number % 10]}


QUESTIONS = [question(number) for number in range(40)]


def questions(rows: int, seed: int) -> Iterator[dict[str, Any]]:
    """A generator of prompts, as a recipe names it."""
    yield from (question(seed + number) for number in range(rows))


def said_otherwise(rows: int, seed: int) -> Iterator[dict[str, Any]]:
    """A generator whose rows hold no prompt."""
    yield from ({"question": f"{seed} {number}"} for number in range(rows))


def vowels(prompts: Sequence[Messages], completions: Sequence[Messages], **_: object) -> list[float]:
    """Four times the share of vowels in the answer."""
    texts = [completion[0]["content"] for completion in completions]
    return [4 * sum(letter in "aeiou" for letter in text) / (len(text) + 1) for text in texts]


def silent(completions: Sequence[Messages], **_: object) -> list[None]:
    """Nothing to say of any answer."""
    return [None] * len(completions)


def holds_wanted(
    prompts: Sequence[Messages], completions: Sequence[Messages], wanted: Sequence[str], **_: object
) -> list[float | None]:
    """1 where the answer holds the row's word, nothing to say where the row has none."""
    return [
        None if word is None else float(word in completion[0]["content"])
        for word, completion in zip(wanted, completions, strict=True)
    ]


def broken(prompts: Sequence[Messages], completions: Sequence[Messages]) -> list[float]:
    """A rule that forgot about columns."""
    return [0.0] * len(prompts)


def one_too_few(prompts: Sequence[Messages], completions: Sequence[Messages], **_: object) -> list[float]:
    """A rule that loses an answer."""
    return [0.0] * (len(prompts) - 1)


STAGES: dict[str, dict[str, Any]] = {
    "ppo": {"train": {"steps": 3, "rollout_rows": 8, "minibatch_rows": 4, "batch_rows": 3, "epochs": 2}},
    "grpo": {"generations": 4, "train": {"steps": 3, "batch_rows": 4, "accumulate": 2}},
    "rloo": {"algorithm": "rloo", "generations": 4, "train": {"steps": 3, "batch_rows": 4, "accumulate": 2}},
}


def speak_up(base: Path) -> Path:
    """Enlarge the base's embeddings, so that an adapter can turn its choice of words by much."""
    path = base / "model.safetensors"
    weights = load_file(path)
    weights["model.embed_tokens.weight"] *= 12
    save_file(weights, path, metadata={"format": "pt"})
    return base


def write_recipe(
    folder: Path,
    base: Path,
    /,
    kind: str,
    rows: Sequence[Mapping[str, Any]] = QUESTIONS,
    name: str = "tiny",
    **changes: Any,
) -> Path:
    """A recipe of ``kind`` in ``folder``, with ``changes`` such as ``{"train.steps": 4}``."""
    content: dict[str, Any] = {
        "stage": "grpo" if kind == "rloo" else kind,
        "name": name,
        "alias": "tiny",
        "base": str(base),
        "lora": {"rank": 4, "alpha": 8},
        "data": {
            "sources": [{"path": str(write_rows(folder / f"{name}.jsonl", rows)), "format": "prompt"}],
            "validation_rows": 6,
        },
        "rewards": [{"rule": "tests.training.asking:vowels"}],
        "sampling": {"max_new_tokens": 8, "batch_rows": 8},
        **{key: dict(value) if isinstance(value, dict) else value for key, value in STAGES[kind].items()},
    }
    content["train"] |= {"learning_rate": 0.01}
    for key, value in changes.items():
        place = content
        *parents, last = key.split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
