"""The examples of clients run on the demo, each where its packages are installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.e2e.demo import ROOT, Demo

CLIENTS = {
    "langchain_client": (("langchain_openai",), ("track_parcel → ", "PX482913", "Lyon")),
    "llamaindex_client": (("llama_index",), ("PX482913", "384 dimensions")),
    "litellm_client": (("litellm",), ("PX482913", "57 + 26 = 83")),
}


def test_every_example_is_run() -> None:
    files = (ROOT / "deploy" / "examples" / "clients").glob("*.py")
    assert {file.stem for file in files} == set(CLIENTS)


@pytest.mark.e2e
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_is_answered(demo: Demo, name: str) -> None:
    packages, said = CLIENTS[name]
    for package in packages:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    file = ROOT / "deploy" / "examples" / "clients" / f"{name}.py"
    run = subprocess.run(
        [sys.executable, str(file)], env=demo.environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2_000:]
    for words in said:
        assert words in run.stdout
