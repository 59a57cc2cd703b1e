"""A seeded request whose prompt vLLM reads in parts, on a CPU: by vLLM's own sampling and bookkeeping."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from vllm.v1.worker.cpu_model_runner import CPUModelRunner

from service.engine import cpu_seeds


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A runner with two seeded requests, the first of which is read in part; with the plugin, twice."""
    made: Any = CPUModelRunner
    for name in ("_sample", "_bookkeeping_sync"):
        monkeypatch.setattr(made, name, getattr(made, name))
    monkeypatch.setattr(made, "takes_back_draws", False, raising=False)
    cpu_seeds.register()
    cpu_seeds.register()
    one = made.__new__(made)
    one.use_async_scheduling = True
    one.discard_request_mask = SimpleNamespace(np=np.array([True, False, True]))
    generators = {index: torch.Generator().manual_seed(7) for index in (0, 1)}
    one.input_batch = SimpleNamespace(
        generators=generators,
        num_reqs=2,
        sampling_metadata=SimpleNamespace(generators=generators),
        update_async_output_token_ids=lambda: None,
    )
    one.sampler = lambda logits, sampling_metadata: [
        int(torch.randint(0, 2**31, (1,), generator=one)) for one in sampling_metadata.generators.values()
    ]
    return one


def test_a_draw_that_is_thrown_away_is_none(runner: Any) -> None:
    first, second = runner._sample(None, None)
    assert first == second  # both have the same seed
    third, fourth = runner._sample(None, None)
    assert third == first  # the first's prompt was not read whole
    assert fourth != second
    runner.discard_request_mask.np[0] = False
    assert runner._sample(None, None)[0] == first
    assert runner._sample(None, None)[0] == fourth


def test_no_offset_is_set_back(runner: Any) -> None:
    runner._sample(None, None)
    with pytest.raises(AttributeError, match="req_ids"):  # behind the offsets, where a real batch goes on
        runner._bookkeeping_sync(None, SimpleNamespace(), None, None, 2)
    assert sorted(runner.input_batch.generators) == [0, 1]


def test_vllm_is_told_of_it() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    plugins = project["project"]["entry-points"]["vllm.general_plugins"]
    assert plugins["pointsman_cpu_seeds"] == "service.engine.cpu_seeds:register"
