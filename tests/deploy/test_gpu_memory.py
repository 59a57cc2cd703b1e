"""Runs whose memory is measured on a GPU are recipes that can be trained; the measure itself needs one."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.gpu import memory
from training.preflight import check
from training.runs.estimate import Estimate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a base of the Llama shape, made small."""
    out = tmp_path_factory.mktemp("memory")
    small = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    with pytest.MonkeyPatch.context() as patched:
        for name, number in {**small, "num_key_value_heads": 2}.items():
            patched.setitem(memory.LLAMA, name, number)
        memory.make_base(out / "llama", "llama")
    return out


@pytest.mark.parametrize("name", list(memory.RUNS))
def test_each_run_is_a_recipe_of_which_the_memory_is_known(folder: Path, name: str) -> None:
    recipe = memory.write_recipe(folder, "llama", name)
    assert isinstance(check.check(recipe, [], lambda _: None).needs, Estimate)


def test_a_run_that_failed_says_so_in_its_row() -> None:
    failed = memory.line({"shape": "llama", "run": "dpo", "failed": "out of memory"})
    assert failed == "| llama: dpo | failed: out of memory | | |"
    good = memory.line({"shape": "llama", "run": "dpo", "estimated": 3e9, "taken": 2e9})
    assert good == "| llama: dpo | 3 GB | 2 GB | 1.50 |"
