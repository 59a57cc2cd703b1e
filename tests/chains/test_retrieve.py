import asyncio
from pathlib import Path
from typing import Any

import pytest

from chains.errors import ChainError, ChainOptionsError, ChainUnsupported, Refused
from chains.events import (
    ChainRequest,
    Citation,
    Citations,
    Content,
    Event,
    Finish,
    Note,
    Raw,
    Refusal,
    Usage,
)
from chains.registry import chain_with
from chains.retrieve import Retrieve
from chains.testing import Said, ScriptedEngine, asked, content, events_of, finish, reasoning
from tests.chains.spelling import resources

HANDBOOK = "# Returns\n\nSocks stay with you.\n\n# Refunds\n\nSocks money comes after a week.\n"
RETURNS = Citation(1, "a.md", "Returns", "Socks stay with you.")
REFUNDS = Citation(2, "a.md", "Refunds", "Socks money comes after a week.")


def made(folder: Path, **options: Any) -> Retrieve:
    (folder / "handbook").mkdir(exist_ok=True)
    (folder / "handbook" / "a.md").write_text(HANDBOOK, "utf-8")
    chain = chain_with("retrieve", {"documents": "handbook", "threshold": 0.1, **options}, folder)
    assert isinstance(chain, Retrieve)
    return chain


@pytest.fixture
def chain(tmp_path: Path) -> Retrieve:
    ready = made(tmp_path)
    ready.warm(resources(tmp_path / "state"))
    return ready


def cited(events: list[Event]) -> tuple[Citation, ...]:
    (found,) = [event for event in events if isinstance(event, Citations)]
    return found.cited


@pytest.mark.parametrize("stream", [True, False])
async def test_the_model_reads_what_was_found_and_its_citations_are_given_back(
    chain: Retrieve, stream: bool
) -> None:
    engine = ScriptedEngine([Said(["They stay ", "[", "1", "] and", " [2, 7] so [9]."])], cut=20)
    events = await events_of(chain, asked(stream, "do socks stay with you"), engine)
    assert content(events) == "They stay [1] and [2] so."
    assert events[-2:] == [Citations((RETURNS, REFUNDS)), Finish("stop", Usage(10, 5))]
    system, user = engine.bodies[0]["messages"]
    assert system["content"].endswith(
        "[1] a.md · Returns\nSocks stay with you.\n\n[2] a.md · Refunds\nSocks money comes after a week."
    )
    assert user == {"role": "user", "content": "do socks stay with you"}
    assert isinstance(events[0], Note)
    assert [one["heading"] for one in events[0].facts["found"]] == ["Returns", "Refunds"]


@pytest.mark.parametrize(
    ("question", "words"), [("what is the weather", "I do not know"), ("天气怎么样", "我不知道")]
)
async def test_where_nothing_is_near_no_model_is_asked(chain: Retrieve, question: str, words: str) -> None:
    engine = ScriptedEngine([Said(["made up"])])
    events = await events_of(chain, asked(False, question), engine)
    assert content(events).startswith(words)
    assert (cited(events), events[-1]) == ((), Finish("stop", Usage()))
    assert events[0] == Note("search", {"found": []})
    assert engine.bodies == []


