import subprocess
import sys

import pytest

from chains.cot import Cot
from chains.direct import Direct
from chains.errors import ChainNotFound
from chains.react import React
from chains.registry import chain_by_name, chain_class, chain_names
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
