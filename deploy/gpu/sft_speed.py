"""What sft makes of a GPU: tokens a second, memory and the share of the card's bf16 peak, by method.

    python -m deploy.gpu.sft_speed OUT_DIR [--methods full lora qlora] [--peak 989]

A base of Qwen2.5-0.5B's shape with random weights learns the demo's help desk, packed (1,024 tokens a
sequence) and not, each in a process of its own. Tokens are those of rows, without padding; operations are 6
for each of them and each weight (4 where the base stands still), and attention's within rows. OUT_DIR gets
the table, sft.md, and a file for each with the loss of every step. Five minutes on an H100.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from training.models import base
from training.recipe import SftRecipe
from training.run import PARTS, pass_over_cudnn
from training.runs.folder import RunFolder
from training.trainers import loop
from training.trainers.supervised import Given

WARM_UP, STEPS = 5, 25
BLOCK, BLOCKS, ROWS = 1024, 16, 48  # tokens of a packed sequence; sequences of a step, packed and not
DRAWN = (WARM_UP + STEPS) * ROWS + 8
TOKENIZER = "deploy/demo/base"
LAYERS, WIDTH = 24, 896
SHAPE: dict[str, Any] = {  # Qwen2.5-0.5B's
    "vocab_size": 151_936,
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "intermediate_size": 4864,
    "max_position_embeddings": 32_768,
    "tie_word_embeddings": True,
    "bos_token_id": None,
}


def main() -> None:
    """Run every leg, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--methods", nargs="+", default=["full", "lora", "qlora"])
    parser.add_argument("--peak", type=float, default=989, help="TFLOP/s of the card in bf16; an H100's")
    parser.add_argument("--leg", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.leg:
        method, laid = args.leg
        (args.out / f"{method}-{laid}.json").write_text(json.dumps(leg(args.out, method, laid)), "utf-8")
        return
    make_base(args.out / "base")
    draw_rows(args.out / "rows.jsonl")
    lines = ["| | tokens/s | peak of memory | share of the peak |", "| --- | --- | --- | --- |"]
    for method in args.methods:
        for laid in ("packed", "apart"):
            again = [sys.executable, __file__, str(args.out), "--leg", method, laid]
            if subprocess.run(again, check=False).returncode:
                lines.append(f"| {method}, {laid} | failed | | |")
                continue
            found = json.loads((args.out / f"{method}-{laid}.json").read_text("utf-8"))
            share = found["operations"] / found["seconds"] / (args.peak * 1e12)
            rate = found["tokens"] / found["seconds"]
            lines.append(f"| {method}, {laid} | {rate:,.0f} | {found['peak'] / 1e9:.1f} GB | {share:.1%} |")
    (args.out / "sft.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def make_base(folder: Path) -> None:
    """Write a base of the shape, with weights drawn at random and the demo's tokenizer."""
    from transformers import AutoModelForCausalLM, Qwen2Config

    if folder.exists():
        return
    tokenizer = base.load_tokenizer(TOKENIZER)
    config = Qwen2Config(**SHAPE, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    torch.manual_seed(0)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config)
    folder.mkdir()
    base.save(model, tokenizer, folder)


def draw_rows(path: Path) -> None:
    """Write the help desk's rows to ``path``."""
    from deploy.demo.text import corpus

    if not path.exists():
        rows = corpus.adapter_rows("support", DRAWN, seed=0)
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def recipe_of(out: Path, method: str, laid: str) -> SftRecipe:
    """The recipe of one leg."""
    return SftRecipe.model_validate(
        {
            "stage": "sft",
            "name": f"{method}-{laid}",
            "alias": "speed",
            "base": str(out / "base"),
            "method": method,
            "packing": laid == "packed",
            "lora": None if method == "full" else {"rank": 16, "alpha": 32},
            "data": {
                "sources": [{"path": str(out / "rows.jsonl"), "format": "messages"}],
                "validation_rows": 8,
                "max_tokens": BLOCK,
            },
            "train": {
                "steps": WARM_UP + STEPS,
                "batch_rows": BLOCKS if laid == "packed" else ROWS,
                "learning_rate": 2e-5 if method == "full" else 2e-4,
                "log_every": 1,
                "precision": "bf16",
            },
        }
    )


class Clock(TrainerCallback):  # type: ignore[misc]
    """Times the steps after the warm-up, counts what they learn from, and keeps every step's loss."""

    def __init__(self, operations_per_token: int, pad: int) -> None:
        self.found: dict[str, Any] = {"losses": []}
        self._each, self._pad, self._began = operations_per_token, pad, 0.0

    def seen(self, model: Any, _: Any, given: dict[str, Any]) -> None:
        """Count a batch as it enters the model."""
        ids, positions = given["input_ids"], given["position_ids"]
        own = ids != self._pad
        self.found["tokens"] += int(own.sum())
        # A token looks at those before it in its row: twice 2 operations a layer and number, thrice in all.
        looked_at = int((positions + 1)[own].sum())
        self.found["operations"] += int(own.sum()) * self._each + 12 * LAYERS * WIDTH * looked_at

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin to count behind the warm-up."""
        if state.global_step in (0, WARM_UP):
            torch.cuda.synchronize()
            self._began = time.perf_counter()
            self.found |= {"tokens": 0, "operations": 0}

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take the time; nothing is saved."""
        torch.cuda.synchronize()
        self.found["seconds"] = time.perf_counter() - self._began
        control.should_save = False

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Keep the loss of a step."""
        if logs and "loss" in logs:
            self.found["losses"].append(float(logs["loss"]))


def leg(out: Path, method: str, laid: str) -> dict[str, Any]:
    """Train in this process; what it took."""
    recipe = recipe_of(out, method, laid)
    pass_over_cudnn()
    stage, learning = PARTS["sft"]
    tokenizer = base.load_tokenizer(recipe.base)
    prepared = learning.prepare(recipe, recipe.base, print)
    weights = sum(weight.numel() for weight in base.load_outline(recipe.base).parameters())
    clock = Clock((6 if method == "full" else 4) * weights, int(tokenizer.pad_token_id))
    model = stage.model(recipe, tokenizer)
    model.register_forward_pre_hook(clock.seen, with_kwargs=True)
    given = Given(model, tokenizer, prepared, RunFolder(out / recipe.name), [clock], print)
    training = learning.trainer(recipe, given)
    loop.train(training, None)
    return {"method": method, "laid": laid, **clock.found, "peak": torch.cuda.max_memory_allocated()}


if __name__ == "__main__":
    main()
