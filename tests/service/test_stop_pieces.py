"""The usage up to a stop string is the same however many tokens the engine joins in a piece."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from chains.cot import Cot
from chains.events import Finish, Raw
from chains.sse import EventReader
from chains.testing import asked, events_of
from service.errors import EngineRefused
from service.reasoned import CountedReasoning, Tags
from service.stop_pieces import StopPieces
from tests.service.test_reasoned import CLOSE, END, OPEN, Writer

# the stop string "62" is thought of, then said in two tokens: the answer ends at its twelfth
WORDS = [OPEN, "30", " +", " 32", " is", " 62", CLOSE, "It", " is", " ", "6", "2", ".", " That", " is", END]
SPENT, REASONED = 12, 5
MANY = [1, 2, 3, 4, 5, 7, 100]


def wrapped(engine: Writer, stops: Sequence[str]) -> CountedReasoning:
    return CountedReasoning(StopPieces(engine, stops, engine.text_of), Tags(engine.text_of, engine.tokens_of))


def usage_of(raws: Sequence[object], *, stream: bool) -> Mapping[str, Any]:
    data = b"".join(event.data for event in raws if isinstance(event, Raw))
    if not stream:
        found: Mapping[str, Any] = json.loads(data)["usage"]
        return found
    (last,) = (chunk["usage"] for chunk in EventReader().feed(data) if not chunk["choices"])
    return dict(last)


@pytest.mark.parametrize("many", MANY)
@pytest.mark.parametrize("stream", [True, False])
async def test_several_choices_cost_what_they_wrote_up_to_the_stop(many: int, stream: bool) -> None:
    parameters = {"n": 2, "stop": ["62"], "stream_options": {"include_usage": True}}
    engine = Writer(WORDS, many, choices=2)
    request = asked(stream, parameters=parameters)
    usage = usage_of(await events_of(Cot(), request, wrapped(engine, ["62"])), stream=stream)
    assert (usage["completion_tokens"], usage["total_tokens"]) == (2 * SPENT, 3 + 2 * SPENT)
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 2 * REASONED}


@pytest.mark.parametrize("many", MANY)
@pytest.mark.parametrize("stops", [["62"], ["xyz", " 62"], ["2", "."]])
async def test_one_answer_costs_what_it_wrote_up_to_the_stop(many: int, stops: list[str]) -> None:
    engine = Writer(WORDS, many)
    events = await events_of(Cot(), asked(True, parameters={"stop": stops}), wrapped(engine, stops))
    last = events[-1]
    assert isinstance(last, Finish)
    assert (last.usage.completion_tokens, last.usage.reasoning_tokens) == (SPENT, REASONED)


async def test_a_piece_is_cut_with_all_that_is_told_of_its_tokens() -> None:
    engine = Writer(["a", "b", "c", END], many=100)
    body = {"messages": [], "return_token_ids": True, "stream_options": {"continuous_usage_stats": True}}
    data = b"".join([data async for data in StopPieces(engine, ["b"], engine.text_of).stream(body)])
    first, second, _ = EventReader().feed(data)
    assert [one["choices"][0]["delta"] for one in (first, second)] == [
        {"role": "assistant", "content": "ab"},
        {"content": "c"},
    ]
    assert [one["choices"][0]["token_ids"] for one in (first, second)] == [[0, 1], [2, 3]]
    assert [one["choices"][0]["finish_reason"] for one in (first, second)] == [None, "stop"]
    assert [one["usage"]["completion_tokens"] for one in (first, second)] == [2, 4]


async def test_an_engine_that_tells_no_text_of_tokens_is_passed_on() -> None:
    async def refuse(_: Sequence[int]) -> str:
        raise EngineRefused(404, "no such path")

    engine = Writer(["a", "b", "c", END], many=100)
    body = {"messages": [], "stream_options": {"continuous_usage_stats": True}}
    data = b"".join([data async for data in StopPieces(engine, ["b"], refuse).stream(body)])
    whole, _ = EventReader().feed(data)
    assert (whole["choices"][0]["delta"]["content"], whole["usage"]["completion_tokens"]) == ("abc", 4)
    assert "token_ids" not in whole["choices"][0]
