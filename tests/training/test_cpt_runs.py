"""Whole runs of cpt: what learns and when, what is measured, the stop; a killed run ends the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from pointsman import artefact
from tests.training.continued import NEW_WORDS, Continued, replay
from tests.training.disturbed import assert_same, break_off, gone_on
from tests.training.test_cpt_recipe import loaded
from tests.training.test_run import metrics, quiet
from training import run
from training.cpt import stage
from training.errors import BaseError, ForgotTooMuch, NothingToLearn, RunConflict
from training.models import base as bases
from training.trainers import likelihood, trl

EVERY_2 = {"train.evaluate_every": 2, "train.save_every": 2}
GROWN: dict[str, Any] = {"vocabulary": {"pieces": 12, "min_count": 2}}
FROZEN: dict[str, Any] = {
    "method": "freeze",
    "freeze": {"learn_last": 1},
    "unfreeze": [{"step": 2, "learn_first": 1}, {"step": 5, "learn": "norm"}],
}
WEIGHTS = "model.safetensors"


def killed(path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch, step: int) -> Path:
    """The artefact of a run that is broken off within ``step``, and started again."""
    break_off(step, trl.Likelihood, path, runs, monkeypatch)
    return gone_on(path, runs)


def assert_same_gain(one: Path, other: Path) -> None:
    """Two runs left the same: weights and tokenizer to the bit, and every number."""
    assert_same(one, other)
    for name in ("tokenizer.json", "config.json", "../gain.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.parametrize(
    "method",
    [FROZEN | GROWN, {"method": "lora", "lora": {"rank": 4, "dropout": 0.2}} | GROWN],
    ids=["unfreezing", "lora"],
)
def test_killed_and_started_again_it_ends_the_same(
    continued: Continued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: dict[str, Any]
) -> None:
    path = continued(replay=replay(tmp_path), probe={"rows": 5, "max_forgetting": 9}, **method, **EVERY_2)
    whole = run.train(path, runs=tmp_path / "whole", report=quiet)
    assert_same_gain(whole, killed(path, tmp_path / "killed", monkeypatch, step=5))


@pytest.mark.parametrize("bound", [{}, {"max_forgetting": 9}])
def test_a_run_that_an_older_release_began_is_refused_before_it_goes_on(
    continued: Continued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: dict[str, float]
) -> None:
    path = continued(replay=replay(tmp_path), probe={"rows": 5, **bound}, **EVERY_2)
    break_off(5, trl.Likelihood, path, tmp_path, monkeypatch)
    file = tmp_path / "tiny" / "metrics.jsonl"
    text = file.read_text("utf-8")
    file.write_text(text.replace("eval_nats/", f"eval_nats/{tmp_path}/"), "utf-8")  # as it was called before
    said = (
        rf"tiny was begun by an older release, .* {tmp_path}/general\.jsonl.*; here they are general\.jsonl"
    )
    with pytest.raises(
        RunConflict, match=rf"{said}, new\.jsonl, so it can't go on\. Give this recipe another"
    ):
        run.train(path, runs=tmp_path, report=quiet)


def test_the_new_text_is_gained_and_all_is_on_record(
    continued: Continued, base: Path, tmp_path: Path
) -> None:
    told: list[str] = []
    path = continued(replay=replay(tmp_path), probe={"rows": 5}, **GROWN, **EVERY_2)
    made = run.train(path, runs=tmp_path, report=told.append)
    new, general = json.loads((made.parent / "gain.json").read_text("utf-8"))
    assert new["text"] == "new.jsonl"
    assert "per token of the base's tokenizer" in (made.parent / "gain.md").read_text("utf-8")
    assert new["tokens_per_character"] < 0.7 * new["tokens_per_character_before"]
    assert new["change"] < -1.0
    assert general["general"]
    assert any(line == (made.parent / "gain.md").read_text("utf-8").rstrip("\n") for line in told)
    assert (made.parent / "gain.png").read_bytes().startswith(b"\x89PNG")
    (mixed,) = (line for line in told if line.startswith("tokens of an epoch: "))
    assert 40 <= float(mixed.rpartition(" ")[2].rstrip("%")) < 43

    numbers = artefact.read_manifest(made).metrics
    assert numbers["forgetting"] == pytest.approx(general["change"], abs=1e-6)
    assert numbers["new_perplexity_before"] == pytest.approx(new["perplexity_before"], abs=1e-6)
    lines = metrics(made.parent)
    evaluated = [line for line in lines if f"eval_nats/{new['text']}" in line]
    assert [line["step"] for line in evaluated] == [0, 2, 4, 6]
    assert "token_accuracy" not in evaluated[1]

    tokenizer = bases.load_tokenizer(str(made))
    model: Any = bases.load_model(str(made))
    assert model.config.vocab_size == len(tokenizer) == len(bases.load_tokenizer(str(base))) + 12
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert len(tokenizer(" ".join(NEW_WORDS))["input_ids"]) < 25
    assert artefact.read_manifest(made).base == artefact.identify_base(base)


def test_an_adapter_is_one_and_without_an_alias_it_is_merged(
    continued: Continued, base: Path, tmp_path: Path
) -> None:
    lora = {"method": "lora", "lora": {"rank": 4}}
    adapter = run.train(continued(name="one", alias="tiny", **lora), runs=tmp_path, report=quiet)
    merged = run.train(continued(name="two", **lora), runs=tmp_path, report=quiet)
    assert artefact.read_manifest(adapter).alias == "tiny"
    assert {name.rpartition(".")[0][-6:] for name in load_file(adapter / artefact.WEIGHTS)} == {
        "lora_A",
        "lora_B",
    }
    before, after = load_file(base / WEIGHTS), load_file(merged / WEIGHTS)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert before.keys() == after.keys()
    assert changed == {name for name in before if "proj" in name}
    losses = [artefact.read_manifest(made).metrics["eval_loss"] for made in (adapter, merged)]
    assert losses[0] == pytest.approx(losses[1], abs=0.02)  # A and B are rounded, or their product


class Seen(TrainerCallback):  # type: ignore[misc]
    """Which weights had a gradient in each step, and how far the optimiser has counted for them."""

    steps: list[set[str]]

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        named = kwargs["model"].named_parameters()
        self.steps.append({name for name, weight in named if weight.grad is not None})


def test_layers_are_released_at_their_steps(
    continued: Continued, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Seen()
    seen.steps = []
    build = likelihood.build

    def watched(*args: Any) -> Any:
        made = build(*args)
        made.add_callback(seen)
        return made

    monkeypatch.setattr(likelihood, "build", watched)
    made = run.train(continued(**FROZEN, **{"train.weight_decay": 0.1}), runs=tmp_path, report=quiet)
    before = load_file(base / WEIGHTS)
    last = {name for name in before if ".layers.1." in name}
    all_layers = {name for name in before if ".layers." in name}
    expected = [last] * 2 + [all_layers] * 3 + [all_layers | {"model.norm.weight"}]
    assert seen.steps == expected
    after = load_file(made / WEIGHTS)
    assert torch.equal(before["model.embed_tokens.weight"], after["model.embed_tokens.weight"])


def test_new_tokens_learn_while_the_layers_are_frozen(
    continued: Continued, base: Path, tmp_path: Path
) -> None:
    made = run.train(
        continued(method="freeze", freeze={"learn_last": 1}, **GROWN), runs=tmp_path, report=quiet
    )
    before, after = load_file(base / WEIGHTS), load_file(made / WEIGHTS)
    moved = {name for name in before if not torch.equal(before[name], after[name][: len(before[name])])}
    assert "model.embed_tokens.weight" in moved
    assert not {name for name in moved if ".layers.0." in name}


def test_a_release_of_nothing_new_or_after_the_end_is_refused(continued: Continued, tmp_path: Path) -> None:
    again = {"method": "freeze", "freeze": {"learn_last": 2}, "unfreeze": [{"step": 2, "learn_last": 1}]}
    with pytest.raises(BaseError, match=r"unfreeze\.0: at step 2 nothing new is released"):
        run.train(continued(**again), runs=tmp_path, report=quiet)
    late = FROZEN | {"train.steps": None, "train.epochs": 0.2}
    with pytest.raises(NothingToLearn, match=r"unfreeze\.1: the run ends after \d steps"):
        run.train(continued(**late), runs=tmp_path, report=quiet)


def test_embeddings_take_no_adapter(continued: Continued, tmp_path: Path) -> None:
    path = continued(method="lora", lora={"rank": 4, "targets": ["q_proj", "lm_head"]})
    with pytest.raises(BaseError, match=r"lora\.targets: lm_head holds the base's embeddings"):
        stage.learning(loaded(path), bases.load_model(str(loaded(path).base)))


def forgetting(lines: list[dict[str, float]], text: Path) -> dict[int, float]:
    """Step → how much worse the text is than at step 0."""
    found = {
        int(line["step"]): line[f"eval_nats/{text.name}"]
        for line in lines
        if f"eval_nats/{text.name}" in line
    }
    return {step: nats - found[0] for step, nats in found.items()}


def forgetful(tmp_path: Path, bound: float, **changes: Any) -> dict[str, Any]:
    """A recipe's changes: it learns fast, and general text is only measured."""
    probe = {"rows": 20, "sources": replay(tmp_path)["sources"], "max_forgetting": bound}
    return {"probe": probe, "train.steps": 8, "train.learning_rate": 0.02, **EVERY_2} | changes


