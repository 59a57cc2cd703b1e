"""Preference-tuned adapters, and what they share with reward models, from recipe to result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from peft import PeftModel
from safetensors.torch import load_file

from pointsman import artefact
from service.adapters.base import read_base
from service.adapters.checks import check
from service.sections import EngineSettings
from tests.training.conftest import Recipe
from tests.training.disturbed import untimed
from tests.training.preferences import LABELS, Options, dpo, loaded, pair, rm
from tests.training.test_run import metrics, quiet
from training import run
from training.data.preparing import prepare_pairs
from training.errors import LossNotFinite
from training.models import base as bases
from training.models import logprobs
from training.trainers import trl

LOSSES: dict[str, Options] = {
    "sigmoid": {"sft_weight": 0.5},
    "ipo": {},
    "hinge": {},
    "robust": {"label_smoothing": 0.1},
    "kto": {},
    "orpo": {},
    "simpo": {},
}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_parts_good_answers_from_bad_ones(
    loss: str, recipe: Recipe, base: Path, tmp_path: Path
) -> None:
    path = dpo(recipe, loss=loss, **LOSSES[loss], **{"train.steps": 3, "train.evaluate_every": 2})
    made = run.train(path, runs=tmp_path / "a", report=quiet)
    assert {entry.name for entry in made.iterdir()} == {artefact.WEIGHTS, artefact.CONFIG, artefact.MANIFEST}
    assert all("lora_" in name for name in load_file(made / artefact.WEIGHTS))
    served = read_base(EngineSettings(model=str(base), model_name="demo"), tmp_path / "state")
    assert check(made.parent, made.name, served, 64).version == artefact.version_of(made)
    manifest = artefact.read_manifest(made)
    found = manifest.metrics
    assert manifest.stage == "dpo"
    gained = found["eval_chosen_logp"] - found["eval_chosen_logp_start"]
    assert gained > found["eval_rejected_logp"] - found["eval_rejected_logp_start"]
    lines = metrics(tmp_path / "a" / "tiny")
    assert lines[-1]["eval_loss"] == pytest.approx(found["eval_loss"], abs=1e-6)
    per = "token_logp" if loss in ("orpo", "simpo") else "logp"
    for line in lines:
        at = "eval_" if "eval_loss" in line else ""
        expected = {f"{at}loss", f"{at}margin", f"{at}chosen_{per}", f"{at}rejected_{per}"}
        assert expected <= line.keys()
        assert loss == "kto" or f"{at}accuracy" in line
    assert (tmp_path / "a" / "tiny" / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_bytes(recipe: Recipe, tmp_path: Path) -> None:
    for path in (dpo(recipe, name="dpo"), dpo(recipe, name="kto", loss="kto"), rm(recipe, name="rm")):
        first, second = (run.train(path, runs=tmp_path / where, report=quiet) for where in ("a", "b"))
        weights = "model.safetensors" if path.stem == "rm" else artefact.WEIGHTS
        assert (first / weights).read_bytes() == (second / weights).read_bytes()
        numbers = [artefact.read_manifest(folder).metrics for folder in (first, second)]
        assert untimed(numbers)[0] == untimed(numbers)[1]


def test_log_probabilities_are_those_of_the_adapter_as_saved(
    recipe: Recipe, base: Path, tokenizer: Any, tmp_path: Path
) -> None:
    made = run.train(dpo(recipe), runs=tmp_path, report=quiet)
    found = artefact.read_manifest(made).metrics
    held_out = prepare_pairs.pairs(loaded(dpo(recipe)), base, quiet).validation
    adapted: Any = PeftModel.from_pretrained(bases.load_model(str(base)), str(made))
    pad = tokenizer.pad_token_id
    assert logprobs.answers(adapted, held_out.chosen, pad).mean() == pytest.approx(
        found["eval_chosen_logp"], abs=1e-5
    )
    with adapted.disable_adapter():  # a fresh adapter's reference
        start = logprobs.answers(adapted, held_out.rejected, pad)
    assert start.mean() == pytest.approx(found["eval_rejected_logp_start"], abs=1e-5)
    assert abs(found["eval_rejected_logp_start"] - found["eval_rejected_logp"]) > 0.01


def test_an_adapter_to_go_on_from_is_the_reference(
    recipe: Recipe, base: Path, tokenizer: Any, tmp_path: Path
) -> None:
    path = recipe(name="sft", **{"train.steps": 20, "train.learning_rate": 0.03})
    first = run.train(path, runs=tmp_path, report=quiet)
    path = dpo(recipe, name="second", init_adapter=str(first), **{"train.log_every": 1})
    second = run.train(path, runs=tmp_path, report=quiet)
    manifest = artefact.read_manifest(second)
    assert manifest.parent == f"tiny@{artefact.version_of(first)}"
    assert artefact.version_of(second) != artefact.version_of(first)
    begun = metrics(tmp_path / "second")[0]
    assert begun["margin"] == 0.0  # policy and reference are one ...
    assert begun["loss"] == pytest.approx(np.log(2))

    held_out = prepare_pairs.pairs(loaded(path), base, quiet).validation
    adapted: Any = PeftModel.from_pretrained(bases.load_model(str(base)), str(first))
    start = logprobs.answers(adapted, held_out.chosen, tokenizer.pad_token_id).mean()
    assert manifest.metrics["eval_chosen_logp_start"] == pytest.approx(start, abs=1e-5)
    with adapted.disable_adapter():
        plain = logprobs.answers(adapted, held_out.chosen, tokenizer.pad_token_id).mean()
    assert abs(plain - start) > 0.5  # the base would have been another reference


def test_a_falling_chosen_answer_is_told_once(recipe: Recipe, tmp_path: Path) -> None:
    """Both answers share all but their end, so what pushes one down pushes the other down too."""
    rows = [
        pair(f"Where is {i}?", f"early late red {i} seven", f"early late red {i} eleven") for i in range(20)
    ]
    lines: list[str] = []
    path = recipe(
        rows,
        form="pairs",
        stage="dpo",
        chosen_fall=0.01,
        **{"train.learning_rate": 0.3, "train.steps": 12, "train.log_every": 1},
    )
    run.train(path, runs=tmp_path, report=lines.append)
    warned = [line for line in lines if line.startswith("warning: ")]
    assert len([line for line in warned if "warning: at step " in line]) == 1
    assert "nats under its start (bound: 0.01)" in warned[0]
    found = artefact.read_manifest(tmp_path / "tiny" / "artefact").metrics
    assert found["eval_chosen_logp"] < found["eval_chosen_logp_start"]
    assert "on held-out rows" in warned[-1]


def test_labels_train_kto(recipe: Recipe, tmp_path: Path) -> None:
    made = run.train(recipe(LABELS, form="labels", stage="dpo", loss="kto"), runs=tmp_path, report=quiet)
    assert artefact.read_manifest(made).metrics["eval_margin"] > 0


def test_a_loss_that_is_no_number_stops_the_run(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = trl.Dpo.training_step

    def broken(self: Any, *args: Any, **kwargs: Any) -> Any:
        loss = step(self, *args, **kwargs)
        return loss * float("nan") if self.state.global_step == 1 else loss

    monkeypatch.setattr(trl.Dpo, "training_step", broken)
    with pytest.raises(LossNotFinite, match="the loss is nan at step 2"):
        run.train(dpo(recipe, **{"train.log_every": 1}), runs=tmp_path, report=quiet)


@pytest.mark.parametrize("loss", ["orpo", "simpo"])
def test_what_is_held_out_is_measured_alike_in_batches_of_any_size(
    loss: str, recipe: Recipe, tmp_path: Path
) -> None:
    rows = [pair(f"Where is {i}?", " ".join(["red"] * (1 + 9 * (i % 3))), "late") for i in range(20)]
    given = {"form": "pairs", "stage": "dpo", "loss": loss, "data.validation_rows": 9}
    given |= {"sft_weight": 0.5} if loss == "simpo" else {}
    learned = recipe(rows, name="learned", **given, **{"train.steps": 10, "train.learning_rate": 0.05})
    given["init_adapter"] = str(run.train(learned, runs=tmp_path, report=quiet))
    found = []
    for size in (1, 2, 9):
        still = {"train.steps": 1, "train.learning_rate": 1e-9, "train.batch_rows": size}
        made = run.train(recipe(rows, name=f"by-{size}", **given, **still), runs=tmp_path, report=quiet)
        found.append(artefact.read_manifest(made).metrics["eval_loss"])
    assert found == pytest.approx([found[0]] * 3, abs=1e-4)
