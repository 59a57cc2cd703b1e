"""A base of two small layers with random weights, and recipes that train on it in about a second."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.training.asking import Online, speak_up, write_recipe
from tests.training.building import Building
from tests.training.continued import Continued
from tests.training.continued import write_recipe as write_continued
from tests.training.intents import make_encoder
from tests.training.rows import CONVERSATIONS, TEMPLATE, spoken, write_rows
from tests.training.stages import Writer, Written
from training.models import base as bases
from training.models import tokenizer as bpe
from training.recipe import Architecture
from training.served import transport

Recipe = Callable[..., Path]
SHAPE = Architecture(hidden_size=32, layers=2, heads=2, kv_heads=2, intermediate_size=64, context=512)


@pytest.fixture(autouse=True)
def _one_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Exact comparisons want the same arithmetic on every machine; tiny ones no threads and no workers."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    for name in ("TOKENIZERS_PARALLELISM", "OMP_WAIT_POLICY"):  # a run sets them, for itself
        monkeypatch.setenv(name, os.environ.get(name, ""))
        monkeypatch.delenv(name)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_base(folder: Path, template: str = TEMPLATE, seed: int = 0, shape: Architecture = SHAPE) -> Path:
    """A base folder as ``pointsman train`` makes it, but for the training."""
    tokenizer = bpe.train(spoken(), vocab_size=420, chat_template=template, context=shape.context)
    folder.mkdir(parents=True)
    bases.save(bases.new_model(shape, tokenizer, seed), tokenizer, folder)
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="session")
def speaker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base whose choice of words an adapter can turn by much."""
    return speak_up(make_base(tmp_path_factory.mktemp("speaker") / "base"))


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder for the stage router, that knows the words of ``intents``."""
    return make_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def online(tmp_path: Path, speaker: Path) -> Online:
    """``online("ppo", **{"train.steps": 4})`` writes a recipe of ppo, grpo or rloo and gives its path."""
    return partial(write_recipe, tmp_path, speaker)


@pytest.fixture
def continued(tmp_path: Path, base: Path) -> Continued:
    """``continued(**{"train.steps": 4})`` writes a recipe of cpt that goes on from the base."""
    return partial(write_continued, tmp_path, base)


@pytest.fixture
def tokenizer(base: Path) -> Any:
    return bases.load_tokenizer(str(base))


@pytest.fixture
def recipe(tmp_path: Path, base: Path) -> Recipe:
    """``recipe(rows=[...], **{"train.steps": 4})`` writes a recipe of sft and gives its path."""

    def write(
        rows: list[dict[str, Any]] = CONVERSATIONS,
        name: str = "tiny",
        form: str = "messages",
        **changes: Any,
    ) -> Path:
        path = tmp_path / f"{name}.yaml"
        content: dict[str, Any] = {
            "stage": "sft",
            "name": name,
            "alias": "tiny",
            "base": str(base),
            "lora": {"rank": 4, "alpha": 8},
            "data": {
                "sources": [{"path": str(write_rows(tmp_path / f"{name}.jsonl", rows)), "format": form}],
                "validation_rows": 6,
                "max_tokens": 256,
            },
            "train": {
                "steps": 4,
                "batch_rows": 4,
                "learning_rate": 0.01,
                "log_every": 2,
                "precision": "fp32",
            },
        }
        for key, value in changes.items():
            place = content
            *parents, last = key.split(".")
            for parent in parents:
                place = place[parent]
            place[last] = value
            if value is None:
                del place[last]
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    return write


@pytest.fixture
def written(recipe: Recipe, continued: Continued, online: Online, tmp_path: Path) -> Written:
    """``written("dpo", "name", **{"train.steps": 4})`` writes a recipe of that kind of ``stages.STAGES``."""
    return Writer(recipe, continued, online, tmp_path)


@pytest.fixture
def building(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Building:
    """``building(rows, chat)`` builds rows with a teacher, and waits for nothing between its tries."""
    monkeypatch.setattr(transport, "FIRST_WAIT", 0.0)
    return Building(tmp_path)
