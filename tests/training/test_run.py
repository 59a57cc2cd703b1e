"""A run from recipe to artefact: repeatable, on record, and loadable where it is served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file

from pointsman import artefact
from tests.training.conftest import Recipe, make_base
from tests.training.rows import CONVERSATIONS, ROOT, said
from training import run
from training.errors import AdapterError, BaseError, LossNotFinite, RunConflict
from training.models import base as bases
from training.trainers import trl


def quiet(_: str) -> None:
    """No report."""


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]


def test_the_same_seed_gives_the_same_bytes(recipe: Recipe, tmp_path: Path) -> None:
    path = recipe(**{"lora.dropout": 0.1})
    first = run.train(path, runs=tmp_path / "a", report=quiet)
    second = run.train(path, runs=tmp_path / "b", report=quiet)
    assert artefact.version_of(first) == artefact.version_of(second)
    other = run.train(path, overrides=["seed=1"], runs=tmp_path / "c", report=quiet)
    assert artefact.version_of(other) != artefact.version_of(first)


def test_a_run_leaves_everything_in_its_folder(recipe: Recipe, base: Path, tmp_path: Path) -> None:
    said_lines: list[str] = []
    long = said("red?", "blue " * 300)
    path = recipe([*CONVERSATIONS, long], **{"train.steps": 5, "train.evaluate_every": 1})
    made = run.train(path, runs=tmp_path / "runs", report=said_lines.append)
    folder = tmp_path / "runs" / "tiny"
    assert made == folder / "artefact"

    manifest = artefact.read_manifest(made)
    assert manifest.alias == "tiny"
    assert manifest.stage == "sft"
    assert manifest.base == artefact.identify_base(base)
    assert manifest.recipe == yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
    assert list(manifest.data) == [str(tmp_path / "tiny.jsonl")]
    assert manifest.parent is None
    assert manifest.metrics["steps"] == 5
    assert manifest.metrics["train_rows"] == 40
    assert manifest.metrics["dropped_rows"] == 1
    assert "dropped 1 rows: longer than max_tokens (256)" in said_lines

    lines = metrics(folder)
    evaluated = [line["step"] for line in lines if "eval_loss" in line]
    assert evaluated == [1, 2, 3, 4, 5]  # the last one once, although it is the closing one too
    assert lines[-1]["eval_loss"] == pytest.approx(manifest.metrics["eval_loss"], abs=1e-6)
    assert [line["step"] for line in lines if "loss" in line] == [2, 4, 5]
    losses = [line["loss"] for line in lines if "loss" in line]
    mean = (2 * losses[0] + 2 * losses[1] + losses[2]) / 5
    assert manifest.metrics["train_loss"] == pytest.approx(mean, abs=1e-5)
    assert losses[-1] < losses[0]
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")

    assert run.train(path, runs=tmp_path / "runs", report=said_lines.append) == made
    assert "is finished" in said_lines[-1]


def test_held_out_numbers_are_means_over_tokens_however_rows_are_batched(
    recipe: Recipe, tmp_path: Path
) -> None:
    rows = [said("red?", "blue " * (1 + 3 * at)) for at in range(12)]  # means over batches would differ
    found = []
    for size in (1, 3, 4, 6):
        path = recipe(rows, name=f"by-{size}", **{"train.batch_rows": size})
        changes = ["train.learning_rate=1e-9", "train.steps=1"]
        made = run.train(path, overrides=changes, runs=tmp_path, report=quiet)
        found.append(artefact.read_manifest(made).metrics)
    for name in ("eval_loss", "eval_token_accuracy"):
        assert [one[name] for one in found] == pytest.approx([found[0][name]] * 4, abs=2e-6), name


def test_the_artefact_is_what_was_trained_and_evaluated(
    recipe: Recipe, base: Path, tokenizer: Any, tmp_path: Path
) -> None:
    path = recipe(rows=[said("red?", "green 7")] * 12, **{"train.steps": 20, "train.learning_rate": 0.03})
    made = run.train(path, runs=tmp_path, report=quiet)
    state = load_file(made / artefact.WEIGHTS)
    assert {tensor.dtype for tensor in state.values()} == {torch.bfloat16}
    assert all("lora_" in name for name in state)
    adapted: Any = PeftModel.from_pretrained(bases.load_model(str(base)), str(made))
    ids = tokenizer.apply_chat_template(
        said("red?", "green 7")["messages"], return_dict=True, return_assistant_tokens_mask=True
    )
    tokens = torch.tensor(ids["input_ids"])
    learned = torch.tensor(ids["assistant_masks"])[1:].bool()

    def loss() -> float:
        with torch.no_grad():
            logits = adapted(input_ids=tokens[None]).logits[0]
        return float(torch.nn.functional.cross_entropy(logits[:-1][learned], tokens[1:][learned]))

    evaluated = artefact.read_manifest(made).metrics["eval_loss"]
    assert loss() == pytest.approx(evaluated, abs=1e-5)
    with adapted.disable_adapter():
        assert loss() > evaluated + 0.2
    config = json.loads((made / artefact.CONFIG).read_text("utf-8"))
    assert config["target_modules"] == sorted(config["target_modules"])
    assert config["base_model_name_or_path"] == str(base)


def test_an_adapter_that_goes_on_names_its_parent(recipe: Recipe, tmp_path: Path) -> None:
    first = run.train(recipe(), runs=tmp_path, report=quiet)
    path = recipe(rows=[said("red?", "green")] * 12, name="second", init_adapter=str(first))
    second = run.train(path, overrides=["train.learning_rate=1e-12"], runs=tmp_path, report=quiet)
    assert artefact.read_manifest(second).parent == f"tiny@{artefact.version_of(first)}"
    before, after = load_file(first / artefact.WEIGHTS), load_file(second / artefact.WEIGHTS)
    assert all(torch.equal(before[name], after[name]) for name in before)  # it did begin there


def test_an_adapter_of_another_base_or_shape_is_refused(recipe: Recipe, base: Path, tmp_path: Path) -> None:
    first = run.train(recipe(), runs=tmp_path, report=quiet)
    other = make_base(tmp_path / "other", seed=1)
    path = recipe(name="second", init_adapter=str(first), base=str(other))
    with pytest.raises(BaseError, match=rf"was trained on another base than {other}: weights \w+ then"):
        run.train(path, runs=tmp_path, report=quiet)
    path = recipe(name="third", init_adapter=str(first), **{"lora.rank": 8})
    with pytest.raises(AdapterError, match="lora: rank is 8 in the recipe, 4 in the adapter; leave"):
        run.train(path, runs=tmp_path, report=quiet)
    path = recipe(name="fourth", init_adapter=str(base))
    with pytest.raises(AdapterError, match=r"init_adapter .*manifest\.json: no such file"):
        run.train(path, runs=tmp_path, report=quiet)


def test_a_base_can_be_made_from_nothing_and_served(tmp_path: Path, recipe: Recipe) -> None:
    path = recipe(
        [*CONVERSATIONS, {"text": "A red parcel. " * 40}],
        base=None,
        alias=None,
        lora=None,
        stage="cpt",
        model={
            "hidden_size": 32,
            "layers": 2,
            "heads": 2,
            "kv_heads": 1,
            "intermediate_size": 64,
            "context": 128,
        },
        tokenizer={
            "vocab_size": 400,
            "sample_rows": 40,
            "chat_template": str(ROOT / "deploy" / "demo" / "chat_template.jinja"),
        },
        **{"data.max_tokens": 64},
    )
    made = run.train(path, runs=tmp_path / "a", report=quiet)
    again = run.train(path, runs=tmp_path / "b", report=quiet)
    assert artefact.identify_base(made) == artefact.identify_base(again)
    tokenizer: Any = bases.load_tokenizer(str(made))
    model: Any = bases.load_model(str(made))
    assert tokenizer.eos_token == "<|im_end|>"
    assert model.generation_config.eos_token_id == sorted([tokenizer.eos_token_id, tokenizer.pad_token_id])
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    manifest = artefact.read_manifest(made)
    assert (manifest.stage, manifest.base, manifest.base_model) == ("cpt", None, "")


def test_a_loss_that_is_no_number_stops_the_run_and_spoils_no_checkpoint(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(**{"train.steps": 12, "train.save_every": 3, "train.log_every": 5})
    whole = run.train(path, runs=tmp_path / "whole", report=quiet)
    step = trl.Likelihood.training_step

    def broken(self: Any, *args: Any, **kwargs: Any) -> Any:
        loss = step(self, *args, **kwargs)
        return loss * float("nan") if self.state.global_step == 7 else loss

    with monkeypatch.context() as patch:
        patch.setattr(trl.Likelihood, "training_step", broken)
        with pytest.raises(
            LossNotFinite, match=r"the loss is nan at step 9; a lower learning_rate \(now 0.01\)"
        ):
            run.train(path, runs=tmp_path, report=quiet)
    folder = tmp_path / "tiny"
    assert not (folder / "artefact").exists()
    assert sorted(entry.name for entry in (folder / "checkpoints").glob("checkpoint-*")) == [
        "checkpoint-3",
        "checkpoint-6",
    ]
    gone_on = run.train(path, runs=tmp_path, report=quiet)
    assert artefact.version_of(gone_on) == artefact.version_of(whole)


def test_attention_is_left_to_other_kernels_than_cudnns(
    monkeypatch: pytest.MonkeyPatch, recipe: Recipe, tmp_path: Path
) -> None:
    """Its gradients of rows with padding can be NaN (pytorch #196678)."""
    torch.backends.cuda.enable_cudnn_sdp(True)

    def prepared(*_: Any) -> Any:
        assert not torch.backends.cuda.cudnn_sdp_enabled()  # type: ignore[no-untyped-call]
        raise BaseError("far enough")

    monkeypatch.setattr("training.sft.learning.prepare", prepared)
    with pytest.raises(BaseError, match="far enough"):
        run.train(recipe(), runs=tmp_path, report=quiet)


def test_a_folder_holds_one_recipe(recipe: Recipe, tmp_path: Path) -> None:
    path = recipe()
    run.train(path, runs=tmp_path, report=quiet)
    with pytest.raises(RunConflict, match=r"another recipe \(train\.learning_rate: 0\.01 then, 0\.5 now\)"):
        run.train(path, overrides=["train.learning_rate=0.5"], runs=tmp_path, report=quiet)
    (tmp_path / "tiny" / "config.yaml").unlink()
    with pytest.raises(RunConflict, match=r"holds a run without its config\.yaml.*Put the file back"):
        run.train(path, runs=tmp_path, report=quiet)
