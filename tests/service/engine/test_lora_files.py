"""What vLLM reads an adapter's file by: the same tensors, of bytes that are its own."""

from __future__ import annotations

import gc
import tracemalloc
from importlib.metadata import entry_points
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.overrides import TorchFunctionMode

from service.engine import lora_files
from service.engine.lora_files import AtHand, ReadWhole, handing, read_as, reading


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


def test_matrices_are_of_the_type_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "adapter_model.safetensors"
    for kind in (torch.float16, torch.float32, torch.bfloat16):
        tensors = {f"layer.{n}": torch.randn(3, n + 1).to(kind) for n in range(5)}
        save_file(tensors, path)
        for wanted in (None, torch.bfloat16, torch.float32):
            with read_as(wanted), ReadWhole(str(path), framework="pt") as read:
                for name, tensor in tensors.items():
                    found = read.get_tensor(name)
                    assert found.dtype == (wanted or kind)
                    assert torch.equal(found, tensor.to(wanted or kind))
                    found *= 2  # vLLM scales in place
        with ReadWhole(str(path), framework="pt") as read:  # and the file is as it was
            assert all(torch.equal(read.get_tensor(name), tensor) for name, tensor in tensors.items())


def test_tensors_of_several_types_and_none_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "adapter_model.safetensors"
    several = {
        "a": torch.tensor([1, 2], dtype=torch.int64),
        "b": torch.tensor([True, False, True]),
        "c": torch.tensor([0.5], dtype=torch.float16),
        "d": torch.zeros(0, 3),
    }
    for tensors in (several, {"d": several["d"]}, {"a": several["a"]}, {}):
        save_file(tensors, path)
        with read_as(torch.bfloat16), ReadWhole(str(path), framework="pt") as read:
            assert set(read.keys()) == set(tensors)
            for name, tensor in tensors.items():
                assert torch.equal(read.get_tensor(name), tensor)
    content = b'{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"F16","shape":[1],'
    content += b'"data_offsets":[1,3]}}'
    path.write_bytes(len(content).to_bytes(8, "little") + content + b"\x07\x00\x3c")
    with ReadWhole(str(path), framework="pt") as read:  # at an odd byte
        assert (read.get_tensor("a").item(), read.get_tensor("b").item()) == (1.0, 7)


def test_what_is_no_such_file_or_cut_off_is_an_error(file: Path) -> None:
    content = file.read_bytes()
    for broken in (content[:-1], content[:20], b"", b"PK" + content):
        file.write_bytes(broken)
        with pytest.raises(SafetensorError):
            ReadWhole(str(file), framework="pt")
    with pytest.raises(ValueError, match="not of 'np'"):
        ReadWhole(str(file), framework="np")


def test_vllm_loads_what_it_loaded_before(file: Path) -> None:
    """Its own loader, with and without ours."""
    lora_model = pytest.importorskip("vllm.lora.lora_model")
    from vllm.lora.peft_helper import PEFTHelper

    names = [f"base_model.model.model.layers.{n}.self_attn.q_proj" for n in range(3)]
    tensors = {f"{name}.lora_A.weight": torch.randn(4, 6) for name in names}
    tensors |= {f"{name}.lora_B.weight": torch.randn(5, 4) for name in names}
    save_file(tensors, file)
    helper = PEFTHelper(r=4, lora_alpha=8, target_modules=["q_proj"])

    def loaded(load: Any) -> dict[str, list[torch.Tensor]]:
        model = load(
            lora_model.LoRAModel,
            str(file.parent),
            {"q_proj"},
            helper,
            lora_model_id=1,
            device="cpu",
            dtype=torch.bfloat16,
        )
        return {name: [one.lora_a, one.lora_b] for name, one in model.loras.items()}

    plain = lora_model.LoRAModel.from_local_checkpoint.__func__
    before = loaded(plain)
    with pytest.MonkeyPatch.context() as patched:
        opened: list[ReadWhole] = []

        def open_whole(path: str, framework: str) -> ReadWhole:
            opened.append(ReadWhole(path, framework))
            return opened[-1]

        patched.setattr(lora_model, "safetensors", SimpleNamespace(safe_open=open_whole))
        make = lora_model.LoRAModel.from_lora_tensors.__func__
        patched.setattr(lora_model.LoRAModel, "from_lora_tensors", classmethod(handing(make)))
        after = loaded(reading(plain))
    assert len(opened) == 1
    assert before.keys() == after.keys()
    for name, pair in before.items():
        for one, other in zip(pair, after[name], strict=True):
            assert one.dtype == other.dtype == torch.bfloat16
            assert torch.equal(one, other)


def test_a_tensor_is_given_as_it_is_unless_another_is_wanted() -> None:
    tensor = torch.ones(2, 3, dtype=torch.bfloat16)
    assert AtHand(tensor).shape == (2, 3)
    assert AtHand(tensor).to(device="cpu", dtype=torch.bfloat16) is tensor
    assert AtHand(tensor).to(device="cpu") is tensor
    assert AtHand(tensor).to(device="cpu", dtype=torch.float32).dtype == torch.float32
    assert AtHand(tensor).to(device="meta", dtype=torch.bfloat16).device.type == "meta"


def test_the_work_on_tensors_does_not_grow_with_their_number(tmp_path: Path) -> None:
    """Each operation hands Python's lock to the engine's loop and back."""

    class Counting(TorchFunctionMode):
        calls = 0

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.calls += func.__name__ != "__get__"  # what a tensor is, is no operation
            return func(*args, **(kwargs or {}))

    def calls(count: int) -> int:
        path = tmp_path / f"{count}.safetensors"
        save_file({f"layer.{n}": torch.ones(2, 3, dtype=torch.float16) for n in range(count)}, path)
        for counted in (Counting(), Counting()):  # forms are kept from the first
            with counted, read_as(torch.bfloat16), ReadWhole(str(path), framework="pt") as read:
                for name in read.keys():  # noqa: SIM118
                    AtHand(read.get_tensor(name)).to(device="cpu", dtype=torch.bfloat16)
        return counted.calls

    assert 0 < calls(10) == calls(100)


def test_an_adapter_of_several_blocks_is_read_as_one_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "adapter_model.safetensors"
    tensors = {f"layer.{n:02}": torch.randn(3, n + 1) for n in range(20)}
    save_file(tensors, path)
    for bytes_ in (2, 64, 200):  # a single matrix may be longer
        monkeypatch.setattr(lora_files, "BLOCK", bytes_)
        for wanted in (None, torch.bfloat16):
            with read_as(wanted), ReadWhole(str(path), framework="pt") as read:
                for name, tensor in tensors.items():
                    assert torch.equal(read.get_tensor(name), tensor.to(wanted or torch.float32))


def test_a_small_adapter_pins_no_more_than_it_takes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, empty = list[tuple[int, bool]](), torch.empty

    def without_a_card(length: int, *, dtype: torch.dtype, pin_memory: bool) -> torch.Tensor:
        asked.append((length * dtype.itemsize, pin_memory))
        return empty(length, dtype=dtype)

    monkeypatch.setattr(torch, "empty", without_a_card)
    with ReadWhole(str(file), framework="pt", pinned=True) as read:
        total = sum(read.get_tensor(name).nbytes for name in read.keys())  # noqa: SIM118
    assert asked == [(total, True)]


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
