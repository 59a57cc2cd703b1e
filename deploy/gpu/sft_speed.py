"""What sft makes of a GPU: tokens a second, memory and the share of the card's bf16 peak, by method.

    python -m deploy.gpu.sft_speed OUT_DIR [--methods full lora qlora] [--laid packed apart] [--peak 989]
        [--profile] [--set KEY=VALUE ...]

A base of Qwen2.5-0.5B's shape with random weights learns the demo's help desk, packed (1,024 tokens a
sequence) and not, with about as many tokens a step. Tokens are those of rows, without padding; operations are
6 for each of them and each weight (4 where the base stands still), and attention's within rows. OUT_DIR gets
the table, sft.md, and a file for each with the loss of every step. Some minutes on an H100.

--profile takes some steps more and writes where their time goes, METHOD-LAID.profile.txt: the share of it in
which the GPU computes, the kernels that take most of it, and what the CPU does meanwhile. --set changes the
recipe, as `pointsman train` does: train.compile=true, say, or qlora.paged=false.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
import yaml
from torch.profiler import ProfilerActivity, profile
from transformers import TrainerCallback

from training import recipe as recipes
from training.data.preparing.collection import Prepared
from training.data.tokens.token_rows import TokenRows
from training.models import base
from training.recipe import SftRecipe
from training.run import pass_over_cudnn, quieten
from training.runs.folder import RunFolder
from training.sft import learning, stage
from training.trainers import loop
from training.trainers.supervised import Given

WARM_UP, STEPS, PROFILED = 5, 25, 3
BLOCK, BLOCKS, ROWS = 1024, 16, 40  # tokens of a packed sequence; sequences of a step, packed and not
DRAWN = (WARM_UP + STEPS + PROFILED) * 48 + 8
TOKENIZER = "deploy/demo/base"
LAYERS, WIDTH = 24, 896
_ACTIVITIES = (ProfilerActivity.CPU, ProfilerActivity.CUDA)
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
    parser.add_argument("--laid", nargs="+", default=["packed", "apart"])
    parser.add_argument("--profile", action="store_true", help="write where the time of some steps goes")
    parser.add_argument("--set", nargs="+", default=[], dest="changes", metavar="KEY=VALUE")
    parser.add_argument("--peak", type=float, default=989, help="TFLOP/s of the card in bf16; an H100's")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    make_base(args.out / "base")
    draw_rows(args.out / "rows.jsonl")
    quieten()
    pass_over_cudnn()
    any_leg = recipe_of(args.out, "full", "apart")
    prepared = learning.prepare(any_leg, any_leg.base, print)
    lines = ["| | tokens/s | peak of memory | share of the peak |", "| --- | --- | --- | --- |"]
    for method, laid in product(args.methods, args.laid):
        recipe = recipe_of(args.out, method, laid, args.changes)
        shown = args.out / f"{recipe.name}.profile.txt" if args.profile else None
        found = leg(recipe, prepared, RunFolder(args.out / recipe.name), shown)
        (args.out / f"{recipe.name}.json").write_text(json.dumps(found), "utf-8")
        share = found["operations"] / found["seconds"] / (args.peak * 1e12)
        rate = found["tokens"] / found["seconds"]
        lines.append(f"| {method}, {laid} | {rate:,.0f} | {found['peak'] / 1e9:.1f} GB | {share:.1%} |")
        print(lines[-1], flush=True)
        gc.collect()
        torch.cuda.empty_cache()
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


def recipe_of(out: Path, method: str, laid: str, changes: Sequence[str] = ()) -> SftRecipe:
    """The recipe of one leg, with ``changes`` such as ``train.compile=true``."""
    content = {
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
    path = out / f"{method}-{laid}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    recipe = recipes.load(path, changes)
    assert isinstance(recipe, SftRecipe)
    return recipe


class Clock(TrainerCallback):  # type: ignore[misc]
    """Times the steps after the warm-up, counts what they learn from, and keeps every step's loss."""

    def __init__(self, operations_per_token: int, pad: int, profiled: Path | None = None) -> None:
        self.found: dict[str, Any] = {"losses": []}
        self._each, self._pad, self._began = operations_per_token, pad, 0.0
        self._profiled, self._profile = profiled, profile(activities=_ACTIVITIES)
        self._counts: list[torch.Tensor] = []  # of each batch: tokens, and tokens that those look at

    def seen(self, model: Any, _: Any, given: dict[str, Any]) -> None:
        """Count a batch as it enters the model, without waiting for the GPU."""
        own = given["input_ids"] != self._pad
        self._counts.append(torch.stack([own.sum(), ((given["position_ids"] + 1) * own).sum()]))

    def counted(self) -> tuple[int, int]:
        """Tokens since the warm-up, and operations.

        A token looks at those before it in its row: twice 2 operations a layer and number, thrice in all.
        """
        tokens, looked_at = (int(number) for number in torch.stack(self._counts).sum(0))
        return tokens, tokens * self._each + 12 * LAYERS * WIDTH * looked_at

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin to count behind the warm-up."""
        if state.global_step == WARM_UP:
            torch.cuda.synchronize()
            self._began, self._counts = time.perf_counter(), []

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take the time, and then a profile; nothing is saved."""
        control.should_save = False
        if state.global_step == WARM_UP + STEPS:
            torch.cuda.synchronize()
            self.found["seconds"] = time.perf_counter() - self._began
            self.found["tokens"], self.found["operations"] = self.counted()
            self.found["peak"] = torch.cuda.max_memory_allocated()
            if self._profiled:
                self._began = time.perf_counter()
                self._profile.start()
        elif self._profiled and state.global_step == WARM_UP + STEPS + PROFILED:
            torch.cuda.synchronize()
            seconds = time.perf_counter() - self._began
            self._profile.stop()
            self._profiled.write_text(where_time_goes(self._profile, seconds), "utf-8")

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Keep the loss of a step."""
        if logs and "loss" in logs:
            self.found["losses"].append(float(logs["loss"]))


def where_time_goes(taken: profile, seconds: float) -> str:
    """What ``taken``, a profile of ``PROFILED`` steps in ``seconds``, says of kernels and of the CPU."""
    averages = taken.key_averages()
    kernels = [one for one in averages if one.device_type.name != "CPU"]
    busy = sum(one.self_device_time_total for one in kernels) / 1e6
    lines = [
        f"{PROFILED} steps, {seconds:.3f} s (longer by what the profile takes), kernels {busy:.3f} s of them",
        "",
        "ms a step, times a step, kernel",
    ]
    for one in sorted(kernels, key=lambda one: -one.self_device_time_total)[:60]:
        ms, times = one.self_device_time_total / 1e3 / PROFILED, one.count / PROFILED
        lines.append(f"{ms:9.3f} {times:8.0f}  {one.key[:150]}")
    cpu: str = averages.table(sort_by="self_cpu_time_total", row_limit=30, max_name_column_width=60)
    return "\n".join([*lines, "", cpu]) + "\n"


def leg(
    recipe: SftRecipe, prepared: Prepared[TokenRows], run: RunFolder, shown: Path | None
) -> dict[str, Any]:
    """Train; what it took. ``shown``: where a profile is written."""
    if shown:
        longer = recipe.train.model_copy(update={"steps": WARM_UP + STEPS + PROFILED})
        recipe = recipe.model_copy(update={"train": longer})
    tokenizer = base.load_tokenizer(recipe.base)
    weights = sum(weight.numel() for weight in base.load_outline(recipe.base).parameters())
    clock = Clock((6 if recipe.method == "full" else 4) * weights, int(tokenizer.pad_token_id), shown)
    torch.cuda.reset_peak_memory_stats()
    model = stage.model(recipe, tokenizer)
    model.register_forward_pre_hook(clock.seen, with_kwargs=True)
    training = learning.trainer(recipe, Given(model, tokenizer, prepared, run, [clock], print))
    loop.train(training, None)
    return {"method": recipe.method, "packing": recipe.packing, **clock.found}


if __name__ == "__main__":
    main()
