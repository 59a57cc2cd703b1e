"""What a request gets: the model that it names, or the route that its conversation takes.

Knows no HTTP. Adapters and routes are asked through the two narrow protocols below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from chains.errors import ChainNotFound, ChainOptionsError
from chains.events import Chain, ChainRequest, Drawing, Limits
from chains.parameters import calls_tools
from chains.retrieve import Retrieve
from router.deciding.decision import Decision
from service.body.conversation import Message, asked, check_said, conversation_key, messages_of
from service.body.fields import model_of, stream_of
from service.body.kinds import SWITCH, check_bounds, check_kind, given
from service.body.options import check_options, check_routed
from service.body.tools import with_parameters
from service.errors import InvalidRequest, ModelNotFound, NotReady
from service.record import Record
from service.routes import COT, Route
from service.sections import GatewaySettings

AUTO = "auto"
DIRECT = "direct"
NOT_LIVE = "which has no live version"
CHAIN = "x-pointsman-chain"  # the header by which a request names its chain, and is told it


class Leased(Protocol):
    """A version that stays loaded as long as it is held."""

    @property
    def name(self) -> str:
        """``alias@version``: the engine's name for it."""
        ...


class Models(Protocol):
    """The adapters, as far as requests are concerned."""

    def knows(self, model: str) -> bool:
        """Whether ``model`` is an alias with a live version, or an ``alias@version`` that can be served."""
        ...

    def name_of(self, model: str, conversation: str) -> str:
        """The engine's name of the version that would answer now."""
        ...

    def lease(self, model: str, conversation: str) -> AbstractAsyncContextManager[Leased]: ...


class Decider(Protocol):
    """Finds the route of a conversation."""

    def reasons(self, adapter: str | None) -> bool:
        """Whether a route has ``adapter`` (alias or version; None: the base) reason before it answers."""
        ...

    async def decide(
        self, messages: Sequence[dict[str, Any]], conversation: str, brings_tools: bool
    ) -> tuple[Decision, Route]: ...

    async def chain(self, name: str) -> Chain:
        """The installed chain ``name`` without options, ready to run."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How one request will be answered."""

    model: str | None  # alias or alias@version; None: the base
    intent: str | None  # None: the client named the model itself
    confidence: float | None
    abstained: bool | None
    chain_name: str
    chain: Chain
    request: ChainRequest
    conversation: str  # key that keeps it on its version
    version: str | None = None  # of the model, as decided with: its route and prompt are that version's
    asked: Sequence[Message] = ()  # the client's messages, without what a route puts before them

    def note(self, record: Record) -> None:
        """Write down what was decided."""
        record.intent, record.confidence, record.chain = self.intent, self.confidence, self.chain_name
        record.abstained = self.abstained


