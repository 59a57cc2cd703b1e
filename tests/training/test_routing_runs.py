"""The stage router: an encoder learns to keep intents apart, can be stopped, and is what a router loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from router.encoding.encoder import Encoder
from tests.training.intents import loaded, texts, write
from tests.training.test_run import metrics, quiet
from training import run
from training.errors import (
    RunConflict,
)
from training.routing import rows
from training.routing.learner import Learner


def test_an_encoder_learns_its_intents_and_a_router_loads_it(tmp_path: Path, encoder: Path) -> None:
    artefact = run.train(write(tmp_path, encoder), runs=tmp_path / "runs", report=quiet)
    lines = metrics(artefact.parent)
    evaluations = [line["eval_loss"] for line in lines if "eval_loss" in line]
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 13))
    assert evaluations[-1] < evaluations[0]
    assert (artefact.parent / "curves.png").is_file()

    before, after = (load_file(f / "model.safetensors") for f in (encoder, artefact))
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert moved
    assert all(".layer.2." in name or ".layer.3." in name for name in moved)  # the lower half stays

    known = Encoder.load(str(artefact))
    intents = rows.read(loaded(tmp_path / "recipe.yaml"))
    assert known.learned([row.text for row in intents.train]).all()
    assert not known.learned([*(row.text for row in intents.validation), "music", "loud music"]).any()
    manifest = json.loads((artefact / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["metrics"]["eval_loss"] == evaluations[-1]
    assert manifest["metrics"]["train_rows"] == len(intents.train)


def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, encoder)
    whole = run.train(path, runs=tmp_path / "whole", report=quiet)
    step = Learner.step

    def stopping(self: Learner, number: int, *rest: Any) -> dict[str, float]:
        if number == 7:
            raise KeyboardInterrupt
        return step(self, number, *rest)

    monkeypatch.setattr(Learner, "step", stopping)
    with pytest.raises(KeyboardInterrupt):
        run.train(path, runs=tmp_path / "broken", report=quiet)
    monkeypatch.setattr(Learner, "step", step)
    said: list[str] = []
    broken = run.train(path, runs=tmp_path / "broken", report=said.append)
    assert any("going on after step 4" in line for line in said)
    name = "model.safetensors"
    assert (broken / name).read_bytes() == (whole / name).read_bytes()
    assert metrics(broken.parent) == metrics(whole.parent)
    write(tmp_path, encoder, texts()[:-3])
    (broken / "manifest.json").unlink()
    with pytest.raises(RunConflict, match="begun with other rows"):
        run.train(path, runs=tmp_path / "broken", report=quiet)
