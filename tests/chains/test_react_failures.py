"""Where no tool gave a result, the model's own answer is not given out."""

import logging
from typing import Any

import pytest

from chains.events import Content, Finish, Limits, Note, Usage
from chains.react import React, ReactOptions
from chains.testing import Said, ScriptedEngine, asked, content, events_of, finish, reasoning
from chains.tools import tool_from
from tests.chains import reacting
from tests.chains.reacting import asking, calls, steps

pytestmark = pytest.mark.usefixtures("weather_tools")
FAILS = calls("Pompeii")
INVENTED = Said(["<think>Sunny?</think>It is", " sunny."])
ANSWERS = {
    "Weather?": "Sorry, I could not do this: {} failed.",
    "天气？": "抱歉，这个请求没能完成：{} 失败了。",
}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What a tool raises is logged, and is meant to be."""
    caplog.set_level(logging.CRITICAL)


def notes(events: list[Any]) -> list[Note]:
    return [event for event in events if isinstance(event, Note)]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("question", ANSWERS)
async def test_an_answer_behind_a_failure_is_asked_for_once_more_and_then_the_chains_own(
    stream: bool, question: str
) -> None:
    engine = ScriptedEngine([FAILS, INVENTED])
    events = await events_of(React(), asked(stream, question, tools=("weather",)), engine)
    assert (content(events), reasoning(events)) == (ANSWERS[question].format("weather"), "")
    assert finish(events) == Finish("stop", Usage(30, 15))
    said, hint = engine.bodies[2]["messages"][-2:]
    assert said == {"role": "assistant", "content": "It is sunny."}
    assert (hint["role"], hint["content"][:34]) == ("user", "No tool has given a result, so not")
    dropped = {"failed": ["weather"], "dropped": ["It is sunny."] * 2}
    assert notes(events) == [Note("no_result", dropped)]


@pytest.mark.parametrize("stream", [True, False])
async def test_what_a_tool_finds_in_the_end_is_answered_from(stream: bool) -> None:
    engine = ScriptedEngine([FAILS, INVENTED, calls("Bonn"), Said(["It is", " clear."])])
    events = await events_of(React(), asking(stream), engine)
    assert content(events) == "It is clear."
    assert [step.error is None for step in steps(events)] == [False, True]
    assert notes(events) == [Note("no_result", {"failed": ["weather"], "dropped": ["It is sunny."]})]
    if stream:  # as it comes again
        assert [event for event in events if isinstance(event, Content)] == [
            Content("It is"),
            Content(" clear."),
        ]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", ["calls", "written"])
async def test_with_the_second_chance_no_other_tool_is_called(
    monkeypatch: pytest.MonkeyPatch, stream: bool, dialect: Any
) -> None:
    complaints = []

    def complain() -> str:
        """Open a complaint."""
        complaints.append("one")
        return "opened"

    monkeypatch.setitem(reacting.TOOLS, "complain", tool_from(complain))
    written = dialect == "written"
    fails = Said(['Action: weather\nAction Input: {"city": "Pompeii"}']) if written else FAILS
    other = Said(["Action: complain\nAction Input: {}"]) if written else Said(calls=[("complain", "{}")])
    engine = ScriptedEngine([fails, INVENTED, other, INVENTED])
    request = asking(stream, tools=("weather", "complain"))
    events = await events_of(React(ReactOptions(dialect=dialect)), request, engine)
    assert content(events) == "Sorry, I could not do this: weather failed."
    assert complaints == []
    if not written:
        shown = [[tool["function"]["name"] for tool in body["tools"]] for body in engine.bodies]
        assert shown == [["weather", "complain"], ["weather", "complain"], ["weather"]]


@pytest.mark.parametrize("stream", [True, False])
async def test_behind_two_failures_the_model_is_not_asked_again(stream: bool) -> None:
    engine = ScriptedEngine([FAILS, FAILS, INVENTED])
    events = await events_of(React(), asking(stream), engine)
    assert content(events) == "Sorry, I could not do this: weather failed twice."
    assert len(engine.bodies) == 3


@pytest.mark.parametrize("stream", [True, False])
async def test_where_one_result_is_good_the_answer_stands(stream: bool) -> None:
    for script in ([calls("Bonn", "Pompeii"), INVENTED], [FAILS, calls("Bonn"), FAILS, INVENTED]):
        events = await events_of(React(), asking(stream), ScriptedEngine(script))
        assert content(events) == "It is sunny."
        assert notes(events) == []
    events = await events_of(React(), asking(stream), ScriptedEngine([calls("Atlantis"), Said(["No."])]))
    assert content(events) == "No."  # what a tool says no to is a result


@pytest.mark.parametrize("stream", [True, False])
async def test_behind_wrong_arguments_the_model_may_ask_the_user(stream: bool) -> None:
    wrong = Said([], [("weather", "{}")], reason="tool_calls")
    events = await events_of(React(), asking(stream), ScriptedEngine([wrong, Said(["Where", " are you?"])]))
    assert content(events) == "Where are you?"
    events = await events_of(React(), asking(stream), ScriptedEngine([wrong, FAILS, INVENTED]))
    assert content(events) == "Sorry, I could not do this: weather failed twice."


@pytest.mark.parametrize("stream", [True, False])
async def test_every_tool_that_failed_is_named(stream: bool) -> None:
    both = Said(calls=[("weather", "{}"), ("hang", "{}")], reason="tool_calls")
    request = asking(stream, tools=("weather", "hang"), limits=Limits(tool_seconds=0.01))
    events = await events_of(React(), request, ScriptedEngine([both, INVENTED]))
    assert content(events) == "Sorry, I could not do this: hang and weather failed."


@pytest.mark.parametrize("stream", [True, False])
async def test_bounds_leave_no_second_chance_but_the_honest_answer(stream: bool) -> None:
    honest = "Sorry, I could not do this: weather failed."
    for bound in ({"limits": Limits(steps=2)}, {"parameters": {"max_tokens": 10}}):
        engine = ScriptedEngine([FAILS, INVENTED])
        assert content(await events_of(React(), asking(stream, **bound), engine)) == honest
        assert len(engine.bodies) == 2


@pytest.mark.parametrize("stream", [True, False])
async def test_the_written_form_and_calls_that_cannot_be_read_end_so_too(stream: bool) -> None:
    wrote = Said(['Action: weather\nAction Input: {"city": "Pompeii"}'])
    engine = ScriptedEngine([wrote, Said(["Thought: Well.\nFinal Answer: It is sunny."])])
    events = await events_of(React(ReactOptions(dialect="written")), asking(stream), engine)
    assert (content(events), len(engine.bodies)) == ("Sorry, I could not do this: weather failed.", 3)
    assert engine.bodies[2]["messages"][-2]["content"] == "Thought: Well.\nFinal Answer: It is sunny."
    broken = Said(['<tool_call>\n{"name": "weather", "argu\n</tool_call>'])
    events = await events_of(React(), asking(stream), ScriptedEngine([broken, INVENTED]))
    assert content(events) == "Sorry, I could not do this: I wrote a tool call that can't be read."


@pytest.mark.parametrize("stream", [True, False])
async def test_a_form_is_filled_from_the_failures(stream: bool) -> None:
    form = {"structured_outputs": {"json": {"type": "object"}}}
    tried = Said(["{"], reason="length")
    engine = ScriptedEngine([tried, FAILS, INVENTED, INVENTED, Said(['{"sky": null}'])])
    events = await events_of(React(), asking(stream, parameters=form), engine)
    assert content(events) == '{"sky": null}'
    roles = [message["role"] for message in engine.bodies[-1]["messages"]]
    assert roles == ["user", "assistant", "tool"]  # what was made up is not in it
    assert engine.bodies[-1]["messages"][-1]["content"].startswith("error: weather failed (RuntimeError)")
