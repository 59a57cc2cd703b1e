"""The chain that docs/chains.md shows is installed as it says, and works as it stands there."""

import re
import sys
import textwrap
import tomllib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from chains import answer, events, parameters
from chains.closing import Deadline
from chains.errors import ChainOptionsError
from chains.events import Chain, Finish, Limits, Note, Raw, Usage
from chains.registry import GROUP, chain_class, chain_with
from chains.testing import Said, ScriptedEngine, asked, content, events_of, reasoning
from chains.tools import tool_schema
from service.routes_document import TrackDocument

PAGE = (Path(__file__).parents[2] / "docs" / "chains.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
TRACKS = [TrackDocument.model_validate(yaml.safe_load(text)) for kind, text in BLOCKS if kind == "yaml"]


TOOL, CODE, ASK, TEST = [text for kind, text in BLOCKS if kind == "python"]
OF_TOOLS, OF_CHAINS = [
    tomllib.loads(text)["project"]["entry-points"] for kind, text in BLOCKS if kind == "toml"
]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("our_chains")
    monkeypatch.setitem(sys.modules, "our_chains", module)
    exec(compile(CODE, "docs/chains.md", "exec"), vars(module))
    points = [EntryPoint(name, value, GROUP) for name, value in OF_CHAINS[GROUP].items()]
    known = [*entry_points(group=GROUP), *points]
    monkeypatch.setattr("chains.registry.entry_points", lambda group: known)


def made(track: TrackDocument) -> Chain:
    return chain_with(track.chain, track.options, Path())


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("stream", [True, False])
async def test_it_does_what_the_page_says(stream: bool) -> None:
    assert [track.chain for track in TRACKS] == ["cot", "react", "reviewed"]
    engine = ScriptedEngine([Said(["It is ", "41."]), Said(["42", "."], tokens=(20, 2))])
    events = await events_of(made(TRACKS[-1]), asked(stream, parameters={"seed": 3}), engine)
    assert events[0] == Note("draft", {"text": "It is 41."})
    assert (content(events), events[-1]) == ("42.", Finish("stop", Usage(30, 7)))
    assert engine.bodies[1]["messages"][1:] == [
        {"role": "assistant", "content": "It is 41."},
        {"role": "user", "content": "Shorten your answer to one sentence."},
    ]
    assert [body["seed"] for body in engine.bodies] == [3, 3]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("stream", [True, False])
async def test_it_keeps_reasoning_and_stop_apart_from_the_answer(stream: bool) -> None:
    engine = ScriptedEngine([Said(["<think>a</think>4", "1."]), Said(["<think>b.</thi", "nk>42", ". Bye."])])
    events = await events_of(made(TRACKS[-1]), asked(stream, parameters={"stop": "."}), engine)
    assert (reasoning(events), content(events)) == ("b.", "42")
    assert engine.bodies[1]["messages"][1]["content"] == "41"


def test_the_tool_that_the_page_shows_is_one() -> None:
    space: dict[str, Any] = {}
    exec(compile(TOOL, "docs/chains.md", "exec"), space)
    ((name, value),) = OF_TOOLS["pointsman.tools"].items()
    assert value == f"our_tools:{name}"
    schema = tool_schema(space[name])["function"]
    assert (schema["name"], schema["description"]) == (name, "Tell how many of an article are there.")
    assert schema["parameters"]["required"] == ["article"]


@pytest.mark.parametrize("stream", [True, False])
async def test_one_call_as_the_page_shows_it(stream: bool) -> None:
    space = {name: getattr(module, name) for module in (answer, events, parameters) for name in dir(module)}
    head = "async def run(request, engine, deadline):\n"
    exec(compile(head + textwrap.indent(ASK, "    "), "docs/chains.md", "exec"), space)
    engine = ScriptedEngine([Said(["It is ", "42."], reason="length")])
    request = asked(stream, parameters={"seed": 3})
    found = [event async for event in space["run"](request, engine, Deadline(5))]
    assert (content(found), found[-1]) == ("It is 42.", Finish("length", Usage(10, 5)))
    assert engine.bodies[0]["seed"] == 3


@pytest.mark.usefixtures("installed")
def test_the_test_that_the_page_shows_passes() -> None:
    exec(compile(TEST, "docs/chains.md", "exec"), {})


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("stream", [True, False])
async def test_it_keeps_the_bounds_on_steps_and_tokens(stream: bool) -> None:
    chain = made(TRACKS[-1])
    engine = ScriptedEngine([Said(["draft"], tokens=(10, 5)), Said(["42"], tokens=(20, 3))])
    request = asked(stream, parameters={"max_tokens": 8, "min_tokens": 6})
    assert content(await events_of(chain, request, engine)) == "42"
    assert [body["max_tokens"] for body in engine.bodies] == [8, 3]
    assert [body["min_tokens"] for body in engine.bodies] == [6, 1]

    for said, asked_for in (
        (Said(["draft"], reason="length", tokens=(10, 8)), request),
        (Said(["draft"], tokens=(10, 8)), request),
        (Said(["draft"]), asked(stream, limits=Limits(steps=1))),
    ):
        engine = ScriptedEngine([said])
        events = await events_of(chain, asked_for, engine)
        assert (content(events), len(engine.bodies)) == ("draft", 1)
        assert events[-1] == Finish("length" if said.reason == "length" else "stop", Usage(*said.tokens))


@pytest.mark.usefixtures("installed")
async def test_a_client_with_tools_gets_one_step() -> None:
    tools = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}]
    engine = ScriptedEngine([Said(calls=[("add", "{}")], reason="tool_calls")])
    events = await events_of(made(TRACKS[-1]), asked(False, parameters={"tools": tools}), engine)
    assert [type(event) for event in events] == [Raw]
    assert len(engine.bodies) == 1


@pytest.mark.usefixtures("installed")
def test_an_option_that_is_none_is_told() -> None:
    with pytest.raises(ChainOptionsError, match="instructoin: no such option; known: instruction"):
        chain_with("reviewed", {"instructoin": "x"}, Path())


def test_the_table_has_a_row_for_each_chain_and_a_word_on_each_option() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)$", PAGE, re.MULTILINE))
    assert sorted(rows) == ["cot", "direct", "react", "retrieve", "structured"]
    for name, row in rows.items():
        options = getattr(chain_class(name), "Options", None)
        fields = {} if options is None else options.model_fields
        for option in (field.alias or key for key, field in fields.items()):
            assert f"`{option}`" in row, (name, option)
