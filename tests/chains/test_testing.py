"""What tests of chains are written with does as the engine does."""

import pytest

from chains.answer import Answer, Call, ask
from chains.direct import Direct
from chains.events import Content, Finish, Usage
from chains.testing import Said, ScriptedEngine, asked, calls, content, events_of

TOOLS = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
SAID = Said(["It is 4", "2. EN", "D, and"], calls=[("add", '{"a": 1}')], reason="tool_calls")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("stop", "text", "reason"),
    [
        ("END", "It is 42. ", "stop"),
        (["and", "2."], "It is 4", "stop"),
        (["I"], "", "stop"),
        (['"a"'], "It is 42. END, and", "tool_calls"),
        (None, "It is 42. END, and", "tool_calls"),
    ],
)
async def test_an_answer_ends_at_its_stop(stream: bool, stop: object, text: str, reason: str) -> None:
    engine, answer = ScriptedEngine([SAID]), Answer()
    pieces = [piece async for piece in ask(engine, {"messages": [], "stop": stop}, stream, answer)]
    assert "".join(piece.content for piece in pieces) == text
    assert (answer.reason, len(answer.calls)) == (reason, reason == "tool_calls")


@pytest.mark.parametrize("stream", [True, False])
async def test_text_and_calls_are_read_out_of_the_engines_bytes(stream: bool) -> None:
    parameters = {"tools": TOOLS}
    events = await events_of(Direct(), asked(stream, parameters=parameters), ScriptedEngine([SAID]))
    assert content(events) == "It is 42. END, and"
    assert calls(events) == [Call("call_0", "add", '{"a": 1}')]
    assert (content([Content("a"), Finish("stop", Usage())]), calls([Content("a")])) == ("a", [])
