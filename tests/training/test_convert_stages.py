"""The result of every stage that makes an adapter or a base becomes the other of the two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pointsman import artefact
from tests.training.conftest import SHAPE, Recipe
from tests.training.continued import Continued
from tests.training.preferences import rm
from tests.training.rows import ROOT
from tests.training.stages import Written
from tests.training.test_convert import registered
from tests.training.test_methods import METHODS
from tests.training.test_run import quiet
from training import run
from training.convert import Options, convert
from training.convert.fidelity import log_probs
from training.errors import ConversionError
from training.methods import lora
from training.models import base as bases
from training.preflight import check

ADAPTERS = ("cpt", "dpo", "dpo from an adapter", "kto", "ppo", "grpo from an adapter", "rloo")


@pytest.mark.parametrize("kind", ADAPTERS)
def test_an_adapter_is_merged_into_a_base_that_says_the_same(
    written: Written, base: Path, tmp_path: Path, kind: str
) -> None:
    changes: dict[str, Any] = {"train.steps": 2, "train.learning_rate": 0.05}
    if kind.startswith(("ppo", "grpo", "rloo")):
        changes |= {"sampling.temperature": 4.0}  # else all answers are alike, and nothing is learned
    path = written(kind, "converted", **changes)
    told = check.check(path, [], quiet).served
    assert told.startswith("an adapter of rank ")
    assert told.endswith(", as it is; `pointsman convert --to base`: merged into the base")
    made = run.train(path, runs=tmp_path, report=quiet)
    said: list[str] = []
    found = convert(made, "base", tmp_path / "whole", Options(), said.append)
    assert found.tokens > 0
    assert found.kl < 1e-3  # of the rounding to bfloat16
    assert said[-1] == f"measured: {found}"
    manifest = artefact.read_manifest(tmp_path / "whole")
    assert (manifest.method, manifest.converted_from) == ("full", "lora")
    assert manifest.metrics["convert_kl"] == found.kl
    assert manifest.parent == f"tiny@{artefact.version_of(made)}"

    with pytest.raises(ConversionError, match="by a conversion; convert the original"):
        convert(tmp_path / "whole", "lora", tmp_path / "again", Options(), quiet)

    named = artefact.read_manifest(made).base_model
    ids = torch.arange(20)[None]
    own = lora.load(bases.load_model(named), made)
    whole = bases.load_model(str(tmp_path / "whole")).eval()
    plain = bases.load_model(named).eval()
    with torch.no_grad():
        off, moved = (
            float((log_probs(own, ids) - log_probs(other, ids)).abs().max()) for other in (whole, plain)
        )
    assert off < moved / 10

    (tmp_path / "adapters").mkdir()
    as_it_is = convert(made, "lora", tmp_path / "adapters" / "served", Options(), quiet)
    assert as_it_is.kl == 0
    assert (tmp_path / "adapters" / "served" / artefact.WEIGHTS).read_bytes() == (
        made / artefact.WEIGHTS
    ).read_bytes()
    assert registered(tmp_path / "adapters", Path(named), tmp_path).manifest.stage == manifest.stage


def test_answers_of_the_model_itself_are_what_a_policy_is_measured_on(
    written: Written, tmp_path: Path
) -> None:
    made = run.train(written("grpo", "policy"), runs=tmp_path, report=quiet)
    said: list[str] = []
    found = convert(made, "base", tmp_path / "whole", Options(), said.append)
    assert "sampling answers to 6 held-out prompts" in said
    assert 6 <= found.tokens <= 6 * 8  # max_new_tokens
    again = convert(made, "base", tmp_path / "again", Options(), quiet)
    assert again == found


@pytest.mark.parametrize("plan", [{}, {"method": "lora", "lora": {"rank": 4}}, {"method": "freeze"}])
def test_a_base_of_cpt_becomes_a_lora_of_the_base_before(
    continued: Continued, base: Path, tmp_path: Path, plan: dict[str, Any]
) -> None:
    more = {"freeze": {"learn_last": 1}} if plan.get("method") == "freeze" else {}
    path = continued(**plan, **more)
    told = check.check(path, [], quiet).served
    assert told == (
        "a base of its own, by the settings' engine.model; `pointsman convert --to lora` gives a LoRA by "
        "singular values, of the linear layers alone: embeddings and norms stay the base's"
    )
    made = run.train(path, runs=tmp_path, report=quiet)
    (tmp_path / "adapters").mkdir()
    said: list[str] = []
    found = convert(made, "lora", tmp_path / "adapters" / "served", Options(rank=32), said.append)
    manifest = registered(tmp_path / "adapters", base, tmp_path).manifest
    assert (manifest.method, manifest.converted_from) == ("lora", plan.get("method", "full"))
    assert manifest.metrics["convert_weight_error"] < 1e-6  # no layer has a higher rank
    if plan.get("method") == "lora":
        assert found.kl < 1e-5
    else:
        assert any("weights outside the linear layers changed too" in line for line in said)
    assert convert(made, "base", tmp_path / "again", Options(), quiet).kl == 0
    assert artefact.identify_base(tmp_path / "again") == artefact.identify_base(made)


def test_a_base_with_pieces_of_its_own_or_from_nothing_becomes_no_lora(
    continued: Continued, recipe: Recipe, tmp_path: Path
) -> None:
    grown = continued(vocabulary={"pieces": 8, "min_count": 2}, **{"train.steps": 1})
    made = run.train(grown, runs=tmp_path, report=quiet)
    with pytest.raises(ConversionError, match=r"tiny has more pieces of vocabulary than .*use --to base"):
        convert(made, "lora", tmp_path / "out", Options(), quiet)
    assert convert(made, "base", tmp_path / "whole", Options(), quiet).kl == 0
    assert artefact.identify_base(tmp_path / "whole") == artefact.identify_base(made)

    template = str(ROOT / "deploy" / "demo" / "chat_template.jinja")
    first = {"tokenizer": {"vocab_size": 400, "chat_template": template}, "model": SHAPE.model_dump()}
    path = recipe(stage="cpt", base=None, alias=None, lora=None, name="first", **first)
    assert check.check(path, [], quiet).served == "a base of its own, by the settings' engine.model"
    made = run.train(path, runs=tmp_path, report=quiet)
    with pytest.raises(ConversionError, match=r"first was made from nothing, .*use --to base"):
        convert(made, "lora", tmp_path / "out", Options(), quiet)
    assert convert(made, "base", tmp_path / "again", Options(), quiet).kl == 0


def test_rows_that_are_others_now_are_told_of_every_stage(written: Written, tmp_path: Path) -> None:
    for kind in ("cpt", "dpo", "ppo"):
        path = written(kind, kind, **{"train.steps": 1})
        made = run.train(path, runs=tmp_path, report=quiet)
        (source,) = artefact.read_manifest(made).data
        lines = Path(source).read_text(encoding="utf-8").splitlines(keepends=True)
        Path(source).write_text("".join(lines[1:]), encoding="utf-8")
        with pytest.raises(ConversionError, match="holds other rows than"):
            convert(made, "base", tmp_path / "out", Options(), quiet)


def test_what_has_no_way_is_refused_by_name_with_the_reason(recipe: Recipe, tmp_path: Path) -> None:
    made = run.train(rm(recipe, **{"train.steps": 1}), runs=tmp_path, report=quiet)
    with pytest.raises(ConversionError, match="a result of stage rm, which has no way: a reward model"):
        convert(made, "base", tmp_path / "out", Options(), quiet)
    path = made / artefact.MANIFEST
    content = json.loads(path.read_bytes())
    for stage, told in (
        ("quantize", r"stage quantize, which has no way: a base of 4 bits is served as it is\. Convert"),
        ("router", "stage router, which has no way: it is an encoder"),
        ("sgd", "the stage 'sgd', which there is not; results of cpt, sft, dpo, ppo, grpo are converted"),
    ):
        path.write_text(json.dumps(content | {"stage": stage, "recipe": {"bits": 4}}), encoding="utf-8")
        with pytest.raises(ConversionError, match=told):
            convert(made, "lora", tmp_path / "out", Options(), quiet)
    assert not (tmp_path / "out").exists()


def test_options_that_would_change_nothing_are_refused_by_name(recipe: Recipe, tmp_path: Path) -> None:
    made = run.train(recipe(**{"train.steps": 1}), runs=tmp_path, report=quiet)
    with pytest.raises(ConversionError, match=r"^--rank: would change nothing here, a LoRA as it is; leave"):
        convert(made, "lora", tmp_path / "out", Options(rank=600), quiet)
    with pytest.raises(ConversionError, match=r"^--rank, --steps: would change nothing here, merged into"):
        convert(made, "base", tmp_path / "out", Options(rank=32, steps=7), quiet)
    path = recipe(method="freeze", name="f", lora=None, **METHODS["freeze"] | {"train.steps": 1})
    made = run.train(path, runs=tmp_path, report=quiet)
    with pytest.raises(ConversionError, match=r"^--learning-rate: would .* values, .*; it has --rank; leave"):
        convert(made, "lora", tmp_path / "out", Options(rank=4, learning_rate=0.1), quiet)


def test_more_than_is_allowed_is_refused_and_the_rounding_named(written: Written, tmp_path: Path) -> None:
    made = run.train(written("dpo", "strict", **{"train.steps": 2}), runs=tmp_path, report=quiet)
    with pytest.raises(ConversionError, match="all that is lost is the rounding to bfloat16"):
        convert(made, "base", tmp_path / "out", Options(max_kl=1e-15), quiet)
