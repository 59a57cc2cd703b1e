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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from deploy.bench import ppo_split, training_leg
from deploy.bench.machine import processor, progress
from deploy.bench.training_leg import CONTENDERS, WARM_UP, Leg
from deploy.demo.text.depot import log_pages

Legs = dict[str, list[Leg]]  # of each contender

STAGES = ("sft", "dpo")
BASE = "deploy/demo/base"
ROWS, BATCH_ROWS, STEPS = 200, 4, 10
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
        given.out.write_text(_page(legs, parts, load), encoding="utf-8")
        say(f"written to {given.out}")

    with tempfile.TemporaryDirectory() as folder:
        recipes = {stage: write_recipe(Path(folder), stage) for stage in STAGES}
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
            "learning_rate": 0.002,
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


def table(legs: Legs) -> str:
    """Markdown: measures down, contenders across; ratios are to TRL's turn of the same round."""
    names = {"ours": "Pointsman", "plain": "TRL, as documented", "alike": "TRL, our rows in our order"}
    rows: list[tuple[str, Callable[[str], str]]] = [
        ("tokens a second", lambda name: f"{np.median([_rate(leg) for leg in legs[name]]):,.0f}"),
        ("the same, to TRL as documented", lambda name: _ratios(legs, name, _rate)),
        ("tokens a second of CPU, to TRL as documented", lambda name: _ratios(legs, name, _cpu_rate)),
        ("what the model is given in a second, padding included, to TRL", lambda n: _ratios(legs, n, _laid)),
        ("padding's share", lambda name: f"{1 - legs[name][0].tokens / legs[name][0].laid:.1%}"),
        ("peak of memory, MB", lambda name: f"{np.median([leg.peak_mb for leg in legs[name]]):,.0f}"),
        ("loss of the first and of the last step", lambda name: _ends(legs[name][0].losses)),
        (
            "farthest from Pointsman's loss at any step",
            lambda name: f"{_apart(legs['ours'], legs[name]):.1e}" if name == "alike" else "",
        ),
    ]
    lines = ["| | " + " | ".join(names.values()) + " |", "| --- |" + " --- |" * len(names)]
    for title, cell in rows:
        lines.append(f"| {title} | {' | '.join(cell(name) for name in names)} |")
    return "\n".join(lines)


def _rate(leg: Leg) -> float:
    return leg.tokens / leg.seconds


def _cpu_rate(leg: Leg) -> float:
    return leg.tokens / leg.cpu_seconds


def _laid(leg: Leg) -> float:
    return leg.laid / leg.seconds


def _ratios(legs: Legs, name: str, of: Callable[[Leg], float]) -> str:
    """Median, and from the least to the most, of a round's ratios."""
    if name == "plain":
        return "1"
    found = [of(one) / of(other) for one, other in zip(legs[name], legs["plain"], strict=True)]
    return f"{np.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def _ends(losses: Sequence[float]) -> str:
    return f"{losses[0]:.4f}, {losses[-1]:.4f}"


def _apart(ones: Sequence[Leg], others: Sequence[Leg]) -> float:
    """The largest difference of two contenders' losses at a step, over all rounds."""
    return max(
        float(np.abs(np.subtract(one.losses, other.losses)).max())
        for one, other in zip(ones, others, strict=True)
    )


def _page(legs: dict[str, Legs], parts: dict[str, list[float]], load: float) -> str:
    rounds = len(legs[STAGES[0]]["ours"])
    told = (
        f"the demo's base\nwith the same {ROWS} rows, {STEPS} steps of {BATCH_ROWS} of which {WARM_UP} are "
        f"not timed, in turns, {rounds} times"
    )
    return f"""# Training beside plain TRL

Written by `make bench-training`, each contender on one thread of one machine ({processor()},
{os.cpu_count()} cores, at a load of {load:.1f} when it began). All train the same LoRA, rank 8 on every
linear layer, in fp32, on {told}.
A ratio is to TRL's turn of the same round: its median (from the least to the most). Where others use the
machine as well, CPU time says more than the clock.

TRL as documented draws its rows by chance, so its batches and its losses are others; given our rows in our
order it sees the batches that Pointsman sees. Pointsman puts rows of like length into a batch, which saves
padding. The longest batch goes first, so its peak of memory is that of all rows, where TRL's is that of the
batches it has drawn.

## SFT

{table(legs["sft"])}

## DPO

Of each pair both answers go through the model twice, with the adapter and without it; all are counted.

{table(legs["dpo"])}

## A step of our PPO

Of 16 answers of at most 64 tokens, judged by a reward model of the base's size, learned from twice; the first
step is not counted.

{ppo_split.table(parts) if parts else "Not measured yet."}
"""


if __name__ == "__main__":
    main()
