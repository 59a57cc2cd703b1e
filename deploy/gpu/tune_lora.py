"""Finds vLLM's fastest LoRA kernels for a base on this machine's GPU.

    python -m deploy.gpu.tune_lora --base FOLDER --rank 16 --max-loras 16 --out lora-kernels

vLLM's two LoRA kernels (``shrink``: tokens times A; ``expand``: that times B) come with block sizes for any
card and shape. Where a batch of 64 tokens has 16 adapters they are far from the best: most of what is
launched has no work. This times a grid of them with the base's own shapes, adapters and batch sizes in CUDA
graphs, as decoding runs them, and writes the files that vLLM reads from ``VLLM_TUNED_CONFIG_FOLDER``:

    engine:
      environment: {VLLM_TUNED_CONFIG_FOLDER: lora-kernels}
      arguments: [--specialize-active-lora]     # graphs by how many adapters run, not by max_loras

A vLLM that others start needs the plugin ``service.engine.cuda_lora`` for the latter, or leaves it out: vLLM
alone answers for the base in place of an adapter where both are in a batch.

``deploy/gpu/kernels/3b-rank16`` has what this found for Llama 3.2's 3B shape, rank 16 and 16 adapters on an
H100 (``NVIDIA H100 80GB HBM3``). vLLM takes files only where their name is that of its card, but does not
look whether they are for its base: it takes the nearest shape in them.

Two minutes on an H100. The engine must not run meanwhile. Needs vLLM's CUDA build. Its files are those that
vLLM's ``README_TUNING.md`` describes; what is tried and how it is timed is ours.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from deploy.gpu.lora_shapes import Shape, candidates, shapes_of

BATCHES = (16, 64, 128, 512, 2048)  # tokens: the nearest is taken for a batch of another size


def main() -> None:
    """Tune, and write the files."""
    parser = argparse.ArgumentParser(description="Tune vLLM's LoRA kernels for a base on this GPU.")
    parser.add_argument("--base", type=Path, required=True, help="folder with the base's config.json")
    parser.add_argument("--rank", type=int, default=16, help="engine.max_lora_rank")
    parser.add_argument("--max-loras", type=int, required=True, help="engine.max_loras")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    given = parser.parse_args()
    config = json.loads((given.base / "config.json").read_bytes())
    shapes = shapes_of(config, given.rank)
    from deploy.gpu.lora_timing import Timing, compile_all, gpu_name

    compile_all(shapes, given.max_loras)
    timing = Timing(given.max_loras)
    best: dict[tuple[Shape, int], dict[str, int | None]] = {}
    for shape in shapes:
        for batch in BATCHES:
            default = timing.default_of(shape, batch)
            tried = [(timing.seconds(shape, batch, one), one) for one in (default, *candidates(shape, batch))]
            seconds, found = min(tried, key=lambda one: one[0])
            best[shape, batch] = found
            print(
                f"{shape.op} of {shape.slices} × {shape.wide} at {batch} tokens: "
                f"{tried[0][0] * 1e6:.1f} µs by vLLM's own, {seconds * 1e6:.1f} by {found}",
                flush=True,
            )
    given.out.mkdir(parents=True, exist_ok=True)
    for name, content in files_of(best, given.max_loras, gpu_name()).items():
        (given.out / name).write_text(json.dumps(content, indent=1), encoding="utf-8")


def files_of(
    best: dict[tuple[Shape, int], dict[str, int | None]], max_loras: int, gpu: str
) -> dict[str, dict[str, object]]:
    """The files by name: configurations by adapters, slices, tokens, and the two sides of the matrix.

    vLLM counts "no adapter" as one, so its ``max_loras`` there is one more than it was started with.
    """
    found: dict[str, dict[str, object]] = {}
    for (shape, batch), config in best.items():
        name = f"{gpu}_SHRINK.json" if shape.op == "shrink" else f"{gpu}_EXPAND_TRUE.json"
        sides = (shape.wide, shape.rank) if shape.op == "shrink" else (shape.rank, shape.wide)
        level = found.setdefault(name, {})
        for key in (max_loras + 1, shape.slices, batch, sides[0]):
            level = level.setdefault(str(key), {})  # type: ignore[assignment]
        level[str(sides[1])] = config
    return found


if __name__ == "__main__":
    main()
