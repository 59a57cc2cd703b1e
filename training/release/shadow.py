"""A candidate answers a share of the conversations too, shown to nobody, before it may answer any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from training.release.recipe import Shadow
from training.release.watch import Share, wilson

_KEPT = ("same", "different", "failed", "left_out", "seconds", "live_seconds")


def run(
    plan: Shadow,
    *,
    ask: Callable[[int], Mapping[str, Any]],
    report: Callable[[str], None],
    pause: Callable[[], object],
    clock: Callable[[], float],
) -> tuple[str, dict[str, Any]]:
    """Wait for as many answers as the plan wants, or as long as it lets.

    Returns why the candidate must go, "" for no reason, and what was counted.

    ``ask`` gives the candidate this share, anew where the gateway has forgotten it, and tells how it did. A
    share is too large where its 95 % interval (Wilson) lies wholly above what the plan allows.
    """
    began = clock()
    while True:
        told = ask(plan.share)
        same, different, failed = (int(told[name]) for name in ("same", "different", "failed"))
        asked = same + different + failed
        why = _too_many(Share(failed, asked), plan.failed, "failed")
        if not why and plan.different is not None:
            what = "were not the live version's"
            why = _too_many(Share(different, same + different), plan.different, what)
        report(f"shadow: {asked} of {plan.answers} answers, {different} different, {failed} failed")
        if why or asked >= plan.answers or clock() - began >= plan.seconds:
            ask(0)
            return why, {name: told[name] for name in _KEPT}
        pause()


def _too_many(found: Share, most: float, what: str) -> str:
    low, _ = wilson(found)
    if not found.of or low <= most:
        return ""
    return (
        f"{found.bad} of {found.of} shadow answers {what}: {100 * low:.1f} % at least, {100 * most:.1f} % "
        "are allowed"
    )
