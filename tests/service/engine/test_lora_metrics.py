"""vLLM's own record of its numbers, with the line of the adapters that run corrected."""

from __future__ import annotations

from importlib.metadata import entry_points
from itertools import permutations
from unittest.mock import MagicMock

from prometheus_client import CollectorRegistry, Gauge
from vllm.v1.metrics.loggers import PrometheusStatLogger
from vllm.v1.metrics.stats import SchedulerStats

from service.engine.lora_metrics import keeping_one_line

LABELS = ("max_lora", "waiting", "running")


def test_the_sets_of_adapters_that_ran_before_are_forgotten() -> None:
    gauge = Gauge("lora_requests_info", "text", LABELS, registry=CollectorRegistry())
    logger = MagicMock(gauge_lora_info=gauge, max_lora=8)
    logger.labelname_max_lora, logger.labelname_waiting_lora_adapters = LABELS[:2]
    logger.labelname_running_lora_adapters = LABELS[2]
    record = keeping_one_line(PrometheusStatLogger.record)
    for running in permutations(("a@1", "b@2", "c@3")):
        record(logger, SchedulerStats(running_lora_adapters=dict.fromkeys(running, 1)), None)
        record(logger, None, None)  # a step without the scheduler's numbers
    [metric] = gauge.collect()
    [line] = metric.samples
    assert line.labels["running"] == "c@3,b@2,a@1"


def test_an_engine_without_adapters_has_no_such_line() -> None:
    record = keeping_one_line(PrometheusStatLogger.record)
    record(MagicMock(gauge_lora_info=None), SchedulerStats(), None)


def test_vllm_finds_the_correction() -> None:
    (found,) = entry_points(group="vllm.general_plugins", name="pointsman_lora_metrics")
    assert found.value == "service.engine.lora_metrics:register"