class Dispatch:
    """Turns the body of a request into a plan."""

    def __init__(
        self,
        base: str,
        models: Models,
        routes: Decider,
        limits: Limits,
        bounds: GatewaySettings,
        *,
        encoder: str,
        note: Callable[[Decision], object],
    ) -> None:
        self._base = base
        self._models = models
        self._routes = routes
        self._limits = limits
        self._bounds = bounds
        self._encoder = encoder  # its name, which is no model's that generates
        self._note = note  # gets every decision on a request that is to be answered

    async def chat(self, body: Mapping[str, Any], chain: str | None = None) -> Plan:
        """The plan for a chat completion; ``chain`` is one that the request names itself.

        Raises:
            InvalidRequest: something that our own code relies on does not hold, or there is no such chain.
            ModelNotFound: ``model`` names nothing that is served.
            NotReady: the router isn't fitted, or the route's adapter has no live version.
            PromptError: the conversation does not fit the route's prompt.
        """
        model = model_of(body)
        messages = messages_of(body, self._bounds.max_messages)
        check_said(messages)
        check_options(body, self._bounds.max_choices)
        check_kind("logprobs", body.get("logprobs"), SWITCH)  # of a completion it is a number
        stream = stream_of(body)
        conversation = conversation_key(body)
        parameters = given(body)
        for name in ("model", "messages", "stream"):
            parameters.pop(name, None)
        if tools := parameters.get("tools"):
            parameters["tools"] = with_parameters(tools)
        if model != AUTO:
            adapter = self.named(model)
            request = ChainRequest(messages, parameters, stream, limits=self._limits)
            usual = COT if self._routes.reasons(adapter) else DIRECT
            name = usual if chain is None else chain
            found = await self._chain(name)
            return Plan(adapter, None, None, None, name, found, request, conversation, asked=messages)
        check_routed(body)
        own, messages = messages, asked(messages)
        decision, route = await self.decide(messages, conversation, calls_tools(parameters))
        version = None if route.adapter is None else self._models.name_of(route.adapter, conversation)
        is_routes = chain is None or chain == route.chain_name
        if is_routes and isinstance(route.chain, Retrieve):  # which may ask no engine
            check_bounds(parameters)
        used = route.chain if is_routes else await self._chain(str(chain))
        request = ChainRequest(
            messages=_rendered(route, messages, decision),
            parameters=_filled(parameters, route.sampling, used),
            stream=stream,
            tools=route.tools,
            limits=route.limits,
        )
        return Plan(
            route.adapter,
            route.intent,
            decision.confidence,
            decision.abstained,
            route.chain_name if is_routes else str(chain),
            used,
            request,
            conversation,
            version,
            own,
        )

    async def _chain(self, name: str) -> Chain:
        """The chain ``name`` without options.

        Raises:
            InvalidRequest: it is not installed, or needs options, which a route alone can give.
        """
        try:
            return await self._routes.chain(name)
        except ChainNotFound as exc:
            raise InvalidRequest(f"the header {CHAIN} names {exc}", CHAIN) from exc
        except ChainOptionsError as exc:
            raise InvalidRequest(
                f"the header {CHAIN} can't name {name!r} here: {exc}; these are a route's to give, so ask "
                "what such a route answers, or leave the header out",
                CHAIN,
            ) from exc

    async def decide(
        self, messages: Sequence[Message], conversation: str, brings: bool
    ) -> tuple[Decision, Route]:
        """The decision on a conversation, by its key, that ``brings`` tools or not, and its route.

        The route's adapter is live.

        Raises:
            NotReady: the router isn't fitted, or the route's adapter has no live version.
        """
        decision, route = await self._routes.decide(messages, conversation, brings)
        self._note(decision)
        if self.waits(route):
            raise NotReady(f"{route.title} waits for the adapter {route.adapter!r}, {NOT_LIVE}")
        return decision, route

    def waits(self, route: Route) -> bool:
        """Whether the adapter of ``route`` has no live version. Its requests are refused until it has one:
        the base, or the fallback's adapter, would answer in a way that nobody chose for them.
        """
        return route.adapter is not None and not self._models.knows(route.adapter)

    def named(self, model: str) -> str | None:
        """The adapter that ``model`` names, None for the base.

        Raises:
            ModelNotFound: neither.
        """
        if model == self._base:
            return None
        if not self._models.knows(model):
            if model == self._encoder:
                raise ModelNotFound(f"{model!r} gives embeddings and no text: POST /v1/embeddings", "model")
            raise ModelNotFound(
                f"the model {model[:200]!r} does not exist; GET /v1/models lists them", "model"
            )
        return model


def _rendered(route: Route, messages: list[Message], decision: Decision) -> list[Message]:
    """``messages`` under the route's prompt; a parameter that was found goes before a fixed variable."""
    if route.prompt is None:
        return messages
    return route.prompt.render(messages, {**route.variables, **decision.parameters})


def _filled(parameters: dict[str, Any], defaults: Mapping[str, Any], chain: Chain) -> dict[str, Any]:
    """``parameters`` with ``defaults`` for what the client left out.

    Several answers are wanted to differ, be it by the client or by a ``chain`` whose samples vote: a
    temperature of 0 is no default for them.
    """
    missing = {name: value for name, value in defaults.items() if parameters.get(name) is None}
    draws = isinstance(chain, Drawing) and chain.temperature(parameters) is not None
    if missing.get("temperature") == 0 and (draws or (parameters.get("n") or 1) > 1):
        del missing["temperature"]
    if parameters.get("max_completion_tokens") is not None:
        missing.pop("max_tokens", None)
    return {**parameters, **missing}