@pytest.mark.parametrize(
    ("question", "stop", "words"),
    [("weather", "know", "I do not "), ("weather", "I", ""), ("天气", "：", "我不知道")],
)
async def test_what_the_chain_says_itself_ends_at_a_stop_of_the_client(
    chain: Retrieve, question: str, stop: str, words: str
) -> None:
    request = asked(False, question, parameters={"stop": [stop]})
    events = await events_of(chain, request, ScriptedEngine([]))
    assert (content(events), events[-1]) == (words, Finish("stop", Usage()))
    request = asked(False, question, parameters={"stop": [stop], "response_format": FORM})
    events = await events_of(chain, request, ScriptedEngine([]))
    refused = "".join(event.text for event in events if isinstance(event, Refusal))
    assert (refused, content(events), events[-1]) == (words, "", Finish("stop", Usage()))


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_names_no_passage_is_noted(chain: Retrieve, stream: bool) -> None:
    for said, numbered in (("Socks stay.", False), ("Socks stay [7].", False), ("Socks stay [1].", True)):
        events = await events_of(chain, asked(stream, "do socks stay"), ScriptedEngine([Said([said])]))
        noted = [event for event in events if isinstance(event, Note) and event.about == "uncited"]
        assert noted == ([] if numbered else [Note("uncited", {"passages": 2})])
    engine = ScriptedEngine([Said(["They stay."])])
    events = await events_of(chain, asked(stream, "do socks stay", parameters={"n": 2}), engine)
    for choice in (0, 1):
        assert events.count(Note("uncited", {"passages": 2, "choice": choice})) == 1


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_what_the_chain_says_itself_has_no_more_tokens_than_the_client_wants(
    chain: Retrieve, name: str
) -> None:
    for tokens, stop, words, reason in (
        (1, [], "I", "length"),
        (4, [], "I do not know:", "length"),
        (4, ["not"], "I do ", "stop"),
        (9, [], "I do not know: nothing in my documents answers", "length"),
        (10, [], "I do not know: nothing in my documents answers this.", "stop"),
        (10_000, [], "I do not know: nothing in my documents answers this.", "stop"),
    ):
        request = asked(True, "weather", parameters={name: tokens, "stop": stop, "n": 2})
        events = await events_of(chain, request, ScriptedEngine([]))
        assert content(events) == words * 2
        assert (finish(events).reason, finish(events).others) == (reason, (reason,))


async def test_an_engine_that_counts_no_tokens_bounds_no_words(chain: Retrieve) -> None:
    class Plain:
        complete, stream = ScriptedEngine.complete, ScriptedEngine.stream

    with pytest.raises(ChainUnsupported, match="'max_tokens' = 3: the engine counts no tokens here"):
        await events_of(chain, asked(False, "weather", parameters={"max_tokens": 3}), Plain())


async def test_options_that_only_the_engine_knows_are_refused_where_no_model_answers(chain: Retrieve) -> None:
    refused = Refused("token_id 99999 in logit_bias is out of vocab")
    engine = ScriptedEngine([refused])
    request = asked(
        True, "weather", parameters={"logit_bias": {"99999": 1}, "max_tokens": 10, "min_tokens": 3}
    )
    with pytest.raises(Refused, match="99999"):
        await events_of(chain, request, engine)
    (body,) = engine.bodies
    assert body["logit_bias"] == {"99999": 1}
    assert (body["max_tokens"], body["stream"], "min_tokens" in body) == (1, False, False)
    taken = ScriptedEngine([Said(["x"], tokens=(3, 1))])
    events = await events_of(chain, request, taken)
    assert content(events).startswith("I do not know")
    assert events[-1] == Finish("stop", Usage(3, 1))  # of the token that is dropped


async def test_a_follow_up_is_searched_with_what_it_follows(chain: Retrieve) -> None:
    turns = [("user", "do socks stay with you"), ("assistant", "Yes [1]."), ("user", "why")]
    messages = [{"role": role, "content": text} for role, text in turns]
    engine = ScriptedEngine([Said(["So it is [1]."])])
    events = await events_of(chain, ChainRequest(messages, {}, False), engine)
    assert cited(events) == (RETURNS,)


async def test_an_instruction_of_the_prompt_stays_in_front(chain: Retrieve) -> None:
    parts = [{"type": "text", "text": "socks stay"}]
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": parts},
    ]
    engine = ScriptedEngine([Said(["Yes."])])
    events = await events_of(chain, ChainRequest(messages, {}, False), engine)
    assert engine.bodies[0]["messages"][0]["content"].startswith("Be kind.\n\nAnswer from these passages")
    assert engine.bodies[0]["messages"][1]["content"] == parts
    assert cited(events) == ()


async def test_reasoning_is_kept_apart_and_cites_nothing(chain: Retrieve) -> None:
    engine = ScriptedEngine([Said(["<think>see [2]</think>", "Yes [1]"])])
    events = await events_of(chain, asked(False, "socks stay"), engine)
    assert (reasoning(events), content(events)) == ("see [2]", "Yes [1]")
    assert cited(events) == (RETURNS,)


