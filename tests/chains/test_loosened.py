"""Tools whose parameters the engine refuses to guide are offered by what of them can guide."""

from typing import Annotated, Any

import pytest
from pydantic import Field

from chains import react
from chains.errors import Refused
from chains.events import Note, Step
from chains.react import React
from chains.testing import Said, ScriptedEngine, content, events_of
from chains.tools import tool_from
from tests.chains.reacting import asking

REFUSED = Refused("the parameters of one hold what the engine can't guide")


def look(code: Annotated[str, Field(pattern=r"^\p{Lu}+$")]) -> str:
    """Look up a code."""
    return f"{code} is there"


def call(code: str) -> Said:
    return Said(calls=[("look", f'{{"code": "{code}"}}')], reason="tool_calls")


def codes(engine: ScriptedEngine) -> list[Any]:
    """What guided ``code`` in each call."""
    return [
        body["tools"][0]["function"]["parameters"]["properties"]["code"].get("pattern")
        for body in engine.bodies
    ]


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(react, "tool_by_name", {"look": tool_from(look)}.__getitem__)


@pytest.mark.parametrize("stream", [True, False])
async def test_the_run_goes_on_with_the_rest_and_arguments_are_held_to_the_whole(stream: bool) -> None:
    engine = ScriptedEngine([REFUSED, call("abc"), call("ABC"), Said(["It is there."])])
    events = await events_of(React(), asking(stream, ("look",)), engine)
    assert content(events) == "It is there."
    wrong, right = (event for event in events if isinstance(event, Step))
    assert "String should match pattern" in str(wrong.error)
    assert right.result == "ABC is there"
    assert codes(engine) == [r"^\p{Lu}+$", None, None, None]
    note = Note("unguided", {"reason": str(REFUSED), "left_out": ["pattern"]})
    assert [event for event in events if isinstance(event, Note)] == [note]


@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_refused_with_the_rest_too_is_the_engines_to_refuse(stream: bool) -> None:
    engine = ScriptedEngine([REFUSED, Refused("the prompt is too long")])
    with pytest.raises(Refused, match="too long"):
        await events_of(React(), asking(stream, ("look",)), engine)
    assert len(engine.bodies) == 2


@pytest.mark.parametrize("stream", [True, False])
async def test_tools_that_guide_as_they_are_are_not_asked_with_again(
    monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    def plain(code: str) -> str:
        """Look up a code."""
        return code

    monkeypatch.setattr(react, "tool_by_name", {"plain": tool_from(plain)}.__getitem__)
    engine = ScriptedEngine([REFUSED])
    with pytest.raises(Refused):
        await events_of(React(), asking(stream, ("plain",)), engine)
    assert len(engine.bodies) == 1


def pay(cents: Annotated[float, Field(multiple_of=2001)]) -> str:
    """Pay an amount."""
    return f"{cents} paid"


@pytest.mark.parametrize("stream", [False, True])
async def test_what_the_guide_passes_over_is_told_in_the_trace(
    monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setattr(react, "tool_by_name", {"pay": tool_from(pay)}.__getitem__)
    said = [Said(calls=[("pay", '{"cents": 7}')], reason="tool_calls"), Said("That can't be paid.")]
    engine = ScriptedEngine(said)
    events = await events_of(React(), asking(stream, ("pay",)), engine)
    assert len(engine.bodies) == len(said)
    (note,) = [event for event in events if isinstance(event, Note)]
    reason = "the engine's guide of calls passes over these keywords"
    assert note == Note("unguided", {"reason": reason, "left_out": ["multipleOf"]})
    assert [step.error is None for step in events if isinstance(step, Step)] == [False]  # still held to it
