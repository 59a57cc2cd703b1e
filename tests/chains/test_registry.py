import re
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from chains.cot import Cot
from chains.direct import Direct
from chains.errors import ChainBroken, ChainNotFound
from chains.react import React
from chains.registry import GROUP, chain_by_name, chain_class, chain_names, chains_without_options
from chains.retrieve import Retrieve
from chains.structured import Structured


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
