"""Tools of MCP servers, over HTTP and over pipes."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from starlette.responses import JSONResponse

from chains.errors import ToolServerDown, ToolSourceError
from chains.events import Limits, Refusal, Step
from chains.mcp_tools import McpServer, McpTool, mcp_tools
from chains.react import React
from chains.registry import chain_with
from chains.schemas.schema import AnswerSchema
from chains.testing import Said, ScriptedEngine, asked, content, events_of
from chains.tool_sources import SourcedTools, ToolSources
from tests.chains.mcp_server import server
from tests.chains.spelling import resources
from tests.service.loopback import serving

PIPES = (sys.executable, "-S", str(Path(__file__).with_name("mcp_pipes.py")))


@pytest.fixture
async def url() -> AsyncGenerator[str, None]:
    async with serving(server.streamable_http_app(), lifespan=True) as found:
        yield f"{found}/mcp"


async def listed(url: str, *names: str) -> list[McpTool]:
    return await asyncio.to_thread(mcp_tools, McpServer((), url, {}), names or None, 30)


async def test_the_model_reads_what_the_server_lists(url: str) -> None:
    locate, wait, _ = await listed(url)
    assert locate.schema["function"]["name"] == "locate"
    assert locate.schema["function"]["description"] == "Say where a parcel is."
    assert locate.schema["function"]["parameters"]["required"] == ["parcel_id"]
    assert [tool.name for tool in await listed(url, "wait")] == [wait.name]


async def test_calls_and_failures_are_told(url: str) -> None:
    locate, wait = await listed(url, "locate", "wait")
    result = await locate.call({"parcel_id": "PX1"}, 10, 1_000)
    assert (result.text, result.failed) == ("PX1 is in 罗马", False)
    assert (await locate.call({"parcel_id": "PX1"}, 10, 3)).text == "PX1 ... (cut, 12 characters in all)"
    result = await locate.call({}, 10, 1_000)
    assert result.text == "error: wrong arguments for locate: 'parcel_id' is a required property"
    result = await locate.call({"parcel_id": "PX0"}, 10, 1_000)
    assert (result.failed, result.mendable) == (True, True)
    assert result.said is not None
    assert "no parcel PX0" in result.said
    assert result.text == f"error: {result.said}"
    assert (await wait.call({}, 0.2, 1_000)).text == "error: wait did not answer within 0.2 s"


async def test_a_server_that_is_gone_is_told(url: str) -> None:
    (tool,) = await listed(url, "locate")
    gone = McpTool(tool.name, tool.schema, McpServer((), "http://127.0.0.1:1/mcp", {}), tool.arguments)
    result = await gone.call({"parcel_id": "PX1"}, 10, 1_000)
    assert result.text == "error: locate failed: its server gave no result (ConnectError)"
    assert (result.failed, result.mendable, result.said) == (True, True, None)
    for place, said in (
        (gone.server, "the MCP server http://127.0.0.1:1/mcp can't be reached: "),
        (McpServer(("/no/such/program",), None, {}), "the MCP server /no/such/program can't be reached: "),
    ):
        with pytest.raises(ToolServerDown, match=said):
            await asyncio.to_thread(mcp_tools, place, None, 30)
    with pytest.raises(ToolSourceError, match="has no tool 'fly'; it has: locate, wait, nap"):
        await listed(url, "fly")


async def test_a_server_that_is_none_is_told_in_a_line() -> None:
    async with serving(JSONResponse([])) as url:
        with pytest.raises(ToolServerDown, match="can't be reached: Failed to parse JSON response") as found:
            await listed(url)
    assert "\n" not in str(found.value)


async def test_a_route_calls_a_server_that_speaks_over_pipes(tmp_path: Path) -> None:
    chain = chain_with("react", {"mcp": [{"command": PIPES, "tools": ["locate"]}]}, tmp_path)
    assert isinstance(chain, React)
    await asyncio.to_thread(chain.warm, resources(tmp_path))
    engine = ScriptedEngine([Said(calls=[("locate", '{"parcel_id": "PX1"}')]), Said(["There."])])
    events = await events_of(chain, asked(False, limits=Limits(tool_seconds=60)), engine)
    assert [tool["function"]["name"] for tool in engine.bodies[0]["tools"]] == ["locate"]
    assert events[0] == Step("locate", {"parcel_id": "PX1"}, "PX1 is in 罗马")


@pytest.mark.parametrize(
    ("parcel", "said", "ends"),
    [
        ("PX0", "the depot is on fire", ' locate said: "the depot is on fire".'),
        ("PX-gone", "locate failed: its server gave no result (error -32000)", ""),
        ("PX-broken", "locate failed: its server gave no result (error -32603)", ""),
    ],
)
async def test_behind_a_server_that_fails_nothing_is_made_up(
    tmp_path: Path, parcel: str, said: str, ends: str
) -> None:
    chain = chain_with("react", {"mcp": [{"command": PIPES}]}, tmp_path)
    await asyncio.to_thread(chain.warm, resources(tmp_path))
    call = Said(calls=[("locate", json.dumps({"parcel_id": parcel}))])
    for script, how in (
        ([call, Said(["In Oslo."])], "failed."),
        ([call, call, Said(["In Oslo."])], "failed twice."),
        ([call], "failed twice."),
    ):
        request = asked(False, limits=Limits(tool_seconds=60))
        events = await events_of(chain, request, ScriptedEngine(script))
        assert content(events) == f"Sorry, I could not do this: locate {how}{ends}"
        error = next(event.error for event in events if isinstance(event, Step))
        assert error is not None
        assert error.startswith(f"error: {said}. Mend this")
    events = await events_of(chain, asked(False, "在哪里？"), ScriptedEngine([call]))
    behind = "locate 的答复：“the depot is on fire”。" if ends else ""
    assert content(events) == f"抱歉，这个请求没能完成：locate 失败了两次。{behind}"


@pytest.mark.parametrize("stream", [True, False])
async def test_behind_a_server_that_fails_no_form_is_filled(tmp_path: Path, stream: bool) -> None:
    chain = chain_with("react", {"mcp": [{"command": PIPES}]}, tmp_path)
    await asyncio.to_thread(chain.warm, resources(tmp_path))
    form = {"response_format": {"type": "json_object"}}
    for parcel, ends in (("PX0", ' locate said: "the depot is on fire".'), ("PX-gone", "")):
        call = Said(calls=[("locate", json.dumps({"parcel_id": parcel}))])
        request = asked(stream, parameters=form, limits=Limits(tool_seconds=60))
        script = [Said(["{"]), call, call, Said(["In Oslo."]), Said(['{"city": "Oslo"}'])]
        events = await events_of(chain, request, ScriptedEngine(script))
        words = f"Sorry, I could not do this: locate failed twice.{ends}"
        assert [event.text for event in events if isinstance(event, Refusal)] == [words]
        assert content(events) == ""


async def test_arguments_that_a_server_does_not_take_are_the_models_to_mend(tmp_path: Path) -> None:
    chain = chain_with("react", {"mcp": [{"command": PIPES}]}, tmp_path)
    await asyncio.to_thread(chain.warm, resources(tmp_path))
    call = Said(calls=[("locate", '{"parcel_id": "PX-wrong"}')])
    request = asked(False, limits=Limits(tool_seconds=60))
    events = await events_of(chain, request, ScriptedEngine([call, Said(["Which number?"])]))
    assert content(events) == "Which number?"


def napping(seen: Path) -> tuple[McpTool, dict[str, str]]:
    """A tool of a process that blocks, and the arguments by which it says in ``seen`` what it runs as."""
    place = McpServer((sys.executable, str(Path(__file__).with_name("mcp_server.py"))), None, {})
    schema = {"type": "object", "properties": {"seen": {"type": "string"}}}
    return McpTool("nap", schema, place, AnswerSchema(schema)), {"seen": str(seen)}


def running(process: int) -> bool:
    """Whether it is there and no zombie."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text("utf-8")
    except OSError:
        return False


