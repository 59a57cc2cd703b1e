"""What Prometheus sees. One registry of our own; every number is defined here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from service.admission import Admission
from service.admission.ticket import Priority
from service.record import Record

_TOKEN_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_ROUTER_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


@dataclass(slots=True)
class Seen:
    """What one adapter version has answered since the gateway's start."""

    requests: int = 0
    failed: int = 0  # 5xx, and answers that broke off
    aborted: int = 0  # by their clients
    down: int = 0  # rated down
    seconds: float = 0.0  # all requests together, to the last byte
    streams: int = 0  # whose first token came
    first_token: float = 0.0  # seconds of those together


class Metrics:
    """The counters of one gateway."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "pointsman_requests",
            "Requests answered, by what was decided and the HTTP status.",
            ("intent", "chain", "adapter", "status"),
            registry=self.registry,
        )
        self._broken = Counter(
            "pointsman_broken_answers",
            "Answers that began well and ended with an error, so that their status does not show it.",
            ("adapter",),
            registry=self.registry,
        )
        self._aborted = Counter(
            "pointsman_aborted_answers",
            "Answers that their client did not wait for.",
            ("adapter",),
            registry=self.registry,
        )
        self._rated = Counter(
            "pointsman_ratings",
            "Answers that were rated by POST /v1/feedback, once each: up or down.",
            ("adapter", "thumbs"),
            registry=self.registry,
        )
        self._shadowed = Counter(
            "pointsman_shadowed",
            "Answers of candidates that nobody was shown: same, different, failed.",
            ("adapter", "outcome"),
            registry=self.registry,
        )
        self._first_token = Histogram(
            "pointsman_time_to_first_token_seconds",
            "From the request's arrival to the first byte of a streamed answer.",
            ("chain", "adapter"),
            buckets=_TOKEN_SECONDS,
            registry=self.registry,
        )
        self._duration = Histogram(
            "pointsman_request_seconds",
            "From the request's arrival to the last byte of the answer.",
            ("chain", "adapter"),
            buckets=_TOKEN_SECONDS,
            registry=self.registry,
        )
        self.router_seconds = Histogram(
            "pointsman_router_seconds",
            "Time to decide on an intent, waiting for a batch included.",
            buckets=_ROUTER_SECONDS,
            registry=self.registry,
        )
        self._tokens = Counter(
            "pointsman_tokens",
            "Tokens as the engine counted them, where it did.",
            ("kind", "adapter"),
            registry=self.registry,
        )
        waited = Histogram(
            "pointsman_queue_wait_seconds",
            "Time in the queue of requests that were let into the engine.",
            ("priority",),
            buckets=(0.001, *_TOKEN_SECONDS),
            registry=self.registry,
        )
        self._waited = {priority: waited.labels(priority) for priority in ("interactive", "batch")}
        self._refused = Counter(
            "pointsman_queue_refused",
            "Requests that the queue refused or pushed out (queue), or that waited too long (timeout).",
            ("reason",),
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "pointsman_requests_in_flight", "Requests that are being answered.", registry=self.registry
        )

    def watch(self, admission: Admission, restarts: Callable[[], int]) -> None:
        """Read the queue, the slots in use and the engine's restarts when Prometheus asks."""
        reads: tuple[tuple[str, str, Callable[[], int]], ...] = (
            ("waiting", "Requests that wait for a slot of the engine.", lambda: admission.waiting),
            ("running", "Requests that hold a slot of the engine.", lambda: admission.running),
            ("adapters", "Different adapters among those that hold a slot.", lambda: admission.adapters),
        )
        for kind, text, read in reads:
            name = f"pointsman_queue_{kind}"
            Gauge(name, text, registry=self.registry).set_function(read)
        self.registry.register(_Restarts(restarts))

    def admitted(self, priority: Priority, waited: float) -> None:
        """Count a request that was let into the engine."""
        self._waited[priority].observe(waited)

    def rated(self, adapter: str, good: bool) -> None:
        """Count an answer that was rated."""
        self._rated.labels(adapter, "up" if good else "down").inc()

    def shadowed(self, adapter: str, outcome: str) -> None:
        """Count an answer of a candidate that was only compared."""
        self._shadowed.labels(adapter, outcome).inc()

    def refused(self, reason: str) -> None:
        """Count a request that was not."""
        self._refused.labels(reason).inc()

    def count(self, record: Record) -> None:
        """Count one finished request."""
        chain, adapter = record.chain or "-", record.adapter or "-"
        self._requests.labels(record.intent or "-", chain, adapter, str(record.status)).inc()
        self._duration.labels(chain, adapter).observe(record.seconds)
        if record.error not in (None, "client_gone") and record.status < 400:
            self._broken.labels(adapter).inc()
        if record.error == "client_gone":
            self._aborted.labels(adapter).inc()
        if record.streamed and record.first_byte is not None:
            self._first_token.labels(chain, adapter).observe(record.first_byte)
        for kind, tokens in (("prompt", record.prompt_tokens), ("completion", record.completion_tokens)):
            if tokens:
                self._tokens.labels(kind, adapter).inc(tokens)

    def by_adapter(self) -> Mapping[str, Seen]:
        """What was counted, by ``alias@version`` or the base's name."""
        found: defaultdict[str, Seen] = defaultdict(Seen)
        counted = (
            *(self._requests, self._broken, self._aborted, self._rated),
            *(self._duration, self._first_token),
        )
        for sample in (one for metric in counted for family in metric.collect() for one in family.samples):
            if sample.name.endswith(("_bucket", "_created")):
                continue
            seen, value = found[sample.labels["adapter"]], sample.value
            match sample.name:
                case "pointsman_requests_total":
                    seen.requests += int(value)
                    seen.failed += int(value) * sample.labels["status"].startswith("5")
                case "pointsman_broken_answers_total":
                    seen.failed += int(value)
                case "pointsman_aborted_answers_total":
                    seen.aborted += int(value)
                case "pointsman_ratings_total":
                    seen.down += int(value) * (sample.labels["thumbs"] == "down")
                case "pointsman_request_seconds_sum":
                    seen.seconds += value
                case "pointsman_time_to_first_token_seconds_sum":
                    seen.first_token += value
                case "pointsman_time_to_first_token_seconds_count":
                    seen.streams += int(value)
        return found

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)


class _Restarts(Collector):
    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "pointsman_engine_restarts", "Times that an engine which was up went down.", self._read()
        )