def test_a_run_that_forgets_too_much_stops_and_gives_back_the_last_that_did_not(
    continued: Continued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = 0.16
    path = continued(**forgetful(tmp_path, bound))
    told: list[str] = []
    made = run.train(path, runs=tmp_path, report=told.append)
    course = forgetting(metrics(made.parent), tmp_path / "general.jsonl")
    assert [*course] == [0, 2, 4]
    assert 0 < course[2] < bound < course[4]
    numbers = artefact.read_manifest(made).metrics
    assert numbers["steps"] == 2
    assert numbers["forgetting"] == pytest.approx(course[2], abs=0.01)  # rounded to bfloat16
    assert any("at step 4 the general text was" in line and "is that of step 2" in line for line in told)
    kept, saved = load_file(made.parent / "within-bound.safetensors"), load_file(made / WEIGHTS)
    assert kept.keys() == saved.keys()
    assert all(torch.equal(kept[name].bfloat16(), saved[name]) for name in kept)
    assert not (made.parent / "checkpoints" / "checkpoint-4").exists()

    assert_same_gain(made, killed(path, tmp_path / "killed", monkeypatch, step=3))


def test_a_merged_adapter_beyond_the_bound_goes_back_too(continued: Continued, tmp_path: Path) -> None:
    quick = {"method": "lora", "lora": {"rank": 8}, "train.evaluate_every": 1, **GROWN}
    made = run.train(continued(**forgetful(tmp_path, 0.15, **quick)), runs=tmp_path, report=quiet)
    course = forgetting(metrics(made.parent), tmp_path / "general.jsonl")
    numbers = artefact.read_manifest(made).metrics
    last = max(step for step, change in course.items() if change <= 0.15)
    assert max(course) < 8
    assert numbers["steps"] == last == max(course) - 1
    assert numbers["forgetting"] == pytest.approx(course[last], abs=0.01)


def test_a_first_evaluation_beyond_the_bound_gives_nothing(continued: Continued, tmp_path: Path) -> None:
    path = continued(**forgetful(tmp_path, 1e-4))
    with pytest.raises(ForgotTooMuch, match=r"more than probe\.max_forgetting \(0\.0001\); lower"):
        run.train(path, runs=tmp_path, report=quiet)
    assert not (tmp_path / "tiny" / "artefact").exists()
