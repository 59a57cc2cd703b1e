"""What is unloaded leaves vLLM's workers, which drop another adapter otherwise, when no request has it."""

from __future__ import annotations

import asyncio
import queue
from collections import defaultdict
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any

import pytest
from vllm.entrypoints.openai.models.serving import OpenAIServingModels
from vllm.entrypoints.serve.lora.protocol import UnloadLoRAAdapterRequest
from vllm.v1.engine import EngineCoreRequestType, FinishReason
from vllm.v1.engine.core import EngineCoreProc, EngineShutdownState

from service.engine import lora_unload

ABORT = EngineCoreRequestType.ABORT
ADD = EngineCoreRequestType.ADD
UTILITY = EngineCoreRequestType.UTILITY


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin, twice as vLLM may have it; gone after the test."""
    monkeypatch.setattr(OpenAIServingModels, "unload_lora_adapter", OpenAIServingModels.unload_lora_adapter)
    monkeypatch.setattr(OpenAIServingModels, "unloads_everywhere", False, raising=False)
    for name in ("add_request", "_process_input_queue"):
        monkeypatch.setattr(EngineCoreProc, name, getattr(EngineCoreProc, name))
    monkeypatch.setattr(EngineCoreProc, "drop_lora", None, raising=False)
    monkeypatch.delattr(EngineCoreProc, "drop_lora")
    lora_unload.register()
    lora_unload.register()


@pytest.fixture
def served() -> Any:
    """vLLM's own object, with two adapters, of a server whose engine notes what it is told to drop."""
    made: Any = OpenAIServingModels.__new__(OpenAIServingModels)
    made.lora_requests = {name: SimpleNamespace(lora_int_id=n) for n, name in enumerate("ab", 1)}
    made.lora_resolver_lock = defaultdict(asyncio.Lock)
    told: list[tuple[str, int]] = []

    async def call_utility_async(method: str, number: int) -> bool:
        told.append((method, number))
        return True

    core = SimpleNamespace(call_utility_async=call_utility_async)
    made.engine_client = SimpleNamespace(engine_core=core, told=told)
    return made


async def test_the_engine_drops_what_is_unloaded(served: Any) -> None:
    answer = await served.unload_lora_adapter(UnloadLoRAAdapterRequest(lora_name="b"))
    assert answer.startswith("Success")
    assert served.engine_client.told == [("drop_lora", 2)]  # once
    assert list(served.lora_requests) == ["a"]


async def test_what_is_refused_drops_nothing(served: Any) -> None:
    answer = await served.unload_lora_adapter(UnloadLoRAAdapterRequest(lora_name="c"))
    assert answer.error.code == 404
    assert served.engine_client.told == []


@dataclass
class Asked:
    """What is used of vLLM's Request."""

    request_id: str
    adapter: int | None
    client_index: int = 0
    finished: bool = False
    pooling_params: None = None
    kv_transfer_params: None = None
    ec_transfer_params: None = None
    abort_immediately: bool = False

    @property
    def lora_request(self) -> Any:
        return None if self.adapter is None else SimpleNamespace(lora_int_id=self.adapter, lora_name="a")

    def is_finished(self) -> bool:
        return self.finished


class Scheduler:
    """What is used of vLLM's: requests come and go."""

    def __init__(self) -> None:
        self.requests: dict[str, Asked] = {}

    def add_request(self, request: Asked) -> None:
        self.requests[request.request_id] = request

    def finish_requests(self, names: list[str], status: object) -> None:
        for name in names:
            del self.requests[name]

    def has_requests(self) -> bool:
        return True


class Executor:
    """What is used of vLLM's: workers that have adapters 1 and 2."""

    def __init__(self) -> None:
        self.adapters = {1, 2}

    def remove_lora(self, number: int) -> bool:
        if number == 13:
            raise RuntimeError("a worker is gone")
        had = number in self.adapters
        self.adapters.discard(number)
        return had


@pytest.fixture
def core() -> Any:
    """vLLM's own engine, without its start."""
    made: Any = EngineCoreProc.__new__(EngineCoreProc)
    made.scheduler, made.model_executor = Scheduler(), Executor()
    made.input_queue, made.output_queue = queue.Queue(), queue.Queue()
    made.shutdown_state, made.engines_running = EngineShutdownState.RUNNING, True
    return made


def tell(core: Any, *messages: tuple[EngineCoreRequestType, Any]) -> list[tuple[int, Any]]:
    """What the engine says when its loop finds these messages: clients, and what each is told."""
    for message in messages:
        core.input_queue.put_nowait(message)
    core._process_input_queue()
    said = list[tuple[int, Any]]()
    while not core.output_queue.empty():
        client, outputs = core.output_queue.get_nowait()
        if (answer := outputs.utility_output) is None:
            said.extend((client, (one.request_id, one.finish_reason)) for one in outputs.outputs)
        else:
            said.append((client, answer.failure_message or answer.result.result))
    return said


def add(name: str, adapter: int | None, client: int = 0) -> tuple[EngineCoreRequestType, Any]:
    return ADD, (Asked(name, adapter, client), 0)


def drop(adapter: int) -> tuple[EngineCoreRequestType, Any]:
    return UTILITY, (5, adapter, "drop_lora", [adapter])


def test_an_adapter_that_nobody_uses_is_dropped_at_once(core: Any) -> None:
    assert tell(core, add("by the other", 1), add("by the base", None), drop(2)) == [(5, True)]
    assert core.model_executor.adapters == {1}


def test_an_adapter_in_use_is_dropped_behind_its_last_request(core: Any) -> None:
    assert tell(core, add("x", 2), add("y", 2), drop(2)) == []
    assert tell(core, (ABORT, ["x"])) == []
    assert core.model_executor.adapters == {1, 2}
    core.scheduler.requests["y"].finished = True  # in the step; its memory is held for somebody else still
    assert tell(core) == [(5, True)]
    assert core.model_executor.adapters == {1}
    assert tell(core) == []


def test_a_request_may_come_while_others_use_what_is_unloaded(core: Any) -> None:
    tell(core, add("x", 2), drop(2))
    tell(core, add("y", 2), (ABORT, ["x"]))
    assert tell(core) == []
    assert core.model_executor.adapters == {1, 2}
    tell(core, (ABORT, ["y"]))
    assert tell(core) == [(5, True)]


def test_a_request_that_comes_behind_the_last_one_gets_an_error(core: Any) -> None:
    assert tell(core, drop(2), add("late", 2, client=3)) == [(5, True), (3, ("late", FinishReason.ERROR))]
    assert core.scheduler.requests == {}
    assert tell(core, add("other", 1)) == []
    assert list(core.scheduler.requests) == ["other"]


def test_those_that_went_long_ago_are_forgotten(core: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lora_unload, "_REMEMBERED", 2)
    tell(core, *(drop(number) for number in range(10, 13)))
    assert [lora_unload._leaving(core).has_dropped(number) for number in range(10, 13)] == [False, True, True]


def test_who_unloads_is_told_what_the_workers_said(core: Any) -> None:
    (told,) = tell(core, drop(7))
    assert told == (5, False)  # they had none
    (told,) = tell(core, drop(13))
    assert told == (5, "Call to drop_lora method failed: a worker is gone")


def test_vllm_finds_it() -> None:
    (found,) = entry_points(group="vllm.general_plugins", name="pointsman_lora_unload")
    assert found.value == "service.engine.lora_unload:register"
