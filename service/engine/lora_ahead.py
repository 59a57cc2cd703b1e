"""A plugin for each process of vLLM: an adapter's file is read beside the engine's loop, not in it.

vLLM takes a load like any other message, between two steps: while a worker reads the file, names its
matrices, scales them and packs those of one layer, nobody is answered. Here a thread does that, and the
message is put back into the loop's queue when all is at hand, so that the copies to the card alone are left
to the loop.

For engines whose worker is in the process of their loop, which is so with one card. Where workers have
processes of their own, as on a CPU or on several cards, loads are as vLLM has them, and so is the reading
again of an adapter that was evicted, for a request that names it.

Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

log = logging.getLogger("vllm.pointsman")  # shown as vLLM's own lines are

Key = tuple[int, str, str]


def register() -> None:
    """Have the engine of this process, if any, read adapters by a :class:`Reader`; any number of times."""
    from vllm.lora.model_manager import LoRAModelManager
    from vllm.lora.worker_manager import WorkerLoRAManager
    from vllm.v1.engine import EngineCoreRequestType
    from vllm.v1.engine.core import EngineCoreProc

    core: Any = EngineCoreProc
    if getattr(core, "reads_ahead", False):
        return
    worker: Any = WorkerLoRAManager
    kept: Any = LoRAModelManager
    kept._create_merged_loras_inplace = once(kept._create_merged_loras_inplace)
    reader = Reader(packing(worker._load_adapter))
    core._handle_client_request = taking(core._handle_client_request, reader, EngineCoreRequestType.UTILITY)

    def load(manager: Any, request: Any) -> Any:  # a method, which reader.load could not be
        return reader.load(manager, request)

    worker._load_adapter = load
    core.reads_ahead = True


class Reader:
    """Reads adapters one after the other in a thread of its own, and keeps each until it is asked for."""

    def __init__(self, load: Callable[[Any, Any], Any]) -> None:
        """``load``: vLLM's method of a worker's manager of adapters, which gives what a request names."""
        self._load = load
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pointsman-lora")
        self._read: dict[Key, Future[Any]] = {}

    def begin(self, manager: Any, request: Any, then: Callable[[], None]) -> bool:
        """Begin to read, and call ``then`` at the end, from the thread; False where there is nothing to read.

        There is nothing to read if the worker has the adapter, or if it is at hand. What is being read, or
        waits for that, is not read twice.
        """
        reading = self._read.get(_key(request))
        if reading is None:
            if request.lora_int_id in manager.list_adapters() and not request.load_inplace:
                return False
            reading = self._read[_key(request)] = self._thread.submit(self._timed, manager, request)
        elif reading.done():
            return False
        reading.add_done_callback(lambda _: then())
        return True

    def load(self, manager: Any, request: Any) -> Any:
        """In the place of vLLM's method: what was read for the request, or what is read now.

        Raises:
            Exception: what vLLM's method raised.
        """
        reading = self._read.pop(_key(request), None)
        return self._load(manager, request) if reading is None else reading.result()

    def _timed(self, manager: Any, request: Any) -> Any:
        import torch

        torch.set_num_threads(1)  # here, and in threads to come: the loop should not want for cores
        if manager.device.type == "cuda":  # memory that the card reads from belongs to a thread's card
            torch.cuda.set_device(manager.device)
        began = time.perf_counter()
        read = self._load(manager, request)
        log.info("%s was read in %.0f ms", request.lora_name, 1_000 * (time.perf_counter() - began))
        return read


def packing(load: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """vLLM's ``load``, with its matrices scaled and packed as the manager does it before it keeps them."""

    def loaded(manager: Any, request: Any) -> Any:
        model = load(manager, request)
        _scale(model.loras.values())
        manager._adapter_manager._create_merged_loras_inplace(model)
        return model

    return loaded


def _scale(layers: Iterable[Any]) -> None:
    """Multiply each layer's B by its alpha over its rank, all in one operation for each such number.

    vLLM does it matrix by matrix, and the thread would hand Python's lock to the loop and back at each.
    """
    import torch

    by_factor: dict[float, list[Any]] = {}
    for layer in layers:
        if layer.scaling != 1 and layer.lora_b is not None:
            by_factor.setdefault(layer.scaling, []).append(layer)
    for factor, same in by_factor.items():
        exact = torch.tensor(factor, dtype=torch.float64)  # a plain number is rounded to the matrices' type
        torch._foreach_mul_([layer.lora_b for layer in same], exact)
        for layer in same:
            layer.scaling = 1


def once(pack: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """vLLM's ``pack`` of an adapter's matrices, which does nothing the second time."""

    def packed(kept: Any, model: Any) -> None:
        if not getattr(model, "is_packed", False):
            pack(kept, model)
            model.is_packed = True

    return packed


def taking(handle: Callable[..., None], reader: Reader, utility: Any) -> Callable[..., None]:
    """vLLM's ``handle`` of one message, which puts a load off until its adapter is read.

    An engine that is about to end reads nothing: vLLM refuses the load.
    """

    def handled(core: Any, kind: Any, message: Any) -> None:
        is_load = kind == utility and message[2] == "add_lora" and core.is_running()
        if is_load and (manager := _manager(core)) is not None:
            client, call, name, arguments = message
            try:
                (request,) = core._convert_msgspec_args(core.add_lora, arguments)
            except Exception:  # vLLM answers what it can't read as a call that failed
                handle(core, kind, message)
                return
            again = (kind, (client, call, name, (request,)))
            if reader.begin(manager, request, partial(core.input_queue.put_nowait, again)):
                return
        handle(core, kind, message)

    return handled


def _manager(core: Any) -> Any:
    """The manager of adapters of the worker in this process; None if it is elsewhere, or there is none."""
    worker = getattr(getattr(core.model_executor, "driver_worker", None), "worker", None)
    return getattr(getattr(worker, "model_runner", None), "lora_manager", None)


def _key(request: Any) -> Key:
    return request.lora_int_id, request.lora_name, request.lora_path