@pytest.mark.parametrize(("question", "roles"), [("socks stay", ["system", "user"]), ("weather", ["user"])])
async def test_the_clients_own_tools_are_its_to_call(
    chain: Retrieve, question: str, roles: list[str]
) -> None:
    tools = [{"type": "function", "function": {"name": "look"}}]
    engine = ScriptedEngine([Said([], [("look", "{}")], reason="tool_calls")])
    events = await events_of(chain, asked(True, question, parameters={"tools": tools}), engine)
    assert b'"name":"look"' in b"".join(event.data for event in events if isinstance(event, Raw))
    assert [message["role"] for message in engine.bodies[0]["messages"]] == roles
    assert engine.bodies[0]["tools"] == tools


async def test_the_number_of_passages_is_bounded(tmp_path: Path) -> None:
    chain = made(tmp_path, passages=1)
    chain.warm(resources(tmp_path / "state"))
    engine = ScriptedEngine([Said(["x"])])
    await events_of(chain, asked(False, "socks stay"), engine)
    assert "[2]" not in engine.bodies[0]["messages"][0]["content"]


async def test_what_it_cannot_do_is_said_by_name(tmp_path: Path, chain: Retrieve) -> None:
    for unsupported, name in (
        ({"n": 2, "logprobs": True}, "logprobs"),
        ({"structured_outputs": {"regex": "a+"}}, "structured_outputs"),
    ):
        with pytest.raises(ChainUnsupported, match=f"'retrieve' does not support the parameter '{name}'"):
            await events_of(chain, asked(False, parameters=unsupported), ScriptedEngine([Said(["x"])]))
    with pytest.raises(ChainError, match="not been read yet"):
        await events_of(made(tmp_path), asked(False), ScriptedEngine([Said(["x"])]))
    with pytest.raises(ChainOptionsError, match="documents: is required"):
        chain_with("retrieve", {}, tmp_path)
    with pytest.raises(ChainOptionsError, match=r"documents: no such folder in .* found 'nowhere'"):
        chain_with("retrieve", {"documents": "nowhere"}, tmp_path)


async def test_a_cancelled_run_stops_the_engine(chain: Retrieve) -> None:
    engine = ScriptedEngine([Said(["x"])], stall=0)
    task = asyncio.create_task(events_of(chain, asked(True, "socks stay"), engine))
    await engine.stalled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (engine.running, engine.cancelled) == (0, 1)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_quote_is_the_nearest_paragraph_and_asks_no_model(tmp_path: Path, stream: bool) -> None:
    chain = made(tmp_path, answer="quote")
    two = "# Returns\n\nHats come back within a week. They are refunded.\n\nSocks stay with you."
    (tmp_path / "handbook" / "a.md").write_text(two, "utf-8")
    chain.warm(resources(tmp_path / "state"))
    engine = ScriptedEngine([])
    events = await events_of(chain, asked(stream, "are hats refunded"), engine)
    assert content(events) == "Hats come back within a week. They are refunded. [1]"
    assert cited(events) == (
        Citation(
            1, "a.md", "Returns", "Hats come back within a week. They are refunded.\n\nSocks stay with you."
        ),
    )
    assert events[-1] == Finish("stop", Usage())
    assert engine.bodies == []
    stopped = asked(stream, "are hats refunded", parameters={"stop": ". They"})
    events = await events_of(chain, stopped, engine)
    assert (content(events), cited(events)) == ("Hats come back within a week", ())
    bounded = asked(stream, "are hats refunded", parameters={"max_tokens": 8})
    events = await events_of(chain, bounded, engine)
    assert (content(events), cited(events)) == ("Hats come back within a week. They are", ())
    assert events[-1] == Finish("length", Usage())
    nothing = await events_of(chain, asked(stream, "weather tomorrow"), engine)
    assert content(nothing).startswith("I do not know")


