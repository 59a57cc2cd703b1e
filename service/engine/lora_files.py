"""A plugin for each process of vLLM: an adapter's file is read whole, and not mapped.

A tensor that safetensors 0.8 takes from a mapped file leaves two numbers of Python's behind for ever, 8 KiB
for each load of the demo's adapters, which adds up where versions come and go. And a mapped file shows what
is written over it later. Remove this when the pinned safetensors leaves nothing and vLLM copies the bytes.

Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

from collections.abc import KeysView
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self


def register() -> None:
    """Have vLLM read adapters by :class:`ReadWhole`; any number of times."""
    from vllm.lora import lora_model

    lora_model.safetensors = SimpleNamespace(safe_open=ReadWhole)


class ReadWhole:
    """What vLLM needs of ``safetensors.safe_open``."""

    def __init__(self, path: str, framework: str) -> None:
        from safetensors.torch import load

        if framework != "pt":
            raise ValueError(f"tensors of torch are read, not of {framework!r}")
        self._tensors: dict[str, Any] = load(Path(path).read_bytes())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tensors = {}

    def keys(self) -> KeysView[str]:
        """The names of the tensors."""
        return self._tensors.keys()

    def get_tensor(self, name: str) -> Any:
        """One of them."""
        return self._tensors[name]
