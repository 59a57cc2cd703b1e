"""Everything that is refused before the engine sees it, and what is said about it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointsman.artefact import CONFIG, MANIFEST, WEIGHTS, BaseIdentity, version_of
from service.adapters.base import Base, read_base
from service.adapters.checks import check, check_alias
from service.errors import AdapterConflict, AdapterRejected
from service.settings import EngineSettings
from tests.service.adapters.artefacts import (
    RANK,
    lora,
    write_adapter,
    write_base,
    write_quantized_base,
    write_safetensors,
)

Q = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "adapters"
    folder.mkdir()
    return folder


@pytest.fixture
def base_folder(tmp_path: Path) -> Path:
    return write_base(tmp_path / "base")


@pytest.fixture
def base(base_folder: Path, tmp_path: Path) -> Base:
    return read_base(EngineSettings(model=str(base_folder), model_name="demo"), tmp_path / "state")


def problems(root: Path, base: Base, folder: str = "support", max_rank: int = 16) -> list[str]:
    with pytest.raises(AdapterRejected) as refused:
        check(root, folder, base, max_rank)
    assert str(root) not in str(refused.value)  # no place on this machine reaches a client
    return refused.value.problems


def test_a_good_artefact_passes(root: Path, base: Base, base_folder: Path) -> None:
    folder = write_adapter(root / "support", base_folder)
    found = check(root, "support", base, 16)
    assert (found.folder, found.version, found.rank) == ("support", version_of(folder), RANK)
    assert found.manifest.metrics == {"eval_loss": 1.5}
    assert check(root, str(folder), base, RANK) == found  # an absolute path inside is the same


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


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F64"])
def test_other_floating_types_pass(root: Path, base: Base, base_folder: Path, dtype: str) -> None:
    write_adapter(root / "support", base_folder)
    kind = {"F16": "<f2", "BF16": "<u2", "F64": "<f8"}[dtype]
    tensors = {name: values.astype(kind) for name, values in lora().items()}
    if dtype == "BF16":  # the upper half of a float32
        tensors = {n: (v.view("<u4") >> 16).astype("<u2") for n, v in lora().items()}
    write_safetensors(root / "support" / WEIGHTS, tensors, dtype)
    assert check(root, "support", base, 16).rank == RANK


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


def test_a_rank_for_some_modules_is_compared_with_their_matrices(
    root: Path, base: Base, base_folder: Path
) -> None:
    tensors = lora() | {name: values for name, values in lora(rank=2).items() if "q_proj" in name}
    write_adapter(root / "support", base_folder, tensors=tensors, config={"rank_pattern": {"q_proj": 2}})
    assert check(root, "support", base, 16).rank == RANK
    write_adapter(root / "support", base_folder, tensors=tensors)
    assert any("q_proj.lora_A is [2, 8], expected [4, 8]" in problem for problem in problems(root, base))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(root: Path, base: Base, base_folder: Path, value: float) -> None:
    tensors = lora()
    tensors[f"{Q}.lora_B.weight"][3, 1] = value
    write_adapter(root / "support", base_folder, tensors=tensors)
    (problem,) = problems(root, base)
    assert problem.startswith(f"support/{WEIGHTS}: holds NaN or infinity: {Q}.lora_B.weight")


def test_a_bfloat16_nan_is_seen_without_torch(root: Path, base: Base, base_folder: Path) -> None:
    write_adapter(root / "support", base_folder)
    tensors = {name: (values.view("<u4") >> 16).astype("<u2") for name, values in lora().items()}
    tensors[f"{Q}.lora_A.weight"][0, 0] = 0x7FC0
    write_safetensors(root / "support" / WEIGHTS, tensors, "BF16")
    assert "holds NaN" in problems(root, base)[0]


def test_matrices_that_fit_nothing(root: Path, base: Base, base_folder: Path) -> None:
    tensors = lora()
    tensors[f"{Q}.lora_A.weight"] = np.zeros((RANK, 9), "<f4")
    del tensors["base_model.model.model.layers.0.mlp.up_proj.lora_B.weight"]
    tensors["base_model.model.model.layers.7.mlp.up_proj.lora_A.weight"] = np.zeros((RANK, 8), "<f4")
    tensors["base_model.model.lm_head.weight"] = np.zeros((2, 2), "<f4")
    tensors["base_model.model.model.embed_tokens.lora_embedding_A"] = np.zeros((RANK, 32), "<f4")
    write_adapter(root / "support", base_folder, tensors=tensors)
    text = "\n".join(problems(root, base))
    assert "q_proj.lora_A is [4, 9], expected [4, 8]" in text
    assert "mlp.up_proj has only lora_A" in text
    assert "modules that the base does not have: model.layers.7.mlp.up_proj" in text
    assert "not LoRA matrices of linear layers: base_model.model.lm_head.weight" in text
    assert "lora_embedding_A" in text


def test_an_adapter_on_the_embedding_is_refused(root: Path, base: Base, base_folder: Path) -> None:
    module = "base_model.model.model.embed_tokens"
    more = {
        f"{module}.lora_A.weight": np.ones((RANK, HIDDEN_IN), "<f4"),
        f"{module}.lora_B.weight": np.ones((32, RANK), "<f4"),
    }
    write_adapter(root / "support", base_folder, tensors=lora() | more)
    assert "modules that the base does not have: model.embed_tokens" in problems(root, base)[0]


HIDDEN_IN = 8


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


@pytest.mark.parametrize("missing", [WEIGHTS, CONFIG, MANIFEST])
def test_a_file_is_missing(root: Path, base: Base, base_folder: Path, missing: str) -> None:
    write_adapter(root / "support", base_folder)
    (root / "support" / missing).unlink()
    (problem,) = problems(root, base)
    assert problem.startswith(f"support/{missing}: no such file")


@pytest.mark.parametrize("name", ["adapter_model.bin", "optimizer.pt", "deep/er/x.PKL", "model.py", "a.ckpt"])
def test_files_that_may_hold_code(root: Path, base: Base, base_folder: Path, name: str) -> None:
    path = write_adapter(root / "support", base_folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    (problem,) = problems(root, base)
    assert problem.startswith(f"support/{name}: may hold code")


@pytest.mark.parametrize("content", [pickle.dumps({"a": 1}), b"PK\x03\x04zip of torch.save"])
def test_a_pickle_under_another_name(root: Path, base: Base, base_folder: Path, content: bytes) -> None:
    (write_adapter(root / "support", base_folder) / WEIGHTS).write_bytes(content)
    assert "it is a pickle" in problems(root, base)[0]


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 8, b"\xff" * 64, b"\x02" + b"\x00" * 7 + b"[]", b"\x05" + b"\x00" * 7 + b'{"a":'],
)
def test_weights_that_are_no_safetensors(root: Path, base: Base, base_folder: Path, content: bytes) -> None:
    (write_adapter(root / "support", base_folder) / WEIGHTS).write_bytes(content)
    assert len(problems(root, base)) == 1


def test_weights_that_are_cut_off(root: Path, base: Base, base_folder: Path) -> None:
    path = write_adapter(root / "support", base_folder) / WEIGHTS
    path.write_bytes(path.read_bytes()[:-4])
    assert "it is cut off or padded" in problems(root, base)[0]


def test_a_header_that_lies_about_the_size(root: Path, base: Base, base_folder: Path) -> None:
    path = write_adapter(root / "support", base_folder) / WEIGHTS
    path.write_bytes(path.read_bytes().replace(b'"shape": [4, 8]', b'"shape": [9, 8]', 1))
    assert "its header does not fit its bytes" in problems(root, base)[0]


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe{", b"[" * 50_000, b'{"r": 1'])
def test_a_config_that_is_no_object(root: Path, base: Base, base_folder: Path, content: bytes) -> None:
    (write_adapter(root / "support", base_folder) / CONFIG).write_bytes(content)
    (problem,) = problems(root, base)
    assert problem.startswith(f"support/{CONFIG}: is no")


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"alias": "x"}'])
def test_a_manifest_of_another_form(root: Path, base: Base, base_folder: Path, content: bytes) -> None:
    (write_adapter(root / "support", base_folder) / MANIFEST).write_bytes(content)
    (problem,) = problems(root, base)
    assert problem.startswith(f"support/{MANIFEST}: ")


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
    "folder", ["..", "../base", "support/../../base", ".", "", "/etc", "a\0b", "x" * 5000, "~/x"]
)
def test_paths_outside_the_adapters_folder(root: Path, base: Base, base_folder: Path, folder: str) -> None:
    (problem,) = problems(root, base, folder)
    assert "adapters folder" in problem


def test_links_to_outside(root: Path, base: Base, base_folder: Path, tmp_path: Path) -> None:
    outside = write_adapter(tmp_path / "elsewhere", base_folder)
    (root / "link").symlink_to(outside)
    assert "not inside the adapters folder" in problems(root, base, "link")[0]
    folder = write_adapter(root / "support", base_folder)
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to(outside / WEIGHTS)
    assert problems(root, base)[0].startswith(f"support/{WEIGHTS}: links to outside")
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).symlink_to("missing")
    assert problems(root, base)[0].startswith(f"support/{WEIGHTS}: is no regular file")


@pytest.mark.parametrize("alias", ["", "Support", "a b", "../x", "a@b", "-a", "a/b", "x" * 64, "é", "a\n"])
def test_aliases_that_are_none(alias: str) -> None:
    with pytest.raises(AdapterRejected, match="alias"):
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