ANSWER = {"type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"]}
FORM = {"type": "json_schema", "json_schema": {"name": "answer", "schema": ANSWER}}
WITH_USAGE = {"stream_options": {"include_usage": True}}


@pytest.mark.parametrize("stream", [True, False])
async def test_several_choices_are_made_from_one_look_and_cite_each_their_own(
    chain: Retrieve, stream: bool
) -> None:
    engine = ScriptedEngine([Said(["Stay [1]."]), Said(["<think>b</think>", "Money [2] [9]."])])
    parameters = {"n": 2, "seed": 7}
    events = await events_of(chain, asked(stream, "do socks stay with you", parameters=parameters), engine)
    for choice, text in enumerate(["Stay [1].", "Money [2]."]):
        assert text == "".join(e.text for e in events if isinstance(e, Content) and e.choice == choice)
    found = sorted((e for e in events if isinstance(e, Citations)), key=lambda e: e.choice or 0)
    assert found == [Citations((RETURNS,), 0), Citations((REFUNDS,), 1)]
    assert events[-1] == Finish("stop", Usage(10, 10), ("stop",))
    assert [event for event in events if isinstance(event, Note)] == events[:1]  # one search
    assert sorted(body["seed"] for body in engine.bodies) == [7, 8]
    assert all("n" not in body for body in engine.bodies)


async def test_choices_that_no_model_makes_are_each_whole(tmp_path: Path, chain: Retrieve) -> None:
    engine = ScriptedEngine([])
    events = await events_of(chain, asked(False, "what is the weather", parameters={"n": 2}), engine)
    assert [e.choice for e in events if isinstance(e, Content)] == [0, 1]
    assert events[-1] == Finish("stop", Usage(), ("stop",))
    assert [e for e in events if isinstance(e, Citations)] == [Citations((), 0), Citations((), 1)]


async def test_a_choice_that_fails_stops_the_others(chain: Retrieve) -> None:
    engine = ScriptedEngine([Said(["x"]), Refused("no")], stall=20)
    with pytest.raises(Refused):
        await events_of(chain, asked(True, "socks stay", parameters={"n": 2}), engine)
    assert engine.running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("form", [FORM, {"type": "json_object"}])
async def test_an_answer_of_a_form_cites_what_its_texts_name(
    chain: Retrieve, stream: bool, form: dict[str, Any]
) -> None:
    said = '{"said": "Money [2].", "rows": [1]}'
    engine = ScriptedEngine([Said(["Money [2]."]), Said([said])])
    parameters = {"response_format": form, "temperature": 0.5, **WITH_USAGE}
    events = await events_of(chain, asked(stream, "socks stay", parameters=parameters), engine)
    assert content(events) == said
    assert cited(events) == (REFUNDS,)
    assert events[-1] == Finish("stop", Usage(20, 10))  # it was asked once more
    first = engine.bodies[0]
    assert first["messages"][0]["content"].startswith("Answer from these passages only")
    wanted = form.get("json_schema", {}).get("schema", {"type": "object"})
    assert first["response_format"]["json_schema"]["schema"] == wanted
    assert first["temperature"] == 0.5
    assert not any("stream_options" in body for body in engine.bodies)  # no call of these streams


@pytest.mark.parametrize("stream", [True, False])
async def test_where_nothing_is_near_a_form_is_refused_in_words(chain: Retrieve, stream: bool) -> None:
    parameters = {"response_format": FORM, "n": 2}
    events = await events_of(chain, asked(stream, "天气怎么样", parameters=parameters), ScriptedEngine([]))
    refused = [event for event in events if isinstance(event, Refusal)]
    assert [(event.text[:4], event.choice) for event in refused] == [("我不知道", 0), ("我不知道", 1)]
    assert content(events) == ""


async def test_a_quote_has_no_form(tmp_path: Path) -> None:
    chain = made(tmp_path, answer="quote")
    chain.warm(resources(tmp_path / "state"))
    with pytest.raises(ChainUnsupported, match="'response_format': this route quotes its documents"):
        await events_of(
            chain, asked(False, "socks stay", parameters={"response_format": FORM}), ScriptedEngine([])
        )
