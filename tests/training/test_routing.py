"""The stage router: an encoder learns to keep intents apart, can be stopped, and is what a router loads."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from pointsman.document import DocumentError
from pointsman.spoken import spoken
from router.encoder import Encoder
from tests.training.test_run import metrics, quiet
from training import outlook, preview, run
from training import recipe as recipes
from training.errors import (
    BadRows,
    BaseError,
    LossNotFinite,
    NothingToLearn,
    NotReady,
    PackageMissing,
    RunConflict,
    SourceError,
)
from training.recipe import RouterRecipe
from training.routing import checkpoint as checkpoints
from training.routing import rows
from training.routing.batches import batches, steps_of
from training.routing.learner import Learner
from training.routing.losses import contrast
from training.runs import trackers

WORDS = {"fruit": "apple pear plum fig", "metal": "iron zinc tin lead", "water": "river lake pond sea"}
FILLERS = ["the", "a", "my", "one", "old", "new"]


def texts() -> list[dict[str, Any]]:
    """24 texts of three intents, and two of none."""
    found: list[dict[str, Any]] = [
        {"text": f"{filler} {a} and {b}", "intent": intent}
        for intent, words in WORDS.items()
        for filler, a, b in zip(FILLERS * 2, words.split() * 2, words.split()[::-1] * 2, strict=False)
    ]
    return [*found, {"text": "music", "intent": None}, {"text": "loud music", "intent": None}]


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of four layers with random weights, that knows the words above."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    folder = tmp_path_factory.mktemp("encoder")
    words = [*WORDS, *" ".join(WORDS.values()).split(), *FILLERS, "and", "music", "loud"]
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    shape = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    BertModel(shape, add_pooling_layer=False).save_pretrained(folder / "bert")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=32
    ).save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"))
    pooling = Pooling(32)
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(
        str(folder / "whole"), create_model_card=False
    )
    return folder / "whole"


def write(folder: Path, encoder: Path, given: list[dict[str, Any]] | None = None, **train: Any) -> Path:
    """A recipe of 12 steps in ``folder``."""
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in given or texts()), encoding="utf-8")
    plan = {"steps": 12, "batch_rows": 6, "learning_rate": 0.003, "save_every": 4, "log_every": 1} | train
    content = {
        "stage": "router",
        "name": "small",
        "base": str(encoder),
        "frozen": 0.5,
        "data": {"sources": [{"path": str(data), "format": "intents"}], "validation_rows": 6},
        "train": plan,
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def loaded(path: Path) -> RouterRecipe:
    found = recipes.load(path)
    assert isinstance(found, RouterRecipe)
    return found


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


def test_a_checkpoint_brings_everything_back(tmp_path: Path, encoder: Path) -> None:
    from training.routing import stage

    recipe = loaded(write(tmp_path, encoder))
    given, classes = ["the apple", "my river"], [0, 1]
    one, other = (Learner(recipe, stage.load(recipe), 2) for _ in range(2))
    one.begin(given, classes)
    one.step(1, 4, given, classes)
    checkpoints.save(one, tmp_path / "checkpoints", 1)
    checkpoints.load(other, tmp_path / "checkpoints" / "checkpoint-1")
    assert one.step(2, 4, given, classes) == other.step(2, 4, given, classes)
    assert torch.equal(one.directions, other.directions)


def test_the_directions_begin_as_the_intents_means(tmp_path: Path, encoder: Path) -> None:
    from training.routing import stage

    recipe = loaded(write(tmp_path, encoder))
    model = stage.load(recipe)
    learner = Learner(recipe, model, 2)
    given = ["the apple", "old pear", "my river"]
    learner.begin(given, [0, 0, 1])
    vectors = model.encode(given, normalize_embeddings=True)
    mean = vectors[:2].sum(axis=0)
    expected = np.stack([mean / np.linalg.norm(mean), vectors[2]])
    np.testing.assert_allclose(learner.directions.detach().numpy(), expected, atol=1e-5)


def test_the_result_lies_between_what_was_and_what_was_learned(tmp_path: Path, encoder: Path) -> None:
    from training.routing import stage

    recipe = loaded(write(tmp_path, encoder)).model_copy(update={"kept": 0.25})
    learner = Learner(recipe, stage.load(recipe), 2)
    before = {name: weight.detach().clone() for name, weight in learner.weights.items()}
    learner.begin(["the apple", "my river"], [0, 1])
    learner.step(1, 1, ["the apple", "my river"], [0, 1])
    after = {name: weight.detach().clone() for name, weight in learner.weights.items()}
    learner.step_back()
    for name, weight in learner.weights.items():
        torch.testing.assert_close(weight.detach(), 0.25 * before[name] + 0.75 * after[name])
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_words_are_hidden_while_it_learns_and_never_else(tmp_path: Path, encoder: Path) -> None:
    from training.routing import stage

    recipe = loaded(write(tmp_path, encoder)).model_copy(update={"masked": 0.999999})
    model = stage.load(recipe)
    seen: list[torch.Tensor] = []
    model[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]["input_ids"]))
    learner = Learner(recipe, model, 2)
    learner.begin(["the apple", "my river"], [0, 1])
    learner.step(1, 1, ["the apple", "my river"], [0, 1])
    whole, hidden = seen[-2:]
    unknown = model.tokenizer.unk_token_id
    assert (hidden == unknown).all()
    assert not (whole == unknown).any()


def test_an_epoch_takes_every_row_once_an_intents_in_twos_and_like_lengths_together() -> None:
    lengths, classes = [n % 7 for n in range(40)], [n % 5 for n in range(40)]

    def epoch(number: int, rows: int = 40) -> list[list[int]]:
        return batches(lengths[:rows], classes[:rows], 8, seed=3, epoch=number)

    found = epoch(0)
    assert sorted(place for batch in found for place in batch) == list(range(40))
    assert found == epoch(0) != epoch(1)
    assert all(
        classes[a] == classes[b] for batch in found for a, b in zip(batch[::2], batch[1::2], strict=True)
    )
    sums = [sorted(lengths[a] + lengths[b] for a, b in zip(m[::2], m[1::2], strict=True)) for m in found]
    assert all(a[-1] <= b[0] for a, b in pairwise(sorted(sums)))
    assert [len(batch) for batch in epoch(0, 20)] == [8, 8]
    assert sorted(place for batch in epoch(0, 15) for place in batch) != list(range(15))  # odd: one waits
    assert [len(batch) for batch in epoch(0, 6)] == [6]
    assert (steps_of(40, 8, 1.5), steps_of(20, 8, 2), steps_of(5, 8, 1)) == (8, 4, 1)


def test_an_intents_texts_are_drawn_to_each_other() -> None:
    """Three vectors, the first two of one intent, at 60 and 90 degrees: similarities 0.5, 0 and cos 30.

    The first loses -ln(e^5 / (e^5 + e^0)), the second -ln(e^5 / (e^5 + e^(10 cos 30))); the third, which is
    alone, nothing.
    """
    half, high = 0.5, math.cos(math.pi / 6)
    vectors = torch.tensor([[1.0, 0.0], [half, high], [0.0, 1.0]])
    first = math.log1p(math.exp(-5))
    second = math.log1p(math.exp(10 * high - 5))
    found = contrast(vectors, torch.tensor([4, 4, 9]))
    assert float(found) == pytest.approx((first + second) / 2, rel=1e-5)
    assert float(contrast(vectors, torch.tensor([0, 1, 2]))) == 0


def test_an_intents_name_is_one_of_its_texts(tmp_path: Path, encoder: Path) -> None:
    given = [row | {"intent": f"{row['intent']}_or-so"} if row["intent"] else row for row in texts()]
    found = rows.read(loaded(write(tmp_path, encoder, given)))
    assert rows.Labelled("fruit or so", "fruit_or-so") in found.train
    assert len(found.train) + len(found.validation) == len(texts()) - 2 + 3
    assert spoken("___") == ""


def test_routes_teach_what_they_and_their_files_hold(tmp_path: Path, encoder: Path) -> None:
    (tmp_path / "more.jsonl").write_text('{"text": "tin can", "intent": "metal"}\n', encoding="utf-8")
    routes = {
        "version": 1,
        "example_files": ["more.jsonl"],
        "out_of_scope": ["music"],
        "routes": [{"intent": "fruit", "examples": ["apple", "fig"]}, {"intent": "ruled"}],
    }
    path = tmp_path / "routes.yaml"
    path.write_text(yaml.safe_dump(routes), encoding="utf-8")
    source = recipes.FileSource(path=path, format="routes")
    found = [(row.text, row.intent) for row in rows.of_source(source, 0)]
    assert found == [("apple", "fruit"), ("fig", "fruit"), ("music", None), ("tin can", "metal")]
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(SourceError, match="is no routes file"):
        rows.of_source(source, 0)
    routes["routes"] = [{"intent": "fruit", "examples": ["apple", ""]}]
    path.write_text(yaml.safe_dump(routes), encoding="utf-8")
    with pytest.raises(BadRows, match=r"routes\.0\.examples\.1: text: is empty"):
        rows.of_source(source, 0)


def test_what_can_not_be_learned_from_is_refused(tmp_path: Path, encoder: Path) -> None:
    def refused(given: list[dict[str, Any]]) -> str:
        with pytest.raises((BadRows, NothingToLearn)) as caught:
            rows.read(loaded(write(tmp_path, encoder, given)))
        return str(caught.value)

    assert "rows.jsonl:2: intent: is missing" in refused([*texts()[:1], {"text": "pear"}])
    assert "intent: must be a name" in refused([{"text": "pear", "intent": 3}])
    assert "of 1 intent (fruit)" in refused(texts()[:4])
    assert "no intent has more than 2 examples" in refused(texts()[:2] + texts()[-4:])


def test_recipes_that_can_not_be_trained_are_refused(tmp_path: Path, encoder: Path) -> None:
    path = write(tmp_path, encoder)
    with pytest.raises(DocumentError, match="sees every row once"):
        recipes.load(path, ["data.sources.0.weight=2"])
    with pytest.raises(DocumentError, match="this stage reads intents, routes"):
        recipes.load(path, ["data.sources.0.format=text"])
    with pytest.raises(BaseError, match="can't be loaded"):
        run.train(path, overrides=[f"base={tmp_path}"], runs=tmp_path / "runs", report=quiet)
    with pytest.raises(LossNotFinite, match="at step"):
        run.train(path, overrides=["train.learning_rate=1000"], runs=tmp_path / "runs", report=quiet)


def test_all_that_is_wrong_is_said_at_once(
    tmp_path: Path, encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(trackers.PACKAGES, "wandb", "nowhere_to_be_found")
    path = write(tmp_path, encoder, [*texts(), {"text": "pear"}])
    overrides = [f"base={tmp_path}", "trackers=[wandb]"]
    with pytest.raises(NotReady) as caught:
        outlook.check(path, overrides, quiet)
    assert [type(error) for error in caught.value.errors] == [PackageMissing, BadRows, BaseError]


def test_a_run_is_foreseen_and_its_rows_are_shown(tmp_path: Path, encoder: Path) -> None:
    path = write(tmp_path, encoder, steps=None, epochs=2)
    found = outlook.check(path, [], quiet)
    assert found.steps == 6  # twice 18 of 24 rows, by 6
    assert found.tokens == round(6 * 6 * (18 * 4 + 3) / 21)  # 18 texts of four words, three names of one
    assert found.lines[0] == "served: as the router's encoder, by the settings' router.encoder"
    assert "weights learn; about" in found.lines[1]
    shown = list(preview.preview(path, 30))
    assert (shown[0].answer, shown[0].trained, shown[0].tokens) == ("fruit", 4, 4)
    assert (shown[-1].answer, shown[-1].trained) == ("out of scope", 0)
