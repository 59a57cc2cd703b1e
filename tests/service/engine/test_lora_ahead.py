"""Adapters that are read beside vLLM's loop: what the loop is given, when, and what it finds at hand."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from service.engine.lora_ahead import Reader, once, packing, taking

UTILITY = b"\x03"
WAIT_SECONDS = 10


@dataclass
class Request:
    """What is used of vLLM's LoRARequest."""

    lora_name: str
    lora_int_id: int = 1
    lora_path: str = "adapters/a"
    load_inplace: bool = False


@dataclass
class Manager:
    """What is used of vLLM's manager of adapters in a worker; ``read`` is its method that reads."""

    at_hand: set[int] = field(default_factory=set)
    readings: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)
    going: threading.Event = field(default_factory=threading.Event)
    device: Any = field(default_factory=lambda: SimpleNamespace(type="cpu"))

    def list_adapters(self) -> set[int]:
        return self.at_hand

    def read(self, request: Request) -> str:
        self.readings.append(request.lora_name)
        self.threads.append(threading.current_thread().name)
        assert self.going.wait(WAIT_SECONDS)
        if request.lora_name == "broken":
            raise ValueError("no adapter")
        return f"matrices of {request.lora_name}"


class Core:
    """What is used of vLLM's EngineCoreProc, with a worker in this process or without one."""

    def __init__(self, reader: Reader, manager: Manager | None) -> None:
        worker = SimpleNamespace(worker=SimpleNamespace(model_runner=SimpleNamespace(lora_manager=manager)))
        self.model_executor = SimpleNamespace(driver_worker=worker) if manager else SimpleNamespace()
        self.input_queue: queue.Queue[tuple[Any, Any]] = queue.Queue()
        self.running = True
        self.found: list[Any] = []
        self._handled = taking(Core._handle, reader, UTILITY)
        self._reader, self._manager = reader, manager

    def add_lora(self, request: Request) -> None:
        """vLLM asks a worker for it."""

    def is_running(self) -> bool:
        """Whether it has not been told to end."""
        return self.running

    def handle(self, kind: bytes, message: Any) -> None:
        """As the loop does it with a message."""
        self._handled(self, kind, message)

    def handle_next(self) -> None:
        """As the loop does it when there is a message."""
        self.handle(*self.input_queue.get(timeout=WAIT_SECONDS))

    @staticmethod
    def _convert_msgspec_args(method: Callable[..., Any], arguments: Any) -> tuple[Any, ...]:
        return tuple(one if isinstance(one, Request) else Request(*one) for one in arguments)

    def _handle(self, kind: bytes, message: Any) -> None:
        if kind == UTILITY and message[2] == "add_lora":
            (request,) = self._convert_msgspec_args(self.add_lora, message[3])
            try:
                self.found.append(self._reader.load(self._manager, request))
            except ValueError as exc:
                self.found.append(str(exc))
        else:
            self.found.append(message)


@pytest.fixture
def manager() -> Iterator[Manager]:
    made = Manager()
    yield made
    made.going.set()


@pytest.fixture
def reader() -> Iterator[Reader]:
    threads = torch.get_num_threads()
    yield Reader(Manager.read)
    torch.set_num_threads(threads)


def load(*request: Any) -> tuple[int, int, str, Any]:
    """The message of a client: its number, the call's, the method and what it is given, as it is decoded."""
    return 0, 7, "add_lora", [list(request)]


def test_others_are_answered_while_an_adapter_is_read(reader: Reader, manager: Manager) -> None:
    core = Core(reader, manager)
    core.handle(UTILITY, load("a"))
    core.handle(b"\x00", "a request")
    assert core.found == ["a request"]
    manager.going.set()
    core.handle_next()
    assert core.found == ["a request", "matrices of a"]
    assert manager.readings == ["a"]  # once
    assert manager.threads[0].startswith("pointsman-lora")
    assert core.input_queue.empty()


def test_what_can_not_be_read_is_told_by_the_loop_and_may_be_tried_again(
    reader: Reader, manager: Manager
) -> None:
    manager.going.set()
    core = Core(reader, manager)
    for _ in range(2):
        core.handle(UTILITY, load("broken"))
        core.handle_next()
    assert core.found == ["no adapter", "no adapter"]
    assert manager.readings == ["broken", "broken"]


def test_several_are_read_one_after_the_other(reader: Reader, manager: Manager) -> None:
    core = Core(reader, manager)
    for number, name in enumerate(("a", "b", "c"), 1):
        core.handle(UTILITY, load(name, number, name))
    manager.going.set()
    for _ in range(3):
        core.handle_next()
    assert core.found == ["matrices of a", "matrices of b", "matrices of c"]
    assert len(set(manager.threads)) == 1


def test_who_is_asked_for_twice_is_read_once(reader: Reader, manager: Manager) -> None:
    core = Core(reader, manager)
    core.handle(UTILITY, load("a"))
    core.handle(UTILITY, load("b", 2, "b"))
    core.handle(UTILITY, load("b", 2, "b"))  # the loop waits for neither
    assert core.found == []
    manager.going.set()
    core.handle_next()
    core.handle_next()
    manager.at_hand.add(2)
    core.handle_next()  # vLLM would look no further: it has the adapter
    assert core.found == ["matrices of a", "matrices of b", "matrices of b"]
    assert manager.readings[:2] == ["a", "b"]
    assert manager.threads[2] == threading.main_thread().name


