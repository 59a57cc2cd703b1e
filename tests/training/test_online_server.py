"""Answers from a server: a small one here, which loads adapters and samples with them as vLLM does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pointsman import artefact
from tests.training import side_by_side
from tests.training.asking import QUESTIONS, Online
from tests.training.disturbed import assert_same, break_off, gone_on
from tests.training.rollouts import Engine, Said, serving
from tests.training.test_online_resume import has_learned
from tests.training.test_run import metrics, quiet
from training import run
from training.errors import RolloutError
from training.grpo import trl
from training.online.server import ServerSampler
from training.served import transport

HOT = {"sampling.temperature": 2.0, "sampling.max_new_tokens": 4, "data.validation_rows": 2}


@pytest.fixture
def engine(speaker: Path) -> Engine:
    return Engine(speaker)


@pytest.fixture
def url(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The engine's, which is asked again at once where it breaks a connection."""
    monkeypatch.setattr(transport, "FIRST_WAIT", 0.0)
    with serving(engine) as address:
        yield address


def test_a_run_samples_from_the_server_with_a_new_version_each_step(
    online: Online, tmp_path: Path, engine: Engine, url: str
) -> None:
    changes = {"value.warmup_steps": 1, "train.rollout_rows": 4}
    path = online("ppo", server={"url": url}, **HOT, **changes)  # hot enough that rewards differ
    made = run.train(path, runs=tmp_path, report=quiet)
    # The adapter as it began (the evaluation, and two steps, as the first one changed the value head alone),
    # after steps 2 and 3; rounding the last one for serving changes nothing for the server.
    assert len(engine.loaded) == 3
    assert all(name.startswith("tiny-training@") for name in engine.loaded)
    assert engine.loaded[-1] == f"tiny-training@{artefact.version_of(made)}"
    assert engine.live == {}  # it is left as it was found
    assert len(set(engine.seeds)) >= 3 * 4  # every answer of a step has its own seed
    assert list((tmp_path / "tiny" / "served").iterdir()) == []
    lines = metrics(tmp_path / "tiny")
    assert [line["step"] for line in lines if "reward" in line] == [1, 2, 3]
    assert abs(lines[-1]["eval_kl"]) > 1e-3
    assert torch.isfinite(
        torch.tensor([line["policy_loss"] for line in lines if "policy_loss" in line])
    ).all()


def test_groups_come_from_the_server(online: Online, tmp_path: Path, engine: Engine, url: str) -> None:
    path = online("grpo", server={"url": url}, **HOT)
    made = run.train(path, runs=tmp_path / "one", report=quiet)
    assert has_learned(made)
    assert len(engine.loaded) == 1 + 3  # as it began, and after each step
    assert engine.loaded[-1] == f"tiny-training@{artefact.version_of(made)}"
    assert engine.live == {}
    assert len(engine.seeds) == 3 * 8 + 2 * 2  # three steps of two prompts, and the held-out ones twice
    assert len(set(engine.seeds)) == 3 * 8 + 2
    lines = [line for line in metrics(made.parent) if "reward" in line]
    assert all(line["sampling_seconds"] > 0 and line["tokens_per_second"] > 0 for line in lines)
    assert lines[0]["sampling_difference"] < 1e-4  # B is zero, so rounding takes nothing from the adapter
    assert 1e-6 < lines[-1]["sampling_difference"] <= lines[-1]["sampling_difference_max"] < 0.2
    assert all(line["sampling_ratio"] == pytest.approx(1, abs=0.05) for line in lines)
    assert_same(run.train(path, runs=tmp_path / "other", report=quiet), made)


def test_a_server_of_another_opinion_is_corrected_for(
    online: Online, tmp_path: Path, speaker: Path, engine: Engine, url: str
) -> None:
    """One whose log-probabilities are two nats too low: each ratio would be e² = 7.4, and is cut to 3."""

    class Low(Engine):
        def completions(self, body: dict[str, Any]) -> Said:
            status, said = super().completions(body)
            if status == 200 and body["top_k"] != 1:
                found = said["choices"][0]["logprobs"]
                found["token_logprobs"] = [one - 2 for one in found["token_logprobs"]]
            return status, said

    plan: dict[str, Any] = {**HOT, "kl_coefficient": 0.0, "train.steps": 1}
    lines = []
    with serving(Low(speaker)) as other:
        for name, address in (("right", url), ("low", other)):
            path = online("grpo", server={"url": address}, name=name, **plan)
            lines += [
                line
                for line in metrics(run.train(path, runs=tmp_path, report=quiet).parent)
                if "loss" in line
            ]
    right, low = lines
    assert low["sampling_difference"] == pytest.approx(2, abs=1e-3)
    assert low["sampling_ratio"] == 3
    assert right["grad_norm"] > 0
    assert low["grad_norm"] == pytest.approx(3 * right["grad_norm"], rel=1e-3)


