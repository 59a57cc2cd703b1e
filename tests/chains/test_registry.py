import functools
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from chains.contract import breaches
from chains.cot import Cot
from chains.direct import Direct
from chains.errors import ChainBroken, ChainNotFound
from chains.events import ChainRequest, Engine, Event, Finish, Usage
from chains.react import React
from chains.registry import (
    GROUP,
    chain_by_name,
    chain_class,
    chain_names,
    chain_with,
    chains_without_options,
    warm,
)
from chains.resources import Resources
from chains.retrieve import Retrieve
from chains.structured import Structured
from pointsman.document import Document
from service.crosschecks import cross_problems
from tests.service.parts import SpellingEncoder


def test_our_chains_are_installed() -> None:
    ours = {"direct": Direct, "cot": Cot, "react": React, "structured": Structured, "retrieve": Retrieve}
    assert {name: chain_class(name) for name in ours} == ours
    assert set(ours) <= set(chain_names())
    assert chain_by_name("cot") is chain_by_name("cot")


def test_an_unknown_chain_is_named_with_the_known_ones() -> None:
    with pytest.raises(ChainNotFound, match=r"no chain 'recat'; known: .*react"):
        chain_by_name("recat")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("no_such_package:Chain", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("chains.cot:Cott", "AttributeError: module 'chains.cot' has no attribute 'Cott'"),
        ("chains.events:Limits", "the class has no method 'run': add async def run(self, request, engine)"),
    ],
)
def test_a_chain_that_is_broken_is_named_and_leaves_the_others_alone(
    monkeypatch: pytest.MonkeyPatch, value: str, problem: str
) -> None:
    points = [EntryPoint("broken", value, GROUP), EntryPoint("cot", "chains.cot:Cot", GROUP)]
    monkeypatch.setattr("chains.registry.entry_points", lambda group: points)
    with pytest.raises(ChainBroken, match=re.escape(f"the chain 'broken', installed as {value!r}")) as found:
        chain_class("broken")
    assert problem in str(found.value)
    assert chains_without_options.__wrapped__() == ("cot",)


def test_a_name_that_two_packages_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, other = EntryPoint("cot", "chains.cot:Cot", GROUP), EntryPoint("cot", "mine:Fine", GROUP)
    for points in ([ours, other], [other, ours]):
        monkeypatch.setattr("chains.registry.entry_points", lambda group, points=points: points)
        with pytest.raises(ChainBroken, match="is installed under this name too; rename one") as found:
            chain_class("cot")
        assert "'chains.cot:Cot'" in str(found.value)
        assert "'mine:Fine'" in str(found.value)
    monkeypatch.setattr("chains.registry.entry_points", lambda group: [ours, ours])  # seen in two places
    assert chain_class("cot") is Cot


async def answered(self: object, request: object, engine: object) -> AsyncGenerator[Event, None]:
    """The ``run`` of a chain."""
    yield Finish("stop", Usage())


async def awaited(self: object, request: object, engine: object) -> Finish:
    """An async function that yields nothing."""
    return Finish("stop", Usage())


def warmed(self: object, resources: object) -> None:
    """The ``warm`` of a chain."""


async def warmed_later(self: object, resources: object) -> None:
    """One that is never awaited."""


@pytest.mark.parametrize(
    ("holds", "problem"),
    [
        ({"run": awaited}, "its run is no async generator: write it as async def run(self, request, engine)"),
        ({"run": lambda self, request, engine: "hello"}, "its run is no async generator"),
        ({"run": None}, "the class has no method 'run': add async def run(self, request, engine)"),
        ({"warm": None}, "the class has no method 'warm': add def warm(self, resources)"),
        ({"warm": warmed_later}, "its warm is a coroutine, which nobody awaits: write it as def warm"),
        ({"warm": lambda self: None}, "its warm can't be called with resources: write it as def warm(self"),
        ({"run": warmed}, "its run can't be called with request and engine: write it as async def run("),
        (
            {"warm": None, "Options": dict},
            "the class has no method 'warm': add def warm(self, resources); its Options is no pydantic model",
        ),
        ({"Options": dict}, "its Options is no pydantic model: derive it from pointsman.document.Document"),
    ],
)
def test_a_class_that_is_no_chain_is_refused_where_routes_are_read(
    monkeypatch: pytest.MonkeyPatch, holds: dict[str, object], problem: str
) -> None:
    kind = type("Odd", (), {"run": answered, "warm": warmed, **holds})
    monkeypatch.setattr(f"{__name__}.Odd", kind, raising=False)
    point = EntryPoint("odd", f"{__name__}:Odd", GROUP)
    monkeypatch.setattr("chains.registry.entry_points", lambda group: [point])
    told = list(cross_problems({"routes": [{"chain": "odd"}]}, {("routes", 0, "chain"): 3}, None, Path()))
    (found,) = told
    assert (found.line, found.field) == (3, "routes.0.chain")
    assert found.message.startswith(
        f"the chain 'odd', installed as '{__name__}:Odd', can't be used: {problem}"
    )


def test_an_instance_in_place_of_a_class_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.made", Direct(), raising=False)
    point = EntryPoint("made", f"{__name__}:made", GROUP)
    monkeypatch.setattr("chains.registry.entry_points", lambda group: [point])
    with pytest.raises(ChainBroken, match="it is no class, but Direct: name the class itself"):
        chain_class("made")


def test_a_chain_may_be_wrapped_or_static() -> None:
    @functools.wraps(answered)
    def wrapping(*given: object) -> AsyncGenerator[Event, None]:
        return answered(*given)

    async def alone(request: object, engine: object) -> AsyncGenerator[Event, None]:
        yield Finish("stop", Usage())

    for run in (wrapping, staticmethod(alone)):
        assert not list(breaches(type("Odd", (), {"run": run, "warm": warmed})))


class Unmade:
    """A chain that asks too much of where it is made."""

    def __init__(self, options: object = None) -> None:
        raise FileNotFoundError("no words.txt")

    async def run(self, request: ChainRequest, engine: Engine) -> AsyncGenerator[Event, None]:
        yield Finish("stop", Usage())

    def warm(self, resources: object) -> None:
        raise KeyError("words")


class UnmadeOptions(Document):
    words: str


class UnmadeWith(Unmade):
    Options = UnmadeOptions


def test_a_chain_that_cannot_be_made_or_warmed_is_told_as_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        *(
            EntryPoint(kind.__name__.lower(), f"{__name__}:{kind.__name__}", GROUP)
            for kind in (Unmade, UnmadeWith)
        ),
        EntryPoint("cot", "chains.cot:Cot", GROUP),
    ]
    monkeypatch.setattr("chains.registry.entry_points", lambda group: points)
    for name, options in (("unmade", {}), ("unmadewith", {"words": "words.txt"})):
        with pytest.raises(ChainBroken, match=f"{name!r}.* can't be used: FileNotFoundError: no words.txt"):
            chain_with(name, options, Path())
    assert chains_without_options.__wrapped__() == ("cot",)  # which the header and /openapi.json list
    made = object.__new__(Unmade)
    with pytest.raises(ChainBroken, match="can't be used: KeyError: 'words'"):
        warm("unmade", made, Resources(SpellingEncoder(), Path()))


def test_langchain_is_not_imported_before_it_is_used() -> None:
    code = (
        "import sys, chains.registry\n"
        "for name in chains.registry.chain_names(): chains.registry.chain_class(name)\n"
        "heavy = {'langchain', 'langchain_core', 'langgraph', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from chains.react import React; React().warm(None)\n"
        "assert 'langchain.agents' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