def test_what_is_at_hand_is_taken_at_once(reader: Reader, manager: Manager) -> None:
    manager.going.set()
    core = Core(reader, manager)
    core.handle(UTILITY, load("a"))
    message = core.input_queue.get(timeout=WAIT_SECONDS)
    core.handle(UTILITY, load("a"))
    assert core.found == ["matrices of a"]
    manager.at_hand.add(1)
    core.handle(*message)
    assert core.input_queue.empty()


def test_an_engine_that_ends_answers_and_reads_nothing(reader: Reader, manager: Manager) -> None:
    said: list[Any] = []
    core = Core(reader, manager)
    core._handled = taking(lambda core, kind, message: said.append(message), reader, UTILITY)
    core.running = False
    core.handle(UTILITY, load("a"))
    assert said == [load("a")]
    assert core.input_queue.empty()
    assert manager.readings == []


def test_nothing_is_read_ahead_of_an_adapter_that_the_worker_has(reader: Reader, manager: Manager) -> None:
    manager.going.set()
    manager.at_hand.add(1)
    core = Core(reader, manager)
    core.handle(UTILITY, load("a"))
    assert core.found == ["matrices of a"]  # in the loop, where vLLM finds that it has it
    core.handle(UTILITY, load("a", 1, "adapters/a", True))  # in the place of itself
    assert len(core.found) == 1
    core.handle_next()
    assert core.found == ["matrices of a"] * 2


def test_a_message_that_can_not_be_read_is_left_to_vllm(
    reader: Reader, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []
    monkeypatch.setattr(Core, "_handle", lambda core, kind, message: said.append(message))
    Core(reader, manager).handle(UTILITY, load("a", 1, "adapters/a", True, "one too many"))
    assert said == [load("a", 1, "adapters/a", True, "one too many")]
    assert manager.readings == []


def test_a_worker_elsewhere_reads_as_vllm_has_it(reader: Reader, manager: Manager) -> None:
    manager.going.set()
    core = Core(reader, None)
    core._manager = manager
    core.handle(UTILITY, load("a"))
    core.handle(UTILITY, (0, 8, "list_loras", []))
    assert core.found == ["matrices of a", (0, 8, "list_loras", [])]
    assert manager.threads == [threading.main_thread().name]


def test_matrices_are_packed_beside_the_loop_and_not_again_in_it() -> None:
    packed: list[Any] = []
    pack = once(lambda kept, model: packed.append(model))
    kept = SimpleNamespace()
    kept._create_merged_loras_inplace = lambda model: pack(kept, model)
    load = packing(lambda manager, request: SimpleNamespace(name=request, loras={}))
    model = load(SimpleNamespace(_adapter_manager=kept), "a")
    pack(kept, model)  # as the loop does it with whatever it is given
    assert packed == [model]
    assert model.name == "a"
    pack(kept, other := SimpleNamespace())
    assert packed == [model, other]


def test_vllm_has_what_is_changed_in_it() -> None:
    from vllm.lora.model_manager import LoRAModelManager
    from vllm.lora.worker_manager import LRUCacheWorkerLoRAManager, WorkerLoRAManager
    from vllm.v1.engine.core import EngineCoreProc

    from service.engine import lora_ahead

    (found,) = entry_points(group="vllm.general_plugins", name="pointsman_lora_ahead")
    assert found.value == "service.engine.lora_ahead:register"
    before = EngineCoreProc._handle_client_request, WorkerLoRAManager._load_adapter
    pack = LoRAModelManager._create_merged_loras_inplace
    try:
        lora_ahead.register()
        lora_ahead.register()
        assert EngineCoreProc._handle_client_request.__qualname__ == "taking.<locals>.handled"
        assert LRUCacheWorkerLoRAManager._load_adapter is WorkerLoRAManager._load_adapter is not before[1]
        assert LoRAModelManager._create_merged_loras_inplace.__qualname__ == "once.<locals>.packed"
    finally:
        EngineCoreProc._handle_client_request, WorkerLoRAManager._load_adapter = before
        LoRAModelManager._create_merged_loras_inplace = pack
        del EngineCoreProc.reads_ahead


def test_matrices_are_scaled_as_vllm_scales_them() -> None:
    lora_weights = pytest.importorskip("vllm.lora.lora_weights")

    def layers() -> dict[str, Any]:
        made = {}
        for name, factor in (("a", 2.0), ("b", 1 / 3), ("c", 2.0), ("d", 1.0)):
            a, b = torch.randn(4, 6).bfloat16(), torch.randn(5, 4).bfloat16()
            made[name] = lora_weights.LoRALayerWeights(name, 4, 8, a, b, factor)
        return made

    torch.manual_seed(0)
    wanted = layers()
    torch.manual_seed(0)
    model = SimpleNamespace(loras=layers())
    packing(lambda *_: model)(SimpleNamespace(_adapter_manager=Mock()), None)
    for name, layer in model.loras.items():
        before = layer.lora_b.clone()
        assert torch.equal(layer.lora_b, wanted[name].optimize().lora_b)
        assert torch.equal(layer.optimize().lora_b, before)  # nothing is left to do
