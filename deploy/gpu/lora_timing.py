"""Our LoRA kernels beside vLLM's on this machine's GPU.

    python -m deploy.gpu.lora_timing [--rank 16] [--adapters 16]

Microseconds that a layer of Llama 3.2's 3B shape takes for all of its adapters' products, in CUDA graphs, as
an engine runs them: by vLLM's kernels as they come, and by ``service.engine.lora_kernels``. The batches are
those of a server: each adapter some tokens, and a prompt of 250 tokens among them, or several. Needs vLLM's
CUDA build; a minute on an H100.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial

import torch
from vllm.lora.ops.triton_ops import LoRAKernelMeta, lora_expand, lora_shrink

from service.engine.cuda_lora import in_one_piece, tell
from service.engine.lora_batch import most_tiles
from service.engine.lora_kernels import lora

HIDDEN, INNER, KEYS = 3_072, 8_192, 1_024
PRODUCTS = ((HIDDEN, (HIDDEN, KEYS, KEYS)), (HIDDEN, (HIDDEN,)), (HIDDEN, (INNER, INNER)), (INNER, (HIDDEN,)))
LAYERS = 12  # weights that take turns, so that none is in the card's cache when its turn comes again
BATCHES = (16, 64, 128, 320, 512, 1_024, 2_048)  # tokens; from 320 on with prompts of 250
REPEATS = 5

Weights = tuple[list[torch.Tensor], list[torch.Tensor]]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description="Our LoRA kernels beside vLLM's, by tokens in a batch.")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--adapters", type=int, default=16)
    given = parser.parse_args()
    print(torch.cuda.get_device_name())
    print("| tokens | vLLM, µs a layer | ours, µs a layer | differ by at most |\n| --- | --- | --- | --- |")
    for tokens in BATCHES:
        theirs, ours, apart = compare(tokens, given.adapters, given.rank)
        print(f"| {tokens:,} | {theirs:.1f} | {ours:.1f} | {apart:.4f} |", flush=True)


def owners(tokens: int, adapters: int) -> list[int]:
    """The adapter of each token: one after the other, and 250 at once while there are more than 300."""
    prompts = [place // 250 for place in range(max(0, (tokens - 50) // 250) * 250)] if tokens > 300 else []
    return [one % adapters for one in (*prompts, *range(tokens - len(prompts)))]


def compare(tokens: int, adapters: int, rank: int) -> tuple[float, float, float]:
    """Microseconds a layer by vLLM's kernels and by ours, and how far their outputs differ."""
    meta = in_one_piece(LoRAKernelMeta.make)(adapters, tokens, "cuda", [])
    tell(meta, owners(tokens, adapters))
    count = most_tiles(tokens, adapters)
    theirs = ours = apart = 0.0
    for inner, widths in PRODUCTS:
        x = _drawn(tokens, inner)
        low = torch.empty(len(widths), tokens, rank, device="cuda")
        layers: list[Weights] = [
            (
                [_drawn(adapters, 1, rank, inner) * 0.02 for _ in widths],
                [_drawn(adapters, 1, width, rank) * 0.02 for width in widths],
            )
            for _ in range(LAYERS)
        ]

        def by_vllm(
            y: torch.Tensor,
            layers: Sequence[Weights],
            x: torch.Tensor = x,
            low: torch.Tensor = low,
        ) -> None:
            told = meta.meta_args(tokens, True)
            for a, b in layers:
                lora_shrink(x, a, low, *told, 1.0)
                lora_expand(low, b, y, *told, offset_start=0, add_inputs=True)

        def by_us(y: torch.Tensor, layers: Sequence[Weights], x: torch.Tensor = x) -> None:
            for a, b in layers:
                lora(y, x, a, b, meta.tiles, meta.token_indices_sorted_by_lora_ids, 1.0, count)

        found = []
        for product in (by_vllm, by_us):
            y = torch.zeros(tokens, sum(widths), device="cuda", dtype=torch.bfloat16)
            product(y, layers[:1])
            found.append(y.float())
        apart = max(apart, float((found[0] - found[1]).abs().max()))
        theirs += _microseconds(partial(by_vllm, y, layers))
        ours += _microseconds(partial(by_us, y, layers))
    return theirs, ours, apart


def _drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, device="cuda", dtype=torch.bfloat16)


def _microseconds(run: Callable[[], None]) -> float:
    """The least of some runs as a CUDA graph, by layer."""
    run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    graph.replay()
    least = float("inf")
    for _ in range(REPEATS):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        least = min(least, begin.elapsed_time(end) * 1_000 / LAYERS)
    return least


if __name__ == "__main__":
    main()
