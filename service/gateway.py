"""The running parts of one gateway, in the order in which they are started and stopped."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from chains.direct import Direct
from chains.events import Engine, Limits
from chains.joined import wants_joined
from chains.parameters import calls_tools
from chains.react import React
from chains.stop import stops_of
from chains.structured import Structured
from router.deciding.decision import Decision
from service.admission import Admission
from service.admission.learning import Learning
from service.best_effort import BestEffort, may_loosen
from service.calls import ReadableCalls
from service.dispatch import NOT_LIVE, Dispatch, Plan
from service.embeddings import Embeddings, encoder_name
from service.engine.defaults import sampling_defaults
from service.engine.stream_workers import StreamWorkers
from service.engine.template import reads_effort
from service.engine.vocabulary import last_token
from service.engine.wire import Outlet
from service.exchange import Exchange
from service.kept.decisions import DecisionLog
from service.kept.feedback import Feedback
from service.kept.redaction import Redaction
from service.keys import Keys, RateLimit, admin_digest
from service.live import LiveRoutes
from service.metrics import Metrics
from service.model_calls import ModelCalls, Watched
from service.parts import AdapterDesk, Pool
from service.reasoned import CountedReasoning, Tags
from service.routes import Route, RouteTable
from service.settings import Settings
from service.shadow import Shadows
from service.stop_pieces import StopPieces
from service.tokenized import Tokenized
from service.uploads import Uploads

log = logging.getLogger("pointsman.gateway")


@dataclass(frozen=True)
class Readiness:
    """Whether a request would succeed now, and if not, every reason."""

    reasons: tuple[str, ...]

    @property
    def ready(self) -> bool:
        return not self.reasons


@dataclass
class Gateway:
    """Everything that handlers use. Made by ``service.wiring``; tests make their own."""

    settings: Settings
    engine: Pool
    adapters: AdapterDesk
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self.started = time.time()
        settings = self.settings
        base = settings.engine.model_name
        self.keys = Keys(settings.gateway.api_keys, admin_digest(settings.state, settings.gateway.admin_key))
        self.rate = RateLimit(settings.gateway.rate_limit_per_minute)
        self.admission = Admission(
            settings.admission,
            settings.engine.max_loras,
            self.metrics,
            servers=max(1, len(settings.engine.urls)),
            left=self.engine.left,
        )
        self.engine.counted(self.admission.servers_up)
        self._learning: asyncio.Task[None] | None = None
        self.routes = LiveRoutes(settings, self.metrics.router_seconds.observe, self.adapters.moving)
        self.adapters.followed(self.routes.moved)
        self.workers = StreamWorkers(settings.gateway.stream_workers)
        self.embeddings = Embeddings(settings.gateway.request_timeout_seconds)
        self.decisions = DecisionLog(settings.state, settings.router.decision_log)
        self.uploads = Uploads(settings.state / "uploads")
        self.feedback = Feedback(settings.state, settings.feedback, self.metrics.rated)
        self.dispatch = Dispatch(
            base,
            self.adapters,
            self.routes,
            Limits(**settings.limits.model_dump()),
            settings.gateway,
            encoder=encoder_name(settings.router.encoder),
            note=self.decisions.write,
        )
        self.exchange = Exchange(
            base, self.admission, self.adapters, settings.gateway.request_timeout_seconds
        )
        redaction = Redaction(settings.feedback.redact) if settings.feedback.keep == "texts" else None
        self.sampling = sampling_defaults(settings.engine)  # of a request that says nothing
        self.reads_effort = reads_effort(settings.engine)
        self.last_token = last_token(settings.engine)  # None: not known
        self._tags = Tags(self._text_of, self._tokens_of)
        self.shadows = Shadows(self.exchange, self.engine_of, self.metrics.shadowed, redaction)
        self.metrics.watch(self.admission, lambda: self.engine.restarts)

    async def start(self) -> None:
        """Start all parts; none of them is waited for. What fails is undone.

        Raises:
            RoutesRejected: the routes can't be used.
        """
        try:
            await self.adapters.start()  # says which routes move
            await self.routes.start()
            if self.settings.gateway.stream_workers:
                self.workers.start()
                self.engine.carried_by(self.workers)
            await self.engine.start()
            if self.settings.admission.max_concurrent == "learned":
                learning = Learning(self.admission, self.engine.clients)
                self._learning = asyncio.create_task(learning.run(), name="learn how much the engine can do")
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop all parts; one that fails does not keep the others from it."""
        if self._learning is not None:
            self._learning.cancel()
            await asyncio.gather(self._learning, return_exceptions=True)
        for name, stop in (
            ("shadow traffic", self.shadows.stop),
            ("adapters", self.adapters.stop),
            ("stream workers", self.workers.stop),
            ("engine", self.engine.stop),
            ("routes", self.routes.stop),
        ):
            try:
                await stop()
            except (Exception, asyncio.CancelledError):
                log.exception("%s did not stop cleanly", name)
        self.embeddings.stop()
        self.decisions.close()
        self.feedback.close()

    def engine_of(
        self, plan: Plan, name: str, outlet: Outlet | None = None, *, calls_to: ModelCalls | None = None
    ) -> Engine:
        """The engine for a plan on the model ``name``, of which every tool call can be read.

        What a chain reasons is counted; what is passed on is not parsed for it.

        ``outlet`` is given what streams where the plan passes it on as it is, unless every call is to be told
        to ``calls_to``.
        """
        parameters = plan.request.parameters
        calls = calls_tools(parameters)
        loosens = (calls or not isinstance(plan.chain, Structured | React)) and may_loosen(parameters)
        if type(plan.chain) is Direct and not calls and not loosens:
            if calls_to is not None:
                return Watched(self.engine.bind(name), calls_to)
            return self.engine.bind(name, outlet=None if wants_joined(parameters) else outlet)
        engine: Engine = self.engine.bind(name)
        if stops := stops_of(parameters):  # the chain's to find, and to end the count at
            engine = StopPieces(engine, stops, self._text_of)
        if calls_to is not None:
            engine = Watched(engine, calls_to)
        if loosens:  # those two loosen for themselves, where the client brings no tools, and check
            engine = BestEffort(engine)
        if calls or plan.intent is not None:
            engine = ReadableCalls(engine, self._text_of)
        if type(plan.chain) is Direct:
            return engine
        return Tokenized(CountedReasoning(engine, self._tags), self._text_of, self._tokens_of)

    async def _text_of(self, tokens: Sequence[int]) -> str:
        body = {"model": self.settings.engine.model_name, "tokens": tokens}
        found = orjson.loads(await self.engine.client().complete("/detokenize", body))
        return str(found["prompt"])

    async def _tokens_of(self, text: str) -> Sequence[int]:
        body = {"model": self.settings.engine.model_name, "prompt": text, "add_special_tokens": False}
        found: Sequence[int] = orjson.loads(await self.engine.client().complete("/tokenize", body))["tokens"]
        return found

    def readiness(self) -> Readiness:
        """Every reason for which requests fail now.

        An adapter that can't be loaded is none, nor is a route that waits for one: the others answer. Where
        none of them does, it is.
        """
        reasons = []
        if self.engine.state != "ready":
            reasons.append(f"the engine is {self.engine.state}: {self.engine.detail}")
        if not self.adapters.ready:
            reasons += self.adapters.problems or ["no adapter that is live is loaded"]
        live = self.routes.live
        if live is None:
            problems = self.routes.problems
            reasons += [f"the router can't be fitted: {p}" for p in problems] or [self.routes.progress]
        elif all(map(self.dispatch.waits, (*live.table.routes.values(), live.table.fallback))):
            reasons += self._waiting(live.table)
        return Readiness(tuple(reasons))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the live routes say against themselves, and which of them wait for what."""
        live = self.routes.live
        return self.routes.warnings + (self._waiting(live.table) if live is not None else ())

    def _waiting(self, table: RouteTable) -> tuple[str, ...]:
        return tuple(
            f"{route.title} is refused: it waits for the adapter {route.adapter!r}, {NOT_LIVE}; promote one, "
            "or correct the name"
            for route in table.all()
            if self.dispatch.waits(route)
        )


def explain(decision: Decision, taken: Route) -> dict[str, object]:
    """A decision and the route that it takes, as ``POST /v1/route`` shows them."""
    return {
        "intent": decision.intent,
        "confidence": decision.confidence,
        "abstained": decision.abstained,
        "threshold": decision.threshold,
        "top": [{"intent": intent, "confidence": confidence} for intent, confidence in decision.top],
        "nearest": [
            {"example": text, "intent": intent, "similarity": similarity}
            for text, intent, similarity in decision.nearest
        ],
        "resembles": decision.resembles,
        "rule": (
            None if decision.rule is None else {"name": decision.rule.name, "matched": decision.rule.matched}
        ),
        "parameters": dict(decision.parameters),
        "text": decision.text,
        "sentence": decision.sentence,
        "orders": decision.orders,
        **({"read_as": dict(decision.read_as)} if decision.read_as else {}),
        "route": {
            "intent": taken.intent,
            "parent": taken.parent,
            "description": taken.description,
            "prompt": str(taken.prompt) if taken.prompt is not None else None,
            "chain": taken.chain_name,
            "adapter": taken.adapter,
            "tools": taken.tools,
            "sampling": taken.sampling,
        },
    }
