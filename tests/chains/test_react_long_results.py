"""A result that is longer than the model can read is cut until it fits, and told as cut."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from chains.errors import ContextFull, ResultsTooLong
from chains.events import Event, Finish, Limits, Note, Usage
from chains.fitted import Kept
from chains.react import React, ReactOptions
from chains.testing import Said, ScriptedEngine, asked, content, events_of, finish
from chains.tools import tool_from
from tests.chains import reacting
from tests.chains.reacting import steps

pytestmark = pytest.mark.usefixtures("weather_tools")
CALL = Said(calls=[("story", "{}")], reason="tool_calls")
ANSWER = Said(["It ends", " well."])


def story() -> str:
    """Tell a story."""
    return "x" * 5_000


@pytest.fixture(autouse=True)
def stories(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(reacting.TOOLS, "story", tool_from(story))


@dataclass(slots=True)
class Small(ScriptedEngine):
    """A model that reads ``limit`` tokens, which are letters of the messages here."""

    limit: int = 1_000
    tells: bool = True  # what its limit is
    trials: list[int] = field(default_factory=list)  # what each that fitted read

    def _next(self, body: Mapping[str, Any]) -> Said | bytes:
        letters = sum(len(message.get("content") or "") for message in body["messages"])
        if letters > self.limit:
            full = ContextFull("too long")
            full.limit = self.limit if self.tells else None
            raise full
        if body.get("max_tokens") == 1:
            self.trials.append(letters)
            return Said(["x"], reason="length", tokens=(letters, 1))
        said = ScriptedEngine._next(self, body)
        return replace(said, tokens=(letters, 5)) if isinstance(said, Said) else said


def asking(stream: bool, text: str = "Tell me.", **more: Any) -> Any:
    return asked(stream, text, tools=("story",), **more)


def notes(events: list[Event]) -> list[Note]:
    return [event for event in events if isinstance(event, Note)]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("asked_for", "room"), [(None, 250), (400, 395), (900, 500)])
async def test_a_result_is_cut_to_what_fits_with_room_for_the_answer(
    stream: bool, asked_for: int | None, room: int
) -> None:
    engine = Small([CALL, ANSWER])
    parameters = {} if asked_for is None else {"max_tokens": asked_for}
    events = await events_of(React(), asking(stream, parameters=parameters), engine)
    assert content(events) == "It ends well."
    told = engine.bodies[-1]["messages"][-1]["content"]
    (kept,) = re.findall(r"\A(x+) \.\.\. \(cut, 5000 characters in all\)\Z", told)
    left = engine.limit - len(told) - len("Tell me.")
    assert room <= left <= room + len(kept) // 2 + 1  # no more was cut than a third
    assert notes(events) == [Note("cut", {"tool_characters": len(kept)})]
    of_turns, trials = len("Tell me.") * 2 + len(told), engine.trials
    assert finish(events) == Finish("stop", Usage(of_turns + sum(trials), 10 + len(trials)))
    assert len(trials) in (1, 2, 3)
    assert len(engine.bodies) == 2
    if asked_for is not None:  # trials are none of the tokens that were asked for
        assert engine.bodies[-1]["max_tokens"] == asked_for - 5


@pytest.mark.parametrize("stream", [True, False])
async def test_a_limit_that_is_not_told_is_found(stream: bool) -> None:
    engine = Small([CALL, ANSWER], tells=False)
    events = await events_of(React(), asking(stream), engine)
    assert content(events) == "It ends well."
    assert 600 < len(engine.bodies[-1]["messages"][-1]["content"]) < 1_000


@pytest.mark.parametrize("dialect", ["calls", "written"])
async def test_all_results_of_a_run_are_cut_alike_and_told_how_long_they_were(dialect: Any) -> None:
    wrote = CALL if dialect == "calls" else Said(["Action: story\nAction Input: {}"])
    last = ANSWER if dialect == "calls" else Said(["Final Answer: It ends well."])
    engine = Small([wrote, wrote, last], limit=3_000)
    limits = Limits(tool_characters=4_000)
    events = await events_of(React(ReactOptions(dialect=dialect)), asking(True, limits=limits), engine)
    assert content(events) == "It ends well."
    told = [str(message["content"]) for message in engine.bodies[-1]["messages"]]
    found = re.findall(r"x+ \.\.\. \(cut, 5000 characters in all\)", "\n".join(told))
    assert len(found) == 2
    assert len(found[0]) == len(found[1])
    assert len(steps(events)) == 2


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("question", ["Tell me.", "讲个故事。"])
async def test_what_can_not_fit_at_all_ends_honestly(stream: bool, question: str) -> None:
    engine = Small([CALL, ANSWER], limit=60)
    events = await events_of(React(), asking(stream, question), engine)
    ends = {"讲个故事。": "抱歉，这个请求没能完成：story 返回的内容太长，我读不下。"}
    said = "Sorry, I could not do this: what story answered is too long for me to read."
    assert content(events) == ends.get(question, said)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_conversation_that_is_too_long_itself_is_refused(stream: bool) -> None:
    with pytest.raises(ContextFull):
        await events_of(React(), asking(stream, "a" * 2_000), Small([CALL]))


async def test_a_form_is_filled_from_what_fits() -> None:
    form = {"structured_outputs": {"json": {"type": "object"}}}
    engine = Small([CALL, ANSWER, Said(["{}"])])
    events = await events_of(React(), asking(False, parameters=form), engine)
    assert content(events) == "{}"
    assert engine.bodies[-1]["messages"][-1]["content"].endswith("... (cut, 5000 characters in all)")


async def test_results_of_the_client_are_not_cut() -> None:
    async def never(_: object) -> int | None:
        raise AssertionError

    history = [{"role": "tool", "content": "x" * 500}, {"role": "user", "content": "And?"}]
    with pytest.raises(ContextFull):
        await Kept().lower(history, 2, ContextFull("too long"), None, never)
    assert Kept(100).told(history, 2) == history
    more = [*history, {"role": "tool", "name": "story", "content": "short"}]
    with pytest.raises(ResultsTooLong, match="story"):
        await Kept().lower(more, 2, ContextFull("too long"), None, never)
