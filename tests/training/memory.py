"""How much memory PyTorch's allocator gives out."""

from __future__ import annotations

import gc
from collections.abc import Callable

import numpy as np
from torch.profiler import ProfilerActivity, profile


def peak(work: Callable[[], object]) -> int:
    """The most bytes that ``work`` holds at once on the CPU, beside those that were there before.

    What earlier work left behind is collected first: given back meanwhile, it would be taken off.
    """
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watcher:
        work()
    events = watcher.profiler.kineto_results.events()
    return int(np.cumsum([event.nbytes() for event in events if event.name() == "[memory]"]).max())
