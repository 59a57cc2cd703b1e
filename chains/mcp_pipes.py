"""An MCP server that is a process of ours: its pipes as the ``mcp`` package wants them, and its end.

The package's own client waits for a server that stays, and a cancelled task may not wait. Here a session that
ends well lets its server end by itself, and one that does not has it killed at once, without a wait: the
server's whole process group, so that also what it started is gone.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client._transport import TransportStreams
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

_GOODBYE = 2.0  # seconds in which a server whose input has ended may end
_REAPED = 1.0  # seconds in which the event loop sees that a killed one has
_BLOCK = 65_536  # bytes
_CLOSED = (anyio.ClosedResourceError, anyio.BrokenResourceError)

Received = SessionMessage | Exception


class _Pipes(asyncio.subprocess.SubprocessStreamProtocol):
    """The two pipes, and when the process has ended, whoever still holds them."""

    def __init__(self) -> None:
        super().__init__(limit=_BLOCK, loop=asyncio.get_running_loop())
        self.ended = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.ended.set()


@asynccontextmanager
async def piped(command: Sequence[str]) -> AsyncGenerator[TransportStreams, None]:
    """Start ``command`` and speak with it, a message a line; on the way out it has ended.

    Raises:
        OSError: it can't be started.
    """
    transport, pipes = await asyncio.get_running_loop().subprocess_exec(
        _Pipes, *command, stderr=None, env=get_default_environment(), start_new_session=True
    )
    try:
        arriving, received = anyio.create_memory_object_stream[Received](0)
        sent, leaving = anyio.create_memory_object_stream[SessionMessage](0)
        async with received, sent, anyio.create_task_group() as tasks:
            tasks.start_soon(_receive, pipes, arriving)
            tasks.start_soon(_send, pipes, leaving, arriving)
            yield received, sent
            received.close()  # what still comes is read and dropped
            sent.close()
            with anyio.move_on_after(_GOODBYE):
                await pipes.ended.wait()
            tasks.cancel_scope.cancel()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(pipes.ended.wait(), _REAPED)
        finally:
            transport.close()


async def _receive(pipes: _Pipes, arriving: MemoryObjectSendStream[Received]) -> None:
    """Give out each line that the server writes, until its end."""
    assert pipes.stdout is not None
    begun = b""
    async with arriving:
        while block := await pipes.stdout.read(_BLOCK):
            *lines, begun = (begun + block).split(b"\n")
            for line in lines:
                with suppress(*_CLOSED):
                    await arriving.send(_message(line))


async def _send(
    pipes: _Pipes,
    leaving: MemoryObjectReceiveStream[SessionMessage],
    arriving: MemoryObjectSendStream[Received],
) -> None:
    """Write what the session sends, then end the server's input."""
    assert pipes.stdin is not None
    try:
        async with leaving:
            async for each in leaving:
                text = each.message.model_dump_json(by_alias=True, exclude_unset=True)
                pipes.stdin.write(f"{text}\n".encode())
                await pipes.stdin.drain()
    except ConnectionError:
        arriving.close()  # a server that reads no more answers no more
    finally:
        pipes.stdin.close()


def _message(line: bytes) -> Received:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as exc:
        return exc
