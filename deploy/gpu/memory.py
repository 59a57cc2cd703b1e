"""What runs take of a GPU's memory, beside what `pointsman check` says that they will.

    python -m deploy.gpu.memory OUT_DIR [--shapes qwen llama] [--only NAME ...] [--at-once 4]

Bases with random weights (Qwen2.5-0.5B's shape, and Llama 3.2 1B's layers with a vocabulary of 32,000) learn
from one row again and again, a few steps of each kind of run, in a process of its own. The estimate counts
weights too, and so does what PyTorch's allocator gave out at most. OUT_DIR gets memory.md and memory.json.
Some minutes on an H100.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import yaml

from deploy.gpu.sft_speed import SHAPE, TOKENIZER
from training import run
from training.models import base
from training.preflight import check
from training.runs.estimate import Estimate, size

LLAMA: dict[str, Any] = {
    "vocab_size": 32_000,
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 8192,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}
SHAPES = {"qwen": ("qwen2", SHAPE), "llama": ("llama", LLAMA)}
_LORA = {"rank": 16, "alpha": 32}
_SFT = {"stage": "sft", "method": "lora", "lora": _LORA, "packing": False}
_PREFER = {"stage": "dpo", "lora": _LORA}
_ONLINE: dict[str, Any] = {
    "lora": _LORA,
    "rewards": [{"rule": "deploy.demo.rewards:as_chosen"}],
    "sampling": {"max_new_tokens": 64, "batch_rows": 64},
}
_PPO_STEP = {"rollout_rows": 32, "minibatch_rows": 16, "batch_rows": 16, "epochs": 1}
_FULL_RATE = 2e-5
RUNS: dict[str, dict[str, Any]] = {
    "sft lora": _SFT,
    "sft lora, fp32": {**_SFT, "train": {"precision": "fp32"}},
    "sft lora, packed": {**_SFT, "packing": True, "train": {"batch_rows": 8}},
    "sft lora, checkpointing": {**_SFT, "train": {"gradient_checkpointing": True}},
    "sft lora, dropout": {**_SFT, "lora": {**_LORA, "dropout": 0.1}},
    "sft dora": {**_SFT, "method": "dora"},
    "sft qlora": {**_SFT, "method": "qlora"},
    "sft full": {**_SFT, "method": "full", "lora": None, "train": {"learning_rate": _FULL_RATE}},
    "rm lora": {"stage": "rm", "lora": _LORA},
    "dpo": {**_PREFER, "loss": "sigmoid"},
    "dpo, fp32": {**_PREFER, "loss": "sigmoid", "train": {"precision": "fp32"}},
    "orpo": {**_PREFER, "loss": "orpo"},
    "simpo": {**_PREFER, "loss": "simpo"},
    "grpo": {"stage": "grpo", **_ONLINE},
    "ppo": {"stage": "ppo", **_ONLINE, "train": _PPO_STEP},
}
_QUESTION = {"role": "user", "content": "Where is my parcel? " * 20}
_ANSWER = {"role": "assistant", "content": "It is on its way to you. " * 20}
_OTHER = {"role": "assistant", "content": "I do not know where it is. " * 20}
_PAIR = {"prompt": [_QUESTION], "chosen": [_ANSWER], "rejected": [_OTHER]}
_ROW = {"messages": {"messages": [_QUESTION, _ANSWER]}, "pairs": _PAIR, "prompt": _PAIR}
_FORMS = {"sft": "messages", "grpo": "prompt", "ppo": "prompt"}
_STEPS, _ROWS, _MAX_TOKENS = 3, 200, 1024


def main() -> None:
    """Run each kind, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--only", nargs="+", choices=list(RUNS), default=list(RUNS), metavar="NAME")
    parser.add_argument("--at-once", type=int, default=4, help="runs beside each other on the card")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, Any]] = []
    with _apart(1) as process:
        for shape in args.shapes:
            process.submit(make_base, args.out / shape, shape).result()
    with _apart(args.at_once) as processes:
        going = {
            processes.submit(measured, write_recipe(args.out, shape, name), args.out / "runs"): (shape, name)
            for shape, name in product(args.shapes, args.only)
        }
        for done in as_completed(going):
            shape, name = going[done]
            try:
                taken = done.result()
            except Exception as exc:  # the other runs are worth having
                taken = {"failed": str(exc)[:300]}
            found.append({"shape": shape, "run": name, **taken})
            print(line(found[-1]), flush=True)
            (args.out / "memory.json").write_text(json.dumps(found, indent=1), "utf-8")
    head = ["| | estimated | taken | ratio |", "| --- | --- | --- | --- |"]
    (args.out / "memory.md").write_text("\n".join([*head, *map(line, found)]) + "\n", "utf-8")
    sys.exit(any("failed" in one for one in found))


def line(one: dict[str, Any]) -> str:
    """Its row of the table."""
    name = f"{one['shape']}: {one['run']}"
    if "failed" in one:
        return f"| {name} | failed: {one['failed']} | | |"
    estimated, taken = one["estimated"], one["taken"]
    return f"| {name} | {size(estimated)} | {size(taken)} | {estimated / taken:.2f} |"


def _apart(at_once: int) -> ProcessPoolExecutor:
    """Processes that do one thing each, whose memory is gone behind it."""
    return ProcessPoolExecutor(at_once, get_context("spawn"), max_tasks_per_child=1)


def make_base(folder: Path, shape: str) -> None:
    """Write a base of ``shape`` with the demo's tokenizer."""
    from transformers import AutoConfig, AutoModelForCausalLM

    if folder.exists():
        return
    kind, numbers = SHAPES[shape]
    tokenizer = base.load_tokenizer(TOKENIZER)
    ends = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id}
    config = AutoConfig.for_model(kind, **{**numbers, **ends, "pad_token_id": tokenizer.pad_token_id})
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.from_config(config)
    folder.mkdir(parents=True)
    base.save(model, tokenizer, folder)


def write_recipe(out: Path, shape: str, name: str) -> Path:
    """The recipe of a run."""
    given = RUNS[name]
    form = _FORMS.get(given["stage"], "pairs")
    rows = out / f"{form}.jsonl"
    rows.write_text((json.dumps(_ROW[form]) + "\n") * _ROWS, encoding="utf-8")
    slug = f"{shape}-{name}".replace(", ", "-").replace(" ", "-")
    content = {
        "name": slug,
        "alias": "memory",
        "base": str(out / shape),
        **given,
        "data": {
            "sources": [{"path": str(rows), "format": form}],
            "validation_rows": 4,
            "max_tokens": _MAX_TOKENS,
        },
        "train": {"steps": _STEPS, "batch_rows": 16, "learning_rate": 1e-4, "precision": "bf16"}
        | given.get("train", {}),
    }
    path = out / f"{slug}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def measured(recipe: Path, runs: Path) -> dict[str, Any]:
    """Bytes that were estimated, and that PyTorch's allocator gave out at most."""
    needed = check.check(recipe, [], print).needs
    assert isinstance(needed, Estimate)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    run.train(recipe, runs=runs, report=print)
    return {
        "estimated": needed.memory,
        "taken": torch.cuda.max_memory_allocated(),
        "parts": str(needed),
    }


if __name__ == "__main__":
    main()
