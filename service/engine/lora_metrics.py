"""A plugin for each process of vLLM: one line for the adapters that run, not one for each set of them.

vLLM's gauge ``vllm:lora_requests_info`` has the names of the running and of the waiting adapters as labels,
in the order in which they came, and keeps every such line for as long as it runs: with a few adapters that is
nearly a line for each request, and whoever reads its metrics reads them all. The newest line is the only one
that says something, so those before it go.

Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Record = Callable[..., None]


def register() -> None:
    """Correct the logger of Prometheus's numbers; any number of times."""
    from vllm.v1.metrics.loggers import PrometheusStatLogger

    if not getattr(PrometheusStatLogger.record, "keeps_one_line", False):
        PrometheusStatLogger.record = keeping_one_line(PrometheusStatLogger.record)


def keeping_one_line(record: Record) -> Record:
    """``record`` forgetting the lines of the adapters that ran before."""

    def corrected(self: Any, scheduler_stats: Any, *others: Any, **named: Any) -> None:
        if scheduler_stats is not None and self.gauge_lora_info is not None:
            self.gauge_lora_info.clear()
        record(self, scheduler_stats, *others, **named)

    corrected.keeps_one_line = True  # type: ignore[attr-defined]
    return corrected
