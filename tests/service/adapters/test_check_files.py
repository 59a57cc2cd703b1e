"""Files that are refused before the engine sees them: missing, broken, dangerous, elsewhere."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from pointsman.artefact import CONFIG, MANIFEST, WEIGHTS
from service.adapters.base import Base
from service.adapters.checks import check
from service.adapters.weights import magnitudes, read_header
from tests.service.adapters.artefacts import (
    HIDDEN,
    RANK,
    lora,
    write_adapter,
    write_safetensors,
)
from tests.service.adapters.checking import problems

Q = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F64"])
def test_other_floating_types_pass(root: Path, base: Base, base_folder: Path, dtype: str) -> None:
    write_adapter(root / "support", base_folder)
    kind = {"F16": "<f2", "BF16": "<u2", "F64": "<f8"}[dtype]
    tensors = {name: values.astype(kind) for name, values in lora().items()}
    if dtype == "BF16":  # the upper half of a float32
        tensors = {n: (v.view("<u4") >> 16).astype("<u2") for n, v in lora().items()}
    write_safetensors(root / "support" / WEIGHTS, tensors, dtype)
    assert check(root, "support", base, 16).rank == RANK


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(root: Path, base: Base, base_folder: Path, value: float) -> None:
    tensors = lora()
    tensors[f"{Q}.lora_B.weight"][3, 1] = value
    write_adapter(root / "support", base_folder, tensors=tensors)
    (problem,) = problems(root, base)
    assert problem.startswith(f"support/{WEIGHTS}: holds NaN or infinity: {Q}.lora_B.weight")


@pytest.mark.parametrize(("dtype", "kind"), [("F64", "<f8"), ("F32", "<f4"), ("F16", "<f2")])
def test_the_largest_number_is_found_whatever_its_sign(tmp_path: Path, dtype: str, kind: str) -> None:
    drawn = np.random.default_rng(0).standard_normal((50, 7)).astype(kind)
    tensors = {"drawn": drawn, "zero": np.zeros((2, 2), kind), "minus": np.full((1, 3), -6.5, kind)}
    tensors["none"] = np.array([[1, -np.nan, 2]], kind)
    write_safetensors(tmp_path / WEIGHTS, tensors, dtype)
    found = magnitudes(tmp_path / WEIGHTS, read_header(tmp_path / WEIGHTS))
    assert found == {"drawn": float(np.abs(drawn).max()), "zero": 0.0, "minus": 6.5, "none": np.inf}


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
        f"{module}.lora_A.weight": np.ones((RANK, HIDDEN), "<f4"),
        f"{module}.lora_B.weight": np.ones((32, RANK), "<f4"),
    }
    write_adapter(root / "support", base_folder, tensors=lora() | more)
    assert "modules that the base does not have: model.embed_tokens" in problems(root, base)[0]


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


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, MANIFEST])
def test_a_folder_in_the_place_of_a_file(root: Path, base: Base, base_folder: Path, name: str) -> None:
    write_adapter(root / "support", base_folder)
    (root / "support" / name).unlink()
    (root / "support" / name).mkdir()
    said = f"support/{name}: can't be read: Is a directory"
    assert any(said in problem for problem in problems(root, base))
