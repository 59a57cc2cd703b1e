"""What is unloaded leaves vLLM's workers, which drop another adapter otherwise."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any

import pytest
from vllm.entrypoints.openai.models.serving import OpenAIServingModels
from vllm.entrypoints.serve.lora.protocol import UnloadLoRAAdapterRequest

from service.engine import lora_unload


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Any:
    """vLLM's own object, with two adapters, of a server whose engine notes what is removed."""
    monkeypatch.setattr(OpenAIServingModels, "unload_lora_adapter", OpenAIServingModels.unload_lora_adapter)
    monkeypatch.setattr(OpenAIServingModels, "unloads_everywhere", False, raising=False)
    lora_unload.register()
    lora_unload.register()
    made: Any = OpenAIServingModels.__new__(OpenAIServingModels)
    made.lora_requests = {name: SimpleNamespace(lora_int_id=n) for n, name in enumerate("ab", 1)}
    made.lora_resolver_lock = defaultdict(asyncio.Lock)
    removed: list[int] = []

    async def remove_lora(number: int) -> bool:
        removed.append(number)
        return True

    made.engine_client = SimpleNamespace(remove_lora=remove_lora, removed=removed)
    return made


async def test_the_workers_drop_what_is_unloaded(served: Any) -> None:
    answer = await served.unload_lora_adapter(UnloadLoRAAdapterRequest(lora_name="b"))
    assert answer.startswith("Success")
    assert served.engine_client.removed == [2]  # once
    assert list(served.lora_requests) == ["a"]


async def test_what_is_refused_removes_nothing(served: Any) -> None:
    answer = await served.unload_lora_adapter(UnloadLoRAAdapterRequest(lora_name="c"))
    assert answer.error.code == 404
    assert served.engine_client.removed == []


def test_vllm_finds_it() -> None:
    (found,) = entry_points(group="vllm.general_plugins", name="pointsman_lora_unload")
    assert found.value == "service.engine.lora_unload:register"
