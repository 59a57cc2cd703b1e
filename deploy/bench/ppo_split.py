"""Where a step of our PPO spends its time: sampling, scoring by a reward model, learning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from training import run
from training.ppo.stage import PARTS
from training.runs.folder import RunFolder

STEPS = 4  # the first is not counted


def measure(base: str, folder: Path, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Seconds of each counted step by its part, of PPO on ``base`` with a reward model of its size.

    ``folder`` is written to; the reward model takes two steps only, as what it knows costs no time.
    """
    say("ppo: a reward model")
    judge = _trained(
        folder,
        {
            "stage": "rm",
            "name": "judge",
            "alias": "judge",
            "base": base,
            "data": _data(48, 8),
            "train": {"steps": 2, "batch_rows": 8, "learning_rate": 0.001, "precision": "fp32"},
        },
    )
    say(f"ppo: {STEPS} steps")
    _trained(
        folder,
        {
            "stage": "ppo",
            "name": "ppo",
            "alias": "ppo",
            "base": base,
            "data": _data(96, 4),
            "rewards": [{"model": str(judge)}],
            "sampling": {"max_new_tokens": 64, "temperature": 1.5, "batch_rows": 16},
            "value": {"learning_rate": 0.001, "warmup_steps": 1},
            "train": {
                "steps": STEPS,
                "rollout_rows": 16,
                "epochs": 2,
                "minibatch_rows": 8,
                "batch_rows": 8,
                "learning_rate": 0.0002,
                "precision": "fp32",
            },
        },
    )
    steps = [line for line in RunFolder(folder / "ppo").read_metrics() if PARTS[0] in line][1:]
    return {part: [line[part] for line in steps] for part in PARTS}


def table(found: dict[str, list[float]]) -> str:
    """Markdown: the parts down, seconds and share of the step across."""
    whole = np.sum(list(found.values()), axis=0)
    lines = ["| part of a step | seconds (from to) | share |", "| --- | --- | --- |"]
    for part, seconds in found.items():
        share = float(np.sum(seconds) / whole.sum())
        name = part.removesuffix("_seconds")
        lines.append(
            f"| {name} | {np.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f}) | {share:.0%} |"
        )
    lines.append(f"| all | {np.median(whole):.2f} ({whole.min():.2f} to {whole.max():.2f}) | |")
    return "\n".join(lines)


def _data(count: int, held_out: int) -> dict[str, Any]:
    source = {"generator": "deploy.demo.text.preference:pairs", "rows": count}
    return {"sources": [source], "validation_rows": held_out, "max_tokens": 768}


def _trained(folder: Path, recipe: dict[str, Any]) -> Path:
    path = folder / f"{recipe['name']}.yaml"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return run.train(path, runs=folder, report=lambda _: None)
