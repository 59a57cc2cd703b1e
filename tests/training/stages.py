"""A recipe of every stage that trains an adapter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.training.asking import Online
from tests.training.continued import Continued
from tests.training.preferences import LABELS, PAIRS
from training import run

Recipe = Callable[..., Path]
Written = Callable[..., Path]
LORA: dict[str, Any] = {"method": "lora", "lora": {"rank": 4}}
STAGES: dict[str, dict[str, Any]] = {
    "cpt": LORA | {"alias": "tiny"},
    "cpt to a base": LORA,
    "dpo": {},
    "dpo from an adapter": {},
    "kto": {"loss": "kto"},
    "simpo": {"loss": "simpo"},
    "rm": {},
    "ppo": {},
    "ppo from an adapter": {},
    "grpo": {},
    "grpo from an adapter": {},
    "rloo": {},
}


class Writer:
    """Writes one with what the fixtures of its kind write."""

    def __init__(self, recipe: Recipe, continued: Continued, online: Online, runs: Path) -> None:
        self._recipe, self._continued, self._online, self._runs = recipe, continued, online, runs

    def __call__(self, kind: str, name: str, **changes: Any) -> Path:
        """The path of the recipe of ``kind`` in :data:`STAGES`, with ``changes`` by dotted key."""
        changes = STAGES[kind] | changes | {"name": name}
        if kind.endswith("adapter"):
            changes["init_adapter"] = str(self._adapter(kind))
        stage = kind.split(maxsplit=1)[0]
        if stage == "cpt":
            return self._continued(**changes)
        if stage in ("ppo", "grpo", "rloo"):
            return self._online(stage, **changes)
        if stage == "rm":
            return self._recipe(PAIRS, form="pairs", stage="rm", **changes)
        rows, form = (LABELS, "labels") if stage == "kto" else (PAIRS, "pairs")
        return self._recipe(rows, form=form, stage="dpo", **changes)

    def _adapter(self, kind: str) -> Path:
        """What the stage goes on from."""
        if kind.startswith("dpo"):
            first = self._recipe(PAIRS, form="pairs", stage="dpo", name="first")
        else:
            first = self._online("ppo", name="first", **{"train.steps": 2, "train.learning_rate": 0.03})
        return run.train(first, runs=self._runs, report=_quiet)


def _quiet(_: str) -> None:
    """Says nothing."""
