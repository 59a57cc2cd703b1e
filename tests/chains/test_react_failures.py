"""Where no tool gave a result, the model's own answer is not given out."""

import logging
from typing import Any

import pytest

from chains.events import Content, Finish, Limits, Note, Refusal, Usage
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

TRIED = Said(["{"], reason="length", tokens=(3, 1))
FORMS: list[dict[str, Any]] = [
    {"response_format": {"type": "json_object"}},
    {"structured_outputs": {"json": {"type": "object"}}},
    {"structured_outputs": {"choice": ["{}", "rain"]}},
]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What a tool raises is logged, and is meant to be."""
    caplog.set_level(logging.CRITICAL)


def notes(events: list[Any]) -> list[Note]:
    return [event for event in events if isinstance(event, Note)]


def refused(events: list[Any]) -> list[str]:
    return [event.text for event in events if isinstance(event, Refusal)]


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
async def test_the_chains_own_words_are_within_the_clients_bound(stream: bool) -> None:
    words = "Sorry, I could not do this: weather failed."
    for tokens, said, reason in ((8, words, "stop"), (7, "Sorry, I could not do this: weather", "length")):
        for form in ({}, {"response_format": {"type": "json_object"}}):
            script = [*([TRIED] if form else []), FAILS, INVENTED]
            request = asking(stream, parameters={"max_tokens": tokens, **form})
            events = await events_of(React(), request, ScriptedEngine(script))
            assert ("".join(refused(events)) if form else content(events)) == said
            assert finish(events).reason == reason


@pytest.mark.parametrize("stream", [True, False])
async def test_the_chains_own_words_are_whole_where_the_models_tokens_ran_out(stream: bool) -> None:
    for form in ({}, {"response_format": {"type": "json_object"}}):
        script = [*([TRIED] if form else []), FAILS, Said(["It is"], reason="length")]
        request = asking(stream, parameters={"max_tokens": 10, **form})
        events = await events_of(React(), request, ScriptedEngine(script))
        assert content(events) + "".join(refused(events)) == "Sorry, I could not do this: weather failed."
        assert finish(events).reason == "stop"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_question_of_the_model_that_ran_out_of_tokens_is_told_as_cut(stream: bool) -> None:
    wrong = Said([], [("weather", "{}")], reason="tool_calls")
    cut = Said(["Where are"], reason="length")
    for form in ({}, {"response_format": {"type": "json_object"}}):
        engine = ScriptedEngine([*([TRIED] if form else []), wrong, cut])
        events = await events_of(React(), asking(stream, parameters=form), engine)
        assert content(events) + "".join(refused(events)) == "Where are"
        assert finish(events).reason == "length"


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
@pytest.mark.parametrize("form", FORMS)
async def test_no_form_is_filled_from_failures(stream: bool, form: dict[str, Any]) -> None:
    engine = ScriptedEngine([TRIED, FAILS, INVENTED, INVENTED, Said(['{"sky": "clear"}'])])
    events = await events_of(React(), asking(stream, parameters=form), engine)
    assert refused(events) == ["Sorry, I could not do this: weather failed."]
    assert (content(events), len(engine.bodies)) == ("", 4)
    assert finish(events) == Finish("stop", Usage(33, 16))
    assert notes(events)[0].about == "no_result"

    wrote = [Said([f'Action: weather\nAction Input: {{"city": "{city}"}}']) for city in ("Pompeii", "Bonn")]
    engine = ScriptedEngine([TRIED, wrote[0], wrote[0], Said(["Final Answer: Sunny."]), Said(["{}"])])
    written = React(ReactOptions(dialect="written"))
    events = await events_of(written, asking(stream, parameters=form), engine)
    assert refused(events) == ["Sorry, I could not do this: weather failed twice."]

    engine = ScriptedEngine([TRIED, wrote[0], wrote[1], Said(["Final Answer: Sunny."]), Said(["{}"])])
    events = await events_of(written, asking(stream, parameters=form), engine)
    assert (refused(events), content(events)) == ([], "{}")  # one result is there


@pytest.mark.parametrize("stream", [True, False])
async def test_what_a_form_lacks_arguments_for_is_asked_for_in_words(stream: bool) -> None:
    wrong = Said([], [("weather", "{}")], reason="tool_calls")
    for said, words in (
        ("<think>Hm.</think>Where are you?", "Where are you?"),
        ("", "Sorry, I could not do this: weather failed."),
    ):
        engine = ScriptedEngine([TRIED, wrong, Said([said]), Said(['{"sky": "clear"}'])])
        events = await events_of(React(), asking(stream, parameters=FORMS[0]), engine)
        assert (refused(events), content(events)) == ([words], "")
        assert (len(engine.bodies), finish(events).reason) == (3, "stop")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_form_is_refused_where_the_steps_end_before_a_result(stream: bool) -> None:
    for steps_left, script in ((2, [calls("Bonn")]), (3, [FAILS, calls("Bonn")])):
        engine = ScriptedEngine([TRIED, *script, Said(["{}"])])
        request = asking(stream, parameters=FORMS[0], limits=Limits(steps=steps_left))
        events = await events_of(React(), request, engine)
        assert refused(events) == [f"Sorry, I could not finish this within {steps_left} steps."]
        assert (content(events), finish(events).reason) == ("", "stop")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_stop_string_ends_what_the_chain_says_itself(stream: bool) -> None:
    for stop, said in (
        (["Sorry"], ""),
        ("failed", "Sorry, I could not do this: weather "),
        (["could", "not"], "Sorry, I "),
        (["nowhere"], "Sorry, I could not do this: weather failed."),
    ):
        engine = ScriptedEngine([FAILS, INVENTED])
        events = await events_of(React(), asking(stream, parameters={"stop": stop}), engine)
        assert (content(events), finish(events).reason) == (said, "stop")
        for form in FORMS:
            request = asking(stream, parameters={"stop": stop, **form})
            events = await events_of(React(), request, ScriptedEngine([TRIED, FAILS, INVENTED]))
            assert (refused(events), content(events)) == ([said] if said else [], "")
            assert finish(events).reason == "stop"
    script = [calls("Bonn", say="Hm."), calls("Bonn")]
    request = asking(stream, parameters={"stop": " this"}, limits=Limits(steps=1))
    events = await events_of(React(), request, ScriptedEngine(script))
    assert (content(events), finish(events).reason) == ("Hm.\n\nSorry, I could not finish", "stop")


@pytest.mark.parametrize("stream", [True, False])
async def test_a_stop_string_may_lie_between_the_words_of_two_steps(stream: bool) -> None:
    for stop, said in (("\n\n", "Hm."), (".\n\nIt", "Hm"), ("\n\nIs", "Hm.\n\nIt is clear.")):
        engine = ScriptedEngine([calls("Bonn", say="Hm."), Said(["It is", " clear."])])
        events = await events_of(React(), asking(stream, parameters={"stop": stop}), engine)
        assert (content(events), finish(events).reason) == (said, "stop")
