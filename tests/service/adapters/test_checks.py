"""Everything that is refused before the engine sees it, and what is said about it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointsman.artefact import MANIFEST, BaseIdentity, version_of
from service.adapters.base import Base, read_base
from service.adapters.checks import check, check_alias
from service.errors import AdapterConflict, AdapterRejected
from service.sections import EngineSettings
from tests.service.adapters.artefacts import (
    RANK,
    lora,
    write_adapter,
    write_base,
    write_quantized_base,
)
from tests.service.adapters.checking import problems

Q = "base_model.model.model.layers.0.self_attn.q_proj"


def test_a_good_artefact_passes(root: Path, base: Base, base_folder: Path) -> None:
    folder = write_adapter(root / "support", base_folder)
    found = check(root, "support", base, 16)
    assert (found.folder, found.version, found.rank) == ("support", version_of(folder), RANK)
    assert found.manifest.metrics == {"eval_loss": 1.5}
    assert check(root, str(folder), base, RANK) == found  # an absolute path inside is the same


def test_a_base_that_config_and_manifest_name_differently_is_refused(
    root: Path, base: Base, base_folder: Path
) -> None:
    write_adapter(root / "support", base_folder, config={"base_model_name_or_path": "gpt2"})
    (only,) = problems(root, base)
    named = "base_model_name_or_path is 'gpt2', and manifest.json has the base 'base'"
    assert only.startswith(f"support/adapter_config.json: {named}")
    for name in (None, "", "base"):
        write_adapter(root / "support", base_folder, config={"base_model_name_or_path": name})
        check(root, "support", base, 16)


def test_a_method_that_is_not_served_names_the_way_there(root: Path, base: Base, base_folder: Path) -> None:
    write_adapter(root / "support", base_folder, manifest={"method": "prefix"}, config={"r": 99})
    (only,) = problems(root, base)
    assert only.startswith("support/manifest.json: method is prefix, whose result is no plain LoRA")
    assert "`pointsman convert`" in only
    write_adapter(root / "support", base_folder, manifest={"method": "full"})
    assert "is a base of its own, not an adapter" in problems(root, base)[0]
    write_adapter(root / "support", base_folder, manifest={"method": "qlora"})
    assert check(root, "support", base, 16).manifest.method == "qlora"


def test_an_adapter_serves_on_the_base_that_its_own_was_quantised_to(
    root: Path, base: Base, base_folder: Path, tmp_path: Path
) -> None:
    engine = EngineSettings(model=str(write_quantized_base(tmp_path / "small", base_folder)), model_name="q")
    small = read_base(engine, tmp_path / "state-2")
    assert small.modules == base.modules
    write_adapter(root / "support", base_folder)
    assert check(root, "support", small, 16) == check(root, "support", base, 16)
    write_adapter(root / "support", write_base(tmp_path / "other", seed=1))
    assert "it was trained on another base" in problems(root, small)[0]
    (tmp_path / "small" / "tokenizer.json").write_text("{}\n", "utf-8")
    assert "another tokenizer.json" in problems(root, read_base(engine, tmp_path / "state-2"))[1]


def test_a_quantised_base_is_no_adapter_and_says_its_bits(root: Path, base: Base, tmp_path: Path) -> None:
    write_adapter(root / "support", tmp_path / "base", manifest={"method": "gptq"})
    assert "a base of its own, not an adapter: serve it as engine.model" in problems(root, base)[0]
    small = write_quantized_base(tmp_path / "small", tmp_path / "base")
    (small / "config.json").write_text("{}", "utf-8")
    with pytest.raises(AdapterConflict, match="does not say in how many bits"):
        read_base(EngineSettings(model=str(small), model_name="q"), tmp_path / "state-2")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"r": 64}, "r is 64, the engine was started for ranks up to 16"),
        ({"r": 0}, "r is 0; a rank is a whole number from 1"),
        ({"r": "8"}, 'r is "8"'),
        ({"r": True}, "r is true"),
        ({"rank_pattern": {"q_proj": 32}}, "rank_pattern['q_proj'] is 32, the engine"),
        ({"rank_pattern": {"(": 4}}, "rank_pattern['('] is no regular expression"),
        ({"rank_pattern": [4]}, "rank_pattern[''] is [4]"),
        ({"peft_type": "IA3"}, 'peft_type is "IA3"; only LORA is served'),
        ({"use_dora": True}, "use_dora is true; DoRA is not served"),
        ({"bias": "all"}, 'bias is "all"; train with bias: none'),
        ({"lora_bias": True}, "lora_bias is true"),
        ({"modules_to_save": ["lm_head"]}, 'modules_to_save is ["lm_head"]'),
        ({"init_lora_weights": "pissa_niter_16"}, 'init_lora_weights is "pissa_niter_16"'),
        ({"init_lora_weights": "olora"}, "`pointsman convert` makes a plain LoRA"),
        ({"layer_replication": [[0, 1]]}, "layer_replication is [[0, 1]]"),
        ({"trainable_token_indices": [1]}, "trainable_token_indices is [1]"),
        ({"target_parameters": ["mlp.experts"]}, "target_parameters is"),
        ({"fan_in_fan_out": True}, "fan_in_fan_out is true"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, "code of an artefact is never run: remove it"),
        ({"lora_alpha": -1}, "lora_alpha is -1"),
        ({"lora_alpha": float("nan")}, "lora_alpha is NaN"),
        ({"target_modules": None}, "target_modules is null"),
        ({"target_modules": []}, "target_modules is []"),
        ({"target_modules": ["q_proj", "up_proj", "down_proj", "w7"]}, "without a matrix: w7"),
        ({"r": 8}, f"{Q[17:]}.lora_A is [4, 8], expected [8, 8]"),
    ],
)
def test_configs_that_can_not_be_served(
    root: Path, base: Base, base_folder: Path, change: dict[str, Any], said: str
) -> None:
    write_adapter(root / "support", base_folder, config=change)
    found = problems(root, base)
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize("init", [True, False, "gaussian", "eva", None])
def test_ways_to_begin_that_leave_the_base_alone_pass(
    root: Path, base: Base, base_folder: Path, init: object
) -> None:
    write_adapter(root / "support", base_folder, config={"init_lora_weights": init})
    assert check(root, "support", base, 16)


@pytest.mark.parametrize("sides", ["B", "AB"])
def test_an_adapter_that_would_change_nothing_is_refused(
    root: Path, base: Base, base_folder: Path, sides: str
) -> None:
    zero = {name: values * (name.split(".")[-2][-1] not in sides) for name, values in lora().items()}
    write_adapter(root / "support", base_folder, tensors=zero)
    (problem,) = problems(root, base)
    assert "zero in every layer, so it would change nothing" in problem
    write_adapter(root / "support", base_folder, tensors=zero | dict(list(lora().items())[:2]))
    assert check(root, "support", base, 16)  # one layer is enough


def test_a_rank_for_some_modules_is_compared_with_their_matrices(
    root: Path, base: Base, base_folder: Path
) -> None:
    tensors = lora() | {name: values for name, values in lora(rank=2).items() if "q_proj" in name}
    write_adapter(root / "support", base_folder, tensors=tensors, config={"rank_pattern": {"q_proj": 2}})
    assert check(root, "support", base, 16).rank == RANK
    write_adapter(root / "support", base_folder, tensors=tensors)
    assert any("q_proj.lora_A is [2, 8], expected [4, 8]" in problem for problem in problems(root, base))


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("weights", "trained on another base"),
        ("tokenizer", "another tokenizer.json"),
        ("chat_template", "another chat template"),
    ],
)
def test_another_base(root: Path, base: Base, base_folder: Path, part: str, said: str) -> None:
    other = base.identity.model_copy(update={part: "f" * 64})
    write_adapter(root / "support", base_folder, manifest={"base": other})
    (problem,) = problems(root, base)
    assert problem.startswith(f"support/{MANIFEST}: base.{part} is ffffffffffff")
    assert said in problem


def test_an_adapter_of_no_known_base(root: Path, base: Base, base_folder: Path) -> None:
    write_adapter(root / "support", base_folder, manifest={"base": None})
    assert "base is null" in problems(root, base)[0]


def test_all_problems_come_at_once(root: Path, base: Base, base_folder: Path) -> None:
    tensors = lora()
    tensors[f"{Q}.lora_A.weight"][:] = np.nan
    write_adapter(
        root / "support",
        base_folder,
        tensors=tensors,
        config={"r": 64, "use_dora": True},
        manifest={"base": BaseIdentity(weights="0" * 64, tokenizer="1" * 64, chat_template="2" * 64)},
    )
    text = "\n".join(problems(root, base))
    for word in ("r is 64", "use_dora", "base.weights", "base.tokenizer", "base.chat_template", "NaN"):
        assert word in text


@pytest.mark.parametrize(
    "alias", ["", "a b", "../x", "a@b", "-a", "/a", "a/", "a//b", "a/.b", ".a", "a:b", "x" * 64, "é", "a\n"]
)
def test_aliases_that_are_none(alias: str) -> None:
    with pytest.raises(AdapterRejected, match="is not 1 to 63 letters"):
        check_alias(alias, "demo")


@pytest.mark.parametrize("alias", ["support", "Policy-1", "sql.v2", "run/step10", "a_b", "7", "x" * 63])
def test_aliases_as_trainers_choose_them(alias: str) -> None:
    check_alias(alias, "demo")


@pytest.mark.parametrize("alias", ["auto", "demo"])
def test_names_that_mean_something_else(alias: str) -> None:
    with pytest.raises(AdapterRejected, match="already means something else"):
        check_alias(alias, "demo")


def test_the_base_is_hashed_again_only_when_it_changed(base_folder: Path, tmp_path: Path) -> None:
    settings = EngineSettings(model=str(base_folder), model_name="demo")
    state = tmp_path / "state"
    first = read_base(settings, state)
    remembered = json.loads((state / "base.json").read_text("utf-8"))
    remembered["identity"]["weights"] = "remembered"
    (state / "base.json").write_text(json.dumps(remembered), "utf-8")
    assert read_base(settings, state).identity.weights == "remembered"
    (base_folder / "tokenizer.json").write_text('{"other": 1}', "utf-8")
    again = read_base(settings, state).identity
    assert again.weights == first.identity.weights
    assert again.tokenizer != first.identity.tokenizer


def test_a_base_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    settings = EngineSettings(model=str(tmp_path / "empty"), model_name="demo")
    with pytest.raises(AdapterConflict, match="can't be read"):
        read_base(settings, tmp_path)