async def test_a_client_that_leaves_ends_a_server_whose_tool_blocks(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    tool, arguments = napping(seen)
    call = asyncio.create_task(tool.call(arguments, 60, 1_000))
    while not seen.exists():  # until the tool sleeps
        assert not call.done(), call.result()
        await asyncio.sleep(0.05)
    processes = [int(each) for each in seen.read_text("utf-8").split()]
    assert [running(each) for each in processes] == [True, True]
    async with asyncio.timeout(30):
        while not call.done():  # as anyio does, until a task is seen to end
            call.cancel()
            await asyncio.sleep(0.05)
    assert [running(each) for each in processes] == [False, False]


async def test_a_server_that_has_answered_ends_by_itself(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    schema = {"type": "object"}
    place = McpServer((*PIPES, "--ended", str(seen)), None, {})
    tool = McpTool("locate", schema, place, AnswerSchema(schema))
    assert (await tool.call({"parcel_id": "PX1"}, 60, 1_000)).text == "PX1 is in 罗马"
    assert seen.read_text("utf-8") == "ended"


async def test_a_server_that_is_down_is_asked_again(tmp_path: Path) -> None:
    program = tmp_path / "server.py"
    sources = ToolSources.model_validate({"mcp": [{"command": [sys.executable, "-S", str(program)]}]})
    tools = SourcedTools(sources, retry=0.0)
    await asyncio.to_thread(tools.ask)
    assert tools.missing is not None
    assert f"{program} can't be reached" in tools.missing
    with pytest.raises(ToolServerDown, match="can't be reached"):
        await tools.now()
    shutil.copy(PIPES[-1], program)
    together = await asyncio.gather(tools.now(), tools.now())
    assert [[tool.name for tool in found] for found in together] == [["locate"], ["locate"]]
    assert tools.missing is None


async def test_a_server_that_is_down_is_not_asked_by_every_request(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    script = f"from pathlib import Path; f = Path({str(asked)!r}); f.open('a').write('once ')"
    sources = ToolSources.model_validate({"mcp": [{"command": [sys.executable, "-S", "-c", script]}]})
    tools = SourcedTools(sources, retry=3600.0)
    for _ in range(3):
        with pytest.raises(ToolServerDown) as caught:
            await tools.now()
    assert asked.read_text("utf-8") == "once "
    assert caught.value.retry_after == 3600