def test_rloo_is_sampled_too(online: Online, tmp_path: Path, engine: Engine, url: str) -> None:
    made = run.train(online("rloo", server={"url": url}, **HOT), runs=tmp_path, report=quiet)
    assert has_learned(made)
    assert len(engine.loaded) == 1 + 3
    assert engine.live == {}


@pytest.mark.parametrize("moved", [False, True])
def test_a_run_that_is_killed_goes_on_and_leaves_nothing_behind(
    online: Online, tmp_path: Path, engine: Engine, url: str, *, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    plan: dict[str, Any] = {**HOT, "train.steps": 6, "train.save_every": 4, "iterations": 2}
    path = online("grpo", QUESTIONS[:10], server={"url": url}, **plan)
    whole = run.train(path, runs=tmp_path / "whole", report=quiet)
    with monkeypatch.context() as patch:
        patch.setattr(ServerSampler, "close", lambda *_: None)  # as SIGKILL leaves it
        break_off(5, trl.Grpo, path, tmp_path, monkeypatch)
    [left] = engine.live
    if not moved:
        assert_same(gone_on(path, tmp_path, after=4), whole)
        assert engine.live == {}
        return
    other = Engine(engine.base)
    with serving(other) as address:
        path = online("grpo", QUESTIONS[:10], server={"url": address}, **plan)
        assert_same(gone_on(path, tmp_path, after=4), whole)
    assert list(engine.live) == [left]  # that one was not told
    assert other.live == {}


def test_a_server_that_is_lost_stops_the_run_and_spoils_no_checkpoint(
    online: Online, tmp_path: Path, engine: Engine, url: str
) -> None:
    path = online("grpo", server={"url": url}, **HOT, **{"train.steps": 5, "train.save_every": 2})
    whole = run.train(path, runs=tmp_path / "whole", report=quiet)
    engine.seeds.clear()
    engine.asked.clear()
    engine.lost_after = 2 + 3 * 8 + 2  # in the fourth step
    told: list[str] = []
    with pytest.raises(
        RolloutError, match=r"nothing answers at .*/v1/completions .*goes on from the checkpoint of step"
    ):
        run.train(path, runs=tmp_path, report=told.append)
    since_it_was_loaded = engine.asked[::-1].index("/v1/load_lora_adapter")
    assert since_it_was_loaded <= 1 + 8 * transport.ATTEMPTS + 1  # that of before unloaded, answers, the last
    assert re.match(r"warning: tiny-training@.* may still be loaded at .*: nothing answers", told[-1])
    assert "checkpoint" not in told[-1]  # that is the error's to say
    tries = [found[1] for line in told if (found := re.search(r"try (\d) of 5 follows", line))]
    assert tries == ["2", "3", "4", "5"]  # each once, though eight answers were asked for at once
    assert sorted(entry.name for entry in (tmp_path / "tiny" / "checkpoints").iterdir()) == ["checkpoint-2"]
    engine.gone, engine.lost_after = False, 10**9
    assert_same(gone_on(path, tmp_path, after=2), whole)
    assert engine.live == {}


def test_a_run_that_fails_unloads_its_adapter(
    online: Online, tmp_path: Path, engine: Engine, url: str
) -> None:
    path = online("grpo", server={"url": url}, rewards=[{"rule": "tests.training.asking:broken"}])
    with pytest.raises(Exception, match="the rule broken failed"):
        run.train(path, runs=tmp_path, report=quiet)
    assert len(engine.loaded) == 1
    assert engine.live == {}


NAMES = ("alone", "shared")


def _train(recipe: Path, runs: Path) -> None:
    run.train(recipe, runs=runs, report=quiet)


def test_two_processes_are_given_the_answers_of_one(
    online: Online, tmp_path: Path, engine: Engine, url: str
) -> None:
    path = online("grpo", QUESTIONS[:15], server={"url": url}, **HOT, **{"train.accumulate": 4})
    _train(path, tmp_path / NAMES[0])
    alone = sorted(engine.seeds)
    engine.seeds.clear()
    side_by_side.both(tmp_path / "meeting", _train, path, tmp_path / NAMES[1])
    assert sorted(engine.seeds) == alone
    assert engine.live == {}
    weights = [load_file(tmp_path / name / "tiny" / "artefact" / artefact.WEIGHTS) for name in NAMES]
    for name, weight in weights[0].items():  # rounded to bfloat16
        torch.testing.assert_close(weights[1][name], weight, rtol=2**-7, atol=1e-6)
