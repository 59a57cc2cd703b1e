"""Self-consistency: several samples, one answer."""

import asyncio
import json
from typing import Any

import pytest

from chains.cot import Cot, CotOptions
from chains.errors import ChainTimeout
from chains.events import Content, Finish, Limits, Note, Reasoning, Usage
from chains.testing import Said, ScriptedEngine, asked, content, events_of, reasoning


def voting(samples: int, **more: Any) -> Cot:
    return Cot(CotOptions(samples=samples, **more))


def thought(how: str, answer: str, **more: Any) -> Said:
    return Said(["<think>", how, "</think>", answer], **more)


@pytest.mark.parametrize("stream", [True, False])
async def test_what_most_samples_say_is_given_with_the_first_reasoning_for_it(stream: bool) -> None:
    script = [thought("a", "It is 41."), thought("b", "It's 42."), thought("c", "42", tokens=(10, 7))]
    engine = ScriptedEngine(script)
    parameters = {"seed": 5, "max_tokens": 50}
    events = await events_of(voting(3, vote="number"), asked(stream, parameters=parameters), engine)
    assert events == [
        Note("vote", {"samples": 3, "answers": ["41", "42", "42"], "winner": "42", "votes": 2}),
        Reasoning("b"),
        Content("It's 42."),
        Finish("stop", Usage(30, 17)),
    ]
    assert [body["seed"] for body in engine.bodies] == [5, 6, 7]
    assert {body["temperature"] for body in engine.bodies} == {0.7}


async def test_a_temperature_of_the_request_is_kept() -> None:
    engine = ScriptedEngine([Said(["x"])])
    await events_of(voting(2), asked(False, parameters={"temperature": 0.2}), engine)
    assert [body["temperature"] for body in engine.bodies] == [0.2, 0.2]
    assert all("seed" not in body for body in engine.bodies)


@pytest.mark.parametrize("stream", [True, False])
async def test_at_temperature_0_equal_samples_are_one_answer(stream: bool) -> None:
    engine = ScriptedEngine([thought("a", "It is 41."), thought("b", "It's 42.")])
    parameters = {"temperature": 0, "seed": 5}
    events = await events_of(voting(3, vote="number"), asked(stream, parameters=parameters), engine)
    assert (content(events), reasoning(events)) == ("It is 41.", "a")
    assert not any(isinstance(event, Note) for event in events)
    assert events[-1] == Finish("stop", Usage(10, 5))
    (body,) = engine.bodies
    assert (body["temperature"], body["seed"], body["stream"]) == (0, 5, stream)


def endless(tokens: int) -> bytes:
    """A stream that is far from its end, and says all along what it has cost."""
    usage = {"prompt_tokens": 10, "completion_tokens": tokens}
    chunk = {"choices": [{"index": 0, "delta": {"content": "<think>"}}], "usage": usage}
    return f"data: {json.dumps(chunk)}\n\n".encode() * 1000


async def test_what_cannot_change_the_vote_is_stopped_and_what_it_cost_is_counted() -> None:
    engine = ScriptedEngine([Said(["7"]), Said(["7"]), Said(["7"]), endless(3), endless(4)], cut=4000)
    events = await events_of(voting(5), asked(True), engine)
    note, said, finish = events
    assert isinstance(note, Note)
    assert note.facts["answers"] == ["7", "7", "7"]
    assert (said, finish) == (Content("7"), Finish("stop", Usage(50, 22)))
    assert (engine.running, engine.cancelled) == (0, 2)
    assert engine.bodies[0]["stream_options"]["continuous_usage_stats"] is True


async def test_a_sample_that_is_stopped_before_its_first_word_has_read_the_prompt() -> None:
    silent = b": it waits\n\n" * 1000
    engine = ScriptedEngine([Said(["7"]), Said(["7"]), silent], cut=4000)
    events = await events_of(voting(3), asked(True), engine)
    assert events[-1] == Finish("stop", Usage(30, 10))


async def test_a_sample_that_is_late_holds_up_no_vote_that_is_decided_without_it() -> None:
    late = endless(4)
    engine = ScriptedEngine([late, Said(["8"]), thought("b", "7"), Said(["7"]), Said(["7"])], cut=4000)
    events = await events_of(voting(5), asked(True), engine)
    assert len([event for event in events if isinstance(event, Note)]) == 1
    assert events[0] == Note(
        "vote", {"samples": 5, "answers": ["8", "7", "7", "7"], "winner": "7", "votes": 3}
    )
    assert events[1:3] == [Reasoning("b"), Content("7")]
    assert (engine.running, engine.cancelled) == (0, 1)


async def test_of_samples_that_end_at_once_the_lowest_index_counts_first() -> None:
    engine = ScriptedEngine([thought(str(index), "7" if index < 5 else "8") for index in range(9)])
    note, reasoning, *_ = await events_of(voting(9), asked(True), engine)
    assert note == Note("vote", {"samples": 9, "answers": ["7"] * 5, "winner": "7", "votes": 5})
    assert reasoning == Reasoning("0")


async def test_reasoning_without_an_end_has_no_vote() -> None:
    cut = Said(["<think>1"], reason="length")
    engine = ScriptedEngine([cut, cut, Said(["9"])])
    events = await events_of(voting(3), asked(False), engine)
    assert events[1:] == [Content("9"), Finish("stop", Usage(30, 15))]
    events = await events_of(voting(2), asked(False), ScriptedEngine([cut]))
    assert events[1:] == [Reasoning("1"), Finish("length", Usage(20, 10))]


async def test_stop_is_about_the_content_of_each_sample() -> None:
    script = [thought("a.b", "5. Or 6"), thought("c", "6"), thought("d", "5. Or 7")]
    events = await events_of(voting(3), asked(False, parameters={"stop": "."}), ScriptedEngine(script))
    assert events[1:3] == [Reasoning("a.b"), Content("5")]


async def test_several_choices_are_the_clients_to_judge() -> None:
    engine = ScriptedEngine([Said(["7"])])
    await events_of(voting(3), asked(False, parameters={"n": 4}), engine)
    assert [body["n"] for body in engine.bodies] == [4]


async def test_one_sample_that_fails_fails_the_run_and_stops_the_others() -> None:
    engine = ScriptedEngine([ConnectionError("gone"), endless(1), endless(1)])
    with pytest.raises(ConnectionError, match="gone"):
        await events_of(voting(3), asked(False), engine)
    assert engine.running == 0


@pytest.mark.parametrize("leave", ["time", "cancel"])
async def test_a_run_that_ends_early_ends_every_sample(leave: str) -> None:
    engine = ScriptedEngine([Said(["7"])], stall=0)
    limits = Limits(seconds=0.05 if leave == "time" else 60)
    task = asyncio.create_task(events_of(voting(4), asked(True, limits=limits), engine))
    await engine.stalled.wait()
    if leave == "cancel":
        task.cancel()
    with pytest.raises(ChainTimeout if leave == "time" else asyncio.CancelledError):
        await task
    assert engine.running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
