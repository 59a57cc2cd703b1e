"""What vLLM reads an adapter's file by: the same tensors, of bytes that are its own."""

from __future__ import annotations

import gc
import tracemalloc
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from service.engine.lora_files import ReadWhole


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An adapter of forty small matrices."""
    path = tmp_path / "adapter_model.safetensors"
    tensors = {f"layer.{n}": torch.full((2, 3), float(n), dtype=torch.bfloat16) for n in range(40)}
    save_file(tensors, path)
    return path


def test_it_gives_what_a_mapped_file_gives(file: Path) -> None:
    with ReadWhole(str(file), framework="pt") as read, safe_open(file, framework="pt") as mapped:
        assert set(read.keys()) == set(mapped.keys())
        for name in mapped.keys():  # noqa: SIM118  it is no dict
            assert torch.equal(read.get_tensor(name), mapped.get_tensor(name))


def test_what_is_written_over_the_file_later_is_not_seen(file: Path) -> None:
    with ReadWhole(str(file), framework="pt") as read:
        seven = read.get_tensor("layer.7")
    content = file.read_bytes()
    with file.open("r+b") as over:
        over.write(content[:-480] + b"\xff" * 480)
    assert torch.equal(seven, torch.full((2, 3), 7.0, dtype=torch.bfloat16))


def test_reading_again_and_again_leaves_nothing(file: Path) -> None:
    def read() -> None:
        with ReadWhole(str(file), framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118
                opened.get_tensor(name)

    read()
    tracemalloc.start()
    try:
        read()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(50):
            read()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 50 * 40  # less than a byte a tensor; from a mapped file it is 56


def test_vllm_finds_the_correction() -> None:
    (found,) = entry_points(group="vllm.general_plugins", name="pointsman_lora_files")
    assert found.value == "service.engine.lora_files:register"
