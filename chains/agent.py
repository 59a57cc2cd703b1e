"""LangChain's agent loop: the one home of langchain.agents. Imported when the react chain first runs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from chains.closing import closing
from chains.dialects import NAMELESS, UNREADABLE, Dialect
from chains.errors import StepsExhausted
from chains.events import ChainRequest, Engine, Limits, Step
from chains.langchain_model import EngineChatModel, given
from chains.ledger import Ledger
from chains.tool_call import Tool, ToolResult

_HINT = "Mend this and call once more, or say plainly what could not be done."
_LAST = "This is the second time: do not call {name} again, and say plainly what could not be done."


async def messages_of_run(
    request: ChainRequest,
    parameters: dict[str, Any],
    tools: Mapping[str, Tool],
    engine: Engine,
    *,
    ledger: Ledger,
    dialect: Dialect,
) -> AsyncGenerator[BaseMessage, None]:
    """What the agent says and what its tools answer, in order.

    The model's messages come in chunks if ``request.stream``, which share the ``id`` of their message; a
    tool's message has its :class:`Step` as ``artifact``.

    Raises:
        StepsExhausted: the model would need another call than ``ledger.steps`` allows.
        ToolGivenUp: it would call a tool again that failed in two turns, or answers twice behind nothing but
            failures.
        Exception: what the engine raises, as it is.
    """
    model = EngineChatModel(
        engine=engine,
        parameters=parameters,
        ledger=ledger,
        dialect=dialect,
        disable_streaming=not request.stream,
    )
    agent = create_agent(
        model,
        tools=[dict(tool.schema) for tool in tools.values()],
        middleware=[_ServerTools(tools, request.limits, ledger, dialect)],
    )
    state: Any = {"messages": given(request.messages)}
    config: RunnableConfig = {"recursion_limit": 2 * ledger.steps + 2}  # the ledger stops it before this
    run = cast(
        AsyncIterator[tuple[BaseMessage, Any]],
        agent.astream(state, config=config, stream_mode="messages"),
    )
    async with closing(run) as messages:
        async for message, _ in messages:
            yield message


class _ServerTools(AgentMiddleware[Any, Any, Any]):
    """Calls our tools in LangChain's place: it would check the arguments by rules of its own."""

    def __init__(self, tools: Mapping[str, Tool], limits: Limits, ledger: Ledger, dialect: Dialect) -> None:
        super().__init__()
        self._dialect = dialect
        self._known = tools
        self._limits = limits
        self._ledger = ledger

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        if self._ledger.spent:  # nobody would read the result: do not act
            raise StepsExhausted
        call = request.tool_call
        name, arguments = call["name"], call["args"]
        result = await self._result(name, arguments)
        step = Step(
            name,
            arguments,
            result=None if result.failed else result.text,
            error=result.text if result.failed else None,
        )
        return ToolMessage(
            content=result.text,
            name=name,
            tool_call_id=call["id"],
            status="error" if result.failed else "success",
            artifact=step,
        )

    async def _result(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        """What the model is told of a call: of a failure once with a hint, then to do without.

        Raises:
            ToolGivenUp: it was told so, and calls the tool again.
        """
        failures, turn = self._ledger.failures, self._ledger.calls
        earlier = failures.before(name, turn)
        if earlier > 1:
            raise failures.given_up(name)
        result = await self._called(name, arguments)
        if not result.mendable:
            failures.found = True
            return result
        meant = name != NAMELESS or self._dialect.marks_calls
        failures.add(name, turn, called=meant and result.asked, said=result.said)
        hint = _LAST if earlier else _HINT
        return replace(result, text=f"{result.text}. {hint.format(name=name)}")

    async def _called(self, name: str, arguments: dict[str, Any]) -> ToolResult:
        if UNREADABLE in arguments:
            return ToolResult(self._dialect.unreadable, failed=True, mendable=True)
        tool = self._known.get(name)
        if tool is None:
            known = ", ".join(self._known) or "none"
            text = f"error: no tool {name!r}; the tools are: {known}"
            return ToolResult(text, failed=True, mendable=True)
        return await tool.call(arguments, self._limits.tool_seconds, self._limits.tool_characters)
