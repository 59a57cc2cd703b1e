"""A candidate gets a growing share of the conversations while it does no worse than the live version.

The rule in :mod:`training.release.watch` trips only where the rows are sure; a canary that is merely not yet
proved goes on to its next step.
"""

from __future__ import annotations

from collections.abc import Callable

from training.release.recipe import Canary
from training.release.watch import Count, counts, tripped


def run(
    plan: Canary,
    canary: str,
    live: str,
    *,
    give: Callable[[int], object],
    metrics: Callable[[], str],
    report: Callable[[str], None],
    pause: Callable[[], object],
    clock: Callable[[], float],
) -> str:
    """Walk through the steps; "" at the end, or why it must be taken back.

    ``give`` sets the canary's weight, ``metrics`` reads the gateway's counters, ``pause`` waits a moment.
    What both versions answered since the first step is compared, so the evidence grows with the share.
    """
    first = counts(metrics())
    for number, step in enumerate(plan.steps, 1):
        give(step.weight)
        began, before = clock(), counts(metrics()).get(canary, Count())
        while True:
            now = counts(metrics())
            ours, theirs = (now.get(name, Count()).since(first.get(name, Count())) for name in (canary, live))
            if why := tripped(ours, theirs, plan):
                return why
            answered = now.get(canary, Count()).since(before).requests
            seconds = clock() - began
            if step.requests is not None:
                so_far, over = f"{answered} of {step.requests} requests", answered >= step.requests
            else:
                so_far, over = f"{seconds:.0f} of {step.seconds:g} s", seconds >= (step.seconds or 0)
            report(
                f"canary step {number} of {len(plan.steps)}: {step.weight} %, {so_far}; {ours.failed} of "
                f"{ours.requests} answers failed"
            )
            if over:
                break
            pause()
    return ""
