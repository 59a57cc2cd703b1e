"""Two processes that train as ``torchrun --nproc-per-node 2`` starts them, on one CPU (gloo)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pointsman import artefact
from tests.training.disturbed import untimed
from tests.training.test_run import metrics
from tests.warm import CONTEXT

PATIENCE = 240  # seconds; two of them import the training libraries on a busy machine
Work = Callable[..., None]


def both(meeting: Path, work: Work, *given: Any, told: Mapping[str, str] | None = None) -> None:
    """``work(*given)`` in two processes that find each other by the file ``meeting``; it must not fail.

    Args:
        meeting: a file that is not there yet.
        work: a function of a module, so that another process finds it.
        given: its arguments.
        told: what else their environment says.
    """
    shared = (meeting, dict(told or {}), work, given)
    found = [CONTEXT.Process(target=_process, args=(rank, *shared), daemon=True) for rank in (0, 1)]
    for process in found:
        process.start()
    for process in found:
        process.join(PATIENCE)
    assert [process.exitcode for process in found] == [0, 0]


def _process(rank: int, meeting: Path, told: dict[str, str], work: Work, given: tuple[Any, ...]) -> None:
    os.environ.update(told, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", LOCAL_WORLD_SIZE="2")
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # no workers for a few rows
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    work(*given)


def assert_alike(one: Path, other: Path) -> None:
    """The artefacts of two runs are alike, and so are their metrics, but for the order of sums."""
    [weights] = one.glob("*.safetensors")
    theirs = load_file(other / weights.name)
    for name, weight in load_file(weights).items():  # rounded to bfloat16
        torch.testing.assert_close(theirs[name], weight, rtol=2**-7, atol=1e-6)
    lines = [
        untimed([*metrics(folder.parent), artefact.read_manifest(folder).metrics]) for folder in (one, other)
    ]
    for mine, its in zip(*lines, strict=True):
        assert mine.keys() == its.keys()
        for name, value in mine.items():
            assert value == pytest.approx(its[name], abs=1e-4), f"{one.parent.name}: {name}"
