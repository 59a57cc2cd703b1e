"""vLLM's LoRA kernels, timed: the one module of the tuning that needs a GPU."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch

from deploy.gpu.lora_shapes import PREFILL, Shape, candidates

LAYERS = 16  # weights that take turns, so that none is in the card's cache when its turn comes again
_REPEATS = 5

Config = dict[str, int | None]


def gpu_name() -> str:
    """The card as vLLM's file names have it."""
    return torch.cuda.get_device_name().replace(" ", "_").replace("-", "_")


def compile_all(shapes: Sequence[Shape], max_loras: int) -> None:
    """Have every kernel compiled, by many processes at once: Triton keeps them on disk."""
    jobs = [(shape, batch, max_loras) for shape in shapes for batch in (PREFILL // 2, PREFILL)]
    workers = min(16, os.cpu_count() or 1)
    parts = [(job, part, workers) for part in range(workers) for job in jobs]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_compile, *zip(*parts, strict=True), chunksize=len(jobs)))


def _compile(job: tuple[Shape, int, int], part: int, workers: int) -> None:
    shape, batch, max_loras = job
    timing = Timing(max_loras)
    for config in candidates(shape, batch)[part::workers]:
        timing.compile(shape, batch, config)


class Timing:
    """Seconds of one launch."""

    def __init__(self, max_loras: int) -> None:
        self._max_loras = max_loras
        self._cases: dict[tuple[Shape, int], _Case] = {}

    def default_of(self, shape: Shape, batch: int) -> Config:
        """What vLLM takes where it is told nothing."""
        from vllm.lora.ops.triton_ops.utils import get_lora_op_configs

        more = {} if shape.op == "shrink" else {"add_inputs": True}
        found: Config = get_lora_op_configs(
            shape.op,
            max_loras=self._max_loras + 1,
            batch=batch,
            hidden_size=shape.wide,
            rank=shape.rank,
            num_slices=shape.slices,
            **more,
        )
        return found

    def compile(self, shape: Shape, batch: int, config: Config) -> None:
        """Run a kernel once."""
        try:
            self._case(shape, batch).run(config, layers=1)
            torch.cuda.synchronize()
        except Exception as exc:  # more shared memory than there is: it is left out when it is timed
            print(f"{shape.op} {config}: {exc}"[:200], flush=True)

    def seconds(self, shape: Shape, batch: int, config: Config) -> float:
        """The least of some runs of a CUDA graph over all layers, by layer; infinite if it can't run."""
        case = self._case(shape, batch)
        try:
            case.run(config, LAYERS)
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                case.run(config, LAYERS)
        except Exception:
            return float("inf")
        graph.replay()
        least = float("inf")
        for _ in range(_REPEATS):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            begin.record()
            graph.replay()
            end.record()
            end.synchronize()
            least = min(least, begin.elapsed_time(end) / 1_000 / LAYERS)
        return least

    def _case(self, shape: Shape, batch: int) -> _Case:
        if (shape, batch) not in self._cases:
            self._cases = {(shape, batch): _Case(shape, batch, self._max_loras)}
        return self._cases[shape, batch]


class _Case:
    """A batch of tokens, adapters and weights of some layers."""

    def __init__(self, shape: Shape, batch: int, max_loras: int) -> None:
        from vllm.lora.ops.triton_ops import LoRAKernelMeta, lora_expand, lora_shrink, utils
        from vllm.lora.ops.triton_ops import lora_expand_op as expand
        from vllm.lora.ops.triton_ops import lora_shrink_op as shrink

        utils._LORA_A_PTR_DICT.clear()  # by address, where weights of another case were
        utils._LORA_B_PTR_DICT.clear()
        self._shape = shape
        self._module: Any = shrink if shape.op == "shrink" else expand
        self._kernel: Any = lora_shrink if shape.op == "shrink" else lora_expand
        options: dict[str, Any] = {"device": "cuda", "dtype": torch.bfloat16}
        # decoding: adapters interleaved; prompts: each a run of tokens of one adapter
        run = 1 if batch <= 128 else 128
        mapping = (torch.arange(batch, device="cuda", dtype=torch.int32) // run) % max_loras
        self._meta = LoRAKernelMeta.make(max_loras, batch, "cuda", None)
        self._meta.prepare_tensors(mapping)
        self._batch = batch
        sides = [(shape.rank, w) if shape.op == "shrink" else (w, shape.rank) for w in shape.widths]
        self._weights = [
            [torch.randn(max_loras, 1, *side, **options) * 0.02 for side in sides] for _ in range(LAYERS)
        ]
        low = torch.zeros(shape.slices, batch, shape.rank, device="cuda", dtype=torch.float32)
        if shape.op == "shrink":
            self._ends = (torch.randn(batch, shape.wide, **options), low)
        else:
            self._ends = (low, torch.zeros(batch, sum(shape.widths), **options))

    def run(self, config: Config, layers: int) -> None:
        """Launch the kernel on so many layers with ``config``."""
        kept, self._module.get_lora_op_configs = self._module.get_lora_op_configs, lambda *_, **__: config
        inputs, outputs = self._ends
        meta = self._meta.meta_args(self._batch, False)
        try:
            for weights in self._weights[:layers]:
                if self._shape.op == "shrink":
                    self._kernel(inputs, weights, outputs, *meta, 1.0)
                else:
                    self._kernel(inputs, weights, outputs, *meta, offset_start=0, add_inputs=True)
        finally:
            self._module.get_lora_op_configs = kept
