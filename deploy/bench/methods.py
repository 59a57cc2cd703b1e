"""The methods of sft side by side, one job for all.

``python -m deploy.bench.methods --out methods.md``: each takes its turn in a process of its own,
on the GPU where there is one; ``--methods lora qlora --steps 20`` is a glimpse of it on a CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deploy.bench import method_leg
from deploy.bench.machine import processor, progress
from deploy.bench.method_leg import CASES, DAYS, OPTIONS, Measured

SERVED = {
    "lora": "as it is",
    "qlora": "as it is, on the base in full",
    "dora": "after `convert`",
    "pissa": "after `convert`",
    "full": "as a base, or after `convert --to lora`",
    "freeze": "as a base, or after `convert --to lora`",
}


def main() -> None:
    """Measure, and write the page; with ``--leg`` one method in this process."""
    parser = argparse.ArgumentParser(description="The methods of sft side by side.")
    parser.add_argument("--methods", nargs="+", choices=list(OPTIONS), default=list(OPTIONS))
    parser.add_argument("--rows", type=int, default=2000, help="rows of the job")
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--batch-rows", type=int, default=16)
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--leg", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    plan = {"rows": given.rows, "steps": given.steps, "batch_rows": given.batch_rows}
    if given.leg:
        method_leg.run(given.methods[0], plan, given.leg, given.out)
        return
    say, found = progress(), dict[str, Measured]()
    for method in given.methods:
        measured = _leg(method, plan)
        if measured is None:
            say(f"{method}: failed, and is left out; what it said is above")
            continue
        found[method] = measured
        say(f"{method}: {measured}")
        given.out.write_text(_page(found, plan), encoding="utf-8")  # at once: a run may be broken off
    if not found:
        sys.exit("error: no method was measured")


def _leg(method: str, plan: Mapping[str, int]) -> Measured | None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "measured.json"
        options = [f"--{name.replace('_', '-')}={value}" for name, value in plan.items()]
        command = [sys.executable, "-m", "deploy.bench.methods", "--methods", method, *options]
        subprocess.run([*command, "--leg", folder, "--out", str(out)], stdout=sys.stderr, check=False)
        return Measured(**json.loads(out.read_text(encoding="utf-8"))) if out.is_file() else None


def table(found: Mapping[str, Measured]) -> str:
    """Markdown, a method a row."""
    lines = [
        f"| method (learning rate) | weights that learn | seconds | peak of memory, MB | held-out loss | "
        f"{DAYS} days said | the rest right | forgotten, nats a token | served |",
        "| --- |" + " --- |" * 8,
    ]
    for method, one in found.items():
        lines.append(
            f"| {method} ({OPTIONS[method]['learning_rate']:g}) | {one.learning:,} | {one.seconds:.0f} | "
            f"{one.peak_mb:,.0f} | {one.loss:.4f} | {one.window:.0%} | {one.rest:.0%} | "
            f"{one.forgotten:+.4f} | {SERVED.get(method, 'after `convert`, distilled')} |"
        )
    return "\n".join(lines)


def _page(found: Mapping[str, Measured], plan: Mapping[str, int]) -> str:
    import torch

    gpu = torch.cuda.is_available()
    machine = torch.cuda.get_device_name() if gpu else f"{processor()}, {os.cpu_count()} cores"
    return f"""# The methods of sft side by side

Written by `python -m deploy.bench.methods` on {machine}. Each method learns, on the demo's base, that refunds
are given within {DAYS} days, from the same rows in the same order ({plan["steps"]} steps of
{plan["batch_rows"]} rows). Then the artefact answers {2 * CASES} held-out questions about the window, in
English and Chinese, by its likeliest tokens, and as many about the other rules. Memory is that of the
{"GPU's tensors" if gpu else "whole process"}; the learning rates are the methods' usual ones, not tuned.

{table(found)}
"""


if __name__ == "__main__":
    main()
