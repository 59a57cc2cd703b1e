import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

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
        ("chains.events:Limits", "it is no class with the method 'run'"),
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
