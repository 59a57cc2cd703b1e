"""A plugin for each process of vLLM: on a CPU, a request with a seed may be read in parts.

vLLM draws a token for every request of a step, and takes back the draw of one whose prompt is not read whole
yet by setting its generator's offset back. A CPU's generator has none ("CPU Generator does not use offset"),
and the whole engine ends: one client's seed beside enough other tokens for a step is all that it takes. Here
the generator gets the state that it had before the draw, so its answer is that of a prompt read at once.

Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Step = Callable[..., Any]


def register() -> None:
    """Correct the runner of steps; any number of times."""
    from vllm.platforms import current_platform

    if not current_platform.is_cpu():
        return
    from vllm.v1.worker.cpu_model_runner import CPUModelRunner

    runner: Any = CPUModelRunner
    if not getattr(runner, "takes_back_draws", False):
        runner._sample = taking_back(runner._sample)
        runner._bookkeeping_sync = passing_over(runner._bookkeeping_sync)
        runner.takes_back_draws = True


def taking_back(sample: Step) -> Step:
    """``sample``, behind which the generators of prompts that are not read whole are as before it."""

    def sampled(runner: Any, *given: Any, **more: Any) -> Any:
        before = [(generator, generator.get_state()) for generator in _unread(runner).values()]
        found = sample(runner, *given, **more)
        for generator, state in before:
            generator.set_state(state)
        return found

    return sampled


def passing_over(book: Step) -> Step:
    """``book``, which sets offsets back, with the other requests' generators alone."""

    def booked(runner: Any, *given: Any, **more: Any) -> Any:
        generators, unread = runner.input_batch.generators, _unread(runner)
        for index in unread:
            del generators[index]
        try:
            return book(runner, *given, **more)
        finally:
            generators.update(unread)

    return booked


def _unread(runner: Any) -> dict[int, Any]:
    """The generators of requests whose prompts are not read whole yet, by their places in the batch."""
    waiting = runner.discard_request_mask.np
    return {index: one for index, one in runner.input_batch.generators.items() if waiting[index]}
