"""A reward model that is none is named by the recipe's key, its folder and what to do, by check and run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.training.asking import Online
from tests.training.conftest import SHAPE, Recipe, make_base
from tests.training.preferences import PAIRS
from tests.training.test_broken_files import cut, not_finite
from tests.training.test_run import quiet
from training import run
from training.errors import NotReady, RewardError
from training.models import base as bases
from training.models import tokenizer as bpe
from training.preflight import check

Change = Callable[[Path], object]
WEIGHTS = "model.safetensors"


@pytest.fixture
def judge(recipe: Recipe, tmp_path: Path) -> Path:
    path = recipe(PAIRS, form="pairs", stage="rm", name="judge", **{"train.steps": 1})
    return run.train(path, runs=tmp_path, report=quiet)


def settings(**changes: object) -> Change:
    """What changes the model's config.json."""
    return lambda folder: bases.rewrite_json(folder / "config.json", changes)


def headless(folder: Path) -> None:
    """Weights without the layer that gives the score."""
    held: dict[str, Tensor] = load_file(folder / WEIGHTS)
    del held["score.weight"]
    save_file(held, folder / WEIGHTS, metadata={"format": "pt"})


def another_vocabulary(folder: Path) -> None:
    """A tokenizer of no more pieces than the model knows, and other ones."""
    words = [f"{first}{second} " for first in "bcdfghklm" for second in ("ax", "oy", "uz", "ef")] * 30
    template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    bpe.train(words, vocab_size=400, chat_template=template, context=512).save_pretrained(folder)


def longer_vocabulary(folder: Path) -> None:
    """A tokenizer of more pieces than the model knows, which says nothing of what it was learned with."""
    save_file(load_file(folder / WEIGHTS), folder / WEIGHTS, metadata={"format": "pt"})
    tokenizer = bases.load_tokenizer(str(folder))
    tokenizer.add_tokens(["Oslo", "Bergen"])
    tokenizer.save_pretrained(folder)


def other_padding(folder: Path) -> None:
    """A tokenizer that pads with a piece that the model takes for text."""
    tokenizer = bases.load_tokenizer(str(folder))
    tokenizer.pad_token = "a"
    tokenizer.save_pretrained(folder)


BROKEN: dict[str, tuple[Change, str]] = {
    "not finite": (
        not_finite,
        r"model\.layers\.1\.mlp\.up_proj\.weight holds a number that is NaN or infinite",
    ),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), r"holds no model\.safetensors"),
    "weights cut short": (
        lambda folder: cut(folder / WEIGHTS),
        r"model\.safetensors \([0-9,]+ bytes\) is broken",
    ),
    "no settings": (lambda folder: (folder / "config.json").unlink(), "can't be loaded"),
    "no tokenizer": (
        lambda folder: (folder / "tokenizer.json").write_bytes(b"{}"),
        "can't be loaded: its tokenizer",
    ),
    "no template": (lambda folder: (folder / "chat_template.jinja").unlink(), "has no chat template"),
    "no head": (
        headless,
        r"weights are not those of a LlamaForSequenceClassification .* 1 of 21 weights are missing, as score",
    ),
    "two numbers": (settings(id2label={"0": "A", "1": "B"}), "it gives 2 numbers by its config"),
    "another architecture": (settings(model_type="qwen3"), r"missing, as model\.layers\.0.*q_norm\.weight"),
    "none that scores": (settings(model_type="clvp_decoder"), "of which no model scores"),
    "another shape": (
        settings(intermediate_size=48),
        r"6 have another shape, as model.*gate_proj.weight, 64 × 32 where 48 × 32 is said",
    ),
    "fewer layers": (settings(num_hidden_layers=1), r"9 are of another model, as model\.layers\.1\."),
    "another vocabulary": (another_vocabulary, "tokenizer is another model's: it has other pieces"),
    "longer vocabulary": (longer_vocabulary, r"tokenizer is another model's: it has \d+ pieces, and"),
    "other padding": (other_padding, r"tokenizer is another model's: it pads with the piece"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_reward_model_is_named_with_its_key(
    online: Online, judge: Path, tmp_path: Path, how: str
) -> None:
    change, told = BROKEN[how]
    change(judge)
    rewards = [{"rule": "tests.training.asking:vowels"}, {"model": str(judge)}]
    said = []
    for kind in ("ppo", "grpo"):
        path = online(kind, rewards=rewards)
        for begin in (lambda p: check.check(p, [], quiet), lambda p: run.train(p, runs=tmp_path)):
            with pytest.raises(RewardError, match=rf"^rewards\.1\.model: reward model .*{told}") as caught:
                begin(path)
            said.append(str(caught.value))
    assert len(set(said)) == 1
    assert str(judge) in said[0]
    assert "copy it anew from where it came" in said[0]


def test_a_folder_of_another_stage_is_refused_by_both(online: Online, recipe: Recipe, tmp_path: Path) -> None:
    adapter = run.train(recipe(name="adapter", **{"train.steps": 1}), runs=tmp_path, report=quiet)
    path = online("ppo", rewards=[{"model": str(adapter)}])
    for begin in (lambda: check.check(path, [], quiet), lambda: run.train(path, runs=tmp_path)):
        with pytest.raises(
            RewardError, match=r"^rewards\.0\.model: .* is of stage sft; a recipe of stage rm"
        ):
            begin()


def test_all_that_is_wrong_with_the_rewards_is_said_at_once(online: Online, judge: Path) -> None:
    (judge / WEIGHTS).unlink()
    rewards = [{"rule": "tests.training.asking:none"}, {"model": str(judge)}]
    with pytest.raises(NotReady, match=r"(?s)^2 problems.*rewards\.0\.rule: .*rewards\.1\.model: "):
        check.check(online("ppo", rewards=rewards), [], quiet)


def test_a_reward_model_of_another_shape_and_with_rows_to_spare_is_none_of_these(
    recipe: Recipe, online: Online, tmp_path: Path
) -> None:
    """Many a base's vocabulary is filled up to a round number."""
    wide = make_base(tmp_path / "wide", shape=SHAPE.model_copy(update={"hidden_size": 48}))
    model = bases.load_model(str(wide))
    model.resize_token_embeddings(448)
    bases.save(model, bases.load_tokenizer(str(wide)), wide)
    path = recipe(PAIRS, form="pairs", stage="rm", name="judge", base=str(wide), **{"train.steps": 1})
    judge = run.train(path, runs=tmp_path, report=quiet)
    assert check.check(online("ppo", rewards=[{"model": str(judge)}]), [], quiet).steps == 3
