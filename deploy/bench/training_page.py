"""The page that the training bench writes: what was measured now, and where the other numbers are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from deploy.bench import ppo_split
from deploy.bench.machine import processor
from deploy.bench.packed_loss import PackedLoss
from deploy.bench.training_leg import WARM_UP, Leg

Legs = dict[str, list[Leg]]  # of each contender

ELSEWHERE = """\
## Measured by other commands

What needs a GPU, a served model or more than some minutes:

- How far DPO, PPO and GRPO raise the reward model's score on held-out prompts, with the general probe:
  [rewards of a policy](training.md#rewards-of-a-policy), by `python -m deploy.demo.preference_eval`.
- QLoRA, prefix tuning and P-tuning v2 beside LoRA, in loss, task, memory and time:
  [numbers](training.md#numbers), by `python -m deploy.bench.methods`.
- Full, LoRA and QLoRA on a GPU, packed and not, in tokens a second, memory and the share of the bf16 peak:
  [numbers](training.md#numbers), by `python -m deploy.gpu.sft_speed OUT_DIR`.
- GPTQ of the demo's base: perplexity 2.0864, by 4 bits 2.0846, by 8 bits 2.0864:
  [the log](log.md#2026-11-25-gptq-and-what-preferences-gain-on-two-cores), by
  `pointsman train deploy/demo/recipes/quantize.yaml`.
- The token ids of 100 conversations, tools included, each whole and before its last answer, are those of
  vLLM's `/tokenize` in 200 of 200, compared by hand: "Read alike" in
  [the log](log.md#2026-11-25-several-processes-and-training-beside-plain-trl).
"""


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


def page(
    legs: Mapping[str, Legs], parts: dict[str, list[float]], packed: PackedLoss, steps: str, load: float
) -> str:
    """The whole page.

    Args:
        legs: of each stage.
        parts: of a step of ppo; none where they are yet to be measured.
        packed: what packing changes.
        steps: what all train on, in words.
        load: the machine's when all began.
    """
    rounds = len(legs["sft"]["ours"])
    told = f"the demo's base\nwith {steps} of which {WARM_UP} are not timed, in turns, {rounds} times"
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

## Packed rows

{packed}

## A step of our PPO

Of 16 answers of at most 64 tokens, judged by a reward model of the base's size, learned from twice; the first
step is not counted.

{ppo_split.table(parts) if parts else "Not measured yet."}

{ELSEWHERE}"""
