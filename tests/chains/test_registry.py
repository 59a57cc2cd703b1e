import subprocess
import sys

import pytest

from chains.cot import Cot
from chains.direct import Direct
from chains.errors import ChainNotFound
from chains.react import React
from chains.registry import chain_by_name, chain_names


def test_the_three_chains_are_installed() -> None:
    found = {name: type(chain_by_name(name)) for name in ("direct", "cot", "react")}
    assert found == {"direct": Direct, "cot": Cot, "react": React}
    assert {"direct", "cot", "react"} <= set(chain_names())
    assert chain_by_name("cot") is chain_by_name("cot")


def test_an_unknown_chain_is_named_with_the_known_ones() -> None:
    with pytest.raises(ChainNotFound, match=r"no chain 'recat'; known: .*react"):
        chain_by_name("recat")


def test_langchain_is_not_imported_before_it_is_used() -> None:
    code = (
        "import sys, chains.registry\n"
        "for name in chains.registry.chain_names(): chains.registry.chain_by_name(name)\n"
        "heavy = {'langchain', 'langchain_core', 'langgraph', 'torch'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "chains.registry.chain_by_name('react').warm()\n"
        "assert 'langchain.agents' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
