"""What is tuned for a base, and the files that vLLM looks it up in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.gpu import tune_lora
from deploy.gpu.lora_shapes import Shape, candidates, shapes_of
from deploy.gpu.tune_lora import BATCHES, files_of

LLAMA_3B = {
    "hidden_size": 3072,
    "intermediate_size": 8192,
    "num_attention_heads": 24,
    "num_key_value_heads": 8,
    "head_dim": 128,
}


def test_the_kernels_of_a_base() -> None:
    """q, k and v are one launch, and so are gate and up; the two kernels of o and down are the same for B."""
    assert shapes_of(LLAMA_3B, 16) == [
        Shape("shrink", 16, (3072, 3072, 3072)),
        Shape("shrink", 16, (3072,)),
        Shape("shrink", 16, (3072, 3072)),
        Shape("shrink", 16, (8192,)),
        Shape("expand", 16, (3072, 1024, 1024)),
        Shape("expand", 16, (3072,)),
        Shape("expand", 16, (8192, 8192)),
    ]
    plain = {"hidden_size": 320, "intermediate_size": 864, "num_attention_heads": 5}
    assert Shape("expand", 8, (320, 320, 320)) in shapes_of(plain, 8)


@pytest.mark.parametrize("batch", BATCHES)
def test_no_block_is_tried_that_has_nothing_to_do(batch: int) -> None:
    for shape in shapes_of(LLAMA_3B, 16):
        found = candidates(shape, batch)
        assert len(found) > 8
        assert len({tuple(sorted(one.items(), key=str)) for one in found}) == len(found)
        for one in found:
            assert isinstance(one["block_k"], int)
            if shape.op == "shrink":
                assert isinstance(one["split_k"], int)
                assert one["block_k"] * (one["split_k"] - 1) < shape.wide


def test_the_files_are_as_vllm_looks_things_up() -> None:
    """By adapters ("none" is one more), slices, tokens, and the sides of the matrix as it is multiplied."""
    best = {
        (shape, batch): candidates(shape, batch)[0] for shape in shapes_of(LLAMA_3B, 16) for batch in BATCHES
    }
    files = files_of(best, 16, "NVIDIA_H100")
    assert set(files) == {"NVIDIA_H100_SHRINK.json", "NVIDIA_H100_EXPAND_TRUE.json"}

    def at(name: str, *keys: str) -> object:
        found: object = files[name]
        for key in keys:
            assert isinstance(found, dict)
            found = found[key]
        return found

    down = Shape("shrink", 16, (8192,))
    assert at("NVIDIA_H100_SHRINK.json", "17", "1", "64", "8192", "16") == best[down, 64]
    qkv = Shape("expand", 16, (3072, 1024, 1024))
    assert at("NVIDIA_H100_EXPAND_TRUE.json", "17", "3", "2048", "16", "3072") == best[qkv, 2048]


def test_the_kernels_that_are_here_are_for_every_shape_of_their_base() -> None:
    folder = Path(tune_lora.__file__).with_name("kernels") / "3b-rank16"
    any_of = {
        (shape, batch): candidates(shape, batch)[0] for shape in shapes_of(LLAMA_3B, 16) for batch in BATCHES
    }
    expected = files_of(any_of, 16, "NVIDIA_H100_80GB_HBM3")
    assert {path.name for path in folder.iterdir()} == set(expected)
    for name, tree in expected.items():
        assert _paths(json.loads((folder / name).read_bytes())) == _paths(tree)


def _paths(tree: object) -> set[tuple[str, ...]]:
    """Down to each number of a configuration."""
    if not isinstance(tree, dict):
        return {()}
    return {(str(key), *rest) for key, below in tree.items() for rest in _paths(below)}
