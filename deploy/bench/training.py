"""Our training beside plain TRL, on one thread: `make bench-training` writes docs/bench-training.md.

Contenders take turns, each run in a process of its own, so that what else the machine does meets all of them;
what counts is the ratio of neighbours. What they have learned is compared step by step.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from deploy.bench import packed_loss, ppo_split, training_leg
from deploy.bench.machine import progress
from deploy.bench.training_leg import CONTENDERS, Leg
from deploy.bench.training_page import Legs, page
from deploy.demo.text.depot import log_pages

STAGES = ("sft", "dpo")
BASE = "deploy/demo/base"
ROWS, BATCH_ROWS, STEPS = 200, 4, 20
RATES = {"sft": 0.002, "dpo": 0.0001}  # learning rates; by ten times the second dpo's loss would be 0 at once
SEED = 3


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description="Our training beside plain TRL, on this CPU.")
    parser.add_argument("--rounds", type=int, default=4, help="turns of each contender")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    given = parser.parse_args()
    say, load = progress(), os.getloadavg()[0]
    legs: dict[str, Legs] = {stage: {name: [] for name in CONTENDERS} for stage in STAGES}
    parts: dict[str, list[float]] = {}

    def write() -> None:  # at once: a run may be broken off
        told = f"the same {ROWS} rows, {STEPS} steps of {BATCH_ROWS}"
        given.out.write_text(page(legs, parts, packed, told, load), encoding="utf-8")
        say(f"written to {given.out}")

    with tempfile.TemporaryDirectory() as folder:
        recipes = {stage: write_recipe(Path(folder), stage) for stage in STAGES}
        packed = packed_loss.measure(recipes["sft"])
        say(f"packed rows: {packed}")
        for number in range(given.rounds):
            for stage, recipe in recipes.items():
                turn = {name: _leg(name, recipe, Path(folder) / "leg.json") for name in CONTENDERS}
                for name, leg in turn.items():
                    legs[stage][name].append(leg)
                say(f"round {number + 1} of {given.rounds}: {stage}")
            write()
        parts |= ppo_split.measure(BASE, Path(folder), say)
        write()


def rows(stage: str) -> Iterator[dict[str, Any]]:
    """Pages of the depot's log, which the base has never read: asked by the heading; 1 to 9 lines long.

    For dpo 1 to 4 lines, and the worse answer is what the page before says, as many lines from its end.
    """
    before: list[str] = ["no log"]
    for number, row in enumerate(log_pages(ROWS, SEED)):
        heading, *lines = str(row["text"]).splitlines()
        count = 1 + number % (9 if stage == "sft" else 4)
        asked = [{"role": "user", "content": heading}]
        said, other = (
            [{"role": "assistant", "content": "\n".join(some)}] for some in (lines[:count], before[-count:])
        )
        if stage == "sft":
            yield {"messages": asked + said}
        else:
            yield {"prompt": asked, "chosen": said, "rejected": other}
        before = lines


def write_recipe(folder: Path, stage: str, **changes: Any) -> Path:
    """The recipe that all contenders train, with its rows beside it; ``changes`` go into ``train``."""
    file = folder / f"{stage}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows(stage)), encoding="utf-8")
    content = {
        "stage": stage,
        "name": "bench",
        "alias": "bench",
        "base": BASE,
        "seed": SEED,
        "lora": {"rank": 8, "alpha": 16},
        "data": {
            "sources": [{"path": str(file), "format": "messages" if stage == "sft" else "pairs"}],
            "validation_rows": 1,
            "max_tokens": 1024,
        },
        "train": {
            "steps": STEPS,
            "batch_rows": BATCH_ROWS,
            "learning_rate": RATES[stage],
            "precision": "fp32",
            "log_every": 1,
        }
        | changes,
    }
    path = folder / f"{stage}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def _leg(name: str, recipe: Path, out: Path) -> Leg:
    """One contender's turn, in a process that begins with the libraries loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["deploy.bench.training_leg", "deploy.bench.plain_trl", "training.trainers.trl"]
    )
    process = context.Process(target=training_leg.run, args=(name, recipe, out))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"error: {name} ended with {process.exitcode}; what it said is above")
    return Leg(**json.loads(out.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
