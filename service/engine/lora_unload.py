"""A plugin for each process of vLLM: an adapter that is unloaded leaves the workers too, once nobody uses it.

vLLM's server forgets the name alone. The workers keep the matrices until they have more than
``--max-cpu-loras`` adapters, and then drop the one that nobody has asked for longest: one that is live, as
soon as enough versions came and went after it was last asked. Its next request reads its file in the engine's
loop, where everybody waits.

Where a request needs an adapter that its worker lacks, and the file is gone, the whole engine ends. So an
adapter is dropped when no request in the engine has it, the unload is answered then, and who deletes the file
after that takes it from nobody. A request that the server let in before the unload, but that comes to the
engine behind it, gets an error of its own.

Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import wraps
from typing import Any

log = logging.getLogger("vllm.pointsman")  # shown as vLLM's own lines are

Unload = Callable[[Any, Any], Awaitable[Any]]
_REMEMBERED = 1_000  # adapters that were dropped last, one of which a request on its way may name


def register() -> None:
    """Have vLLM's server tell its engine, which waits for who uses an adapter; any number of times."""
    from vllm.entrypoints.openai.models.serving import OpenAIServingModels
    from vllm.v1.engine.core import EngineCoreProc

    served: Any = OpenAIServingModels
    if not getattr(served, "unloads_everywhere", False):
        served.unload_lora_adapter = everywhere(served.unload_lora_adapter)
        served.unloads_everywhere = True
    core: Any = EngineCoreProc
    if not hasattr(core, "drop_lora"):
        core.drop_lora = drop_lora
        core.add_request = entering(core.add_request)
        core._process_input_queue = looking(core._process_input_queue)


def everywhere(unload: Unload) -> Unload:
    """vLLM's ``unload`` of a name, behind which the workers drop what it stood for."""

    async def unloaded(served: Any, request: Any) -> Any:
        known = served.lora_requests.get(request.lora_name)
        answer = await unload(served, request)
        if known is not None and served.lora_requests.get(request.lora_name) is not known:
            engine = served.engine_client.engine_core
            await engine.call_utility_async(drop_lora.__name__, known.lora_int_id)
        return answer

    return unloaded


def drop_lora(core: Any, number: int) -> Future[bool]:
    """A method of the engine, for its server: drop an adapter when no request has it. vLLM answers when the
    future is done, with whether the workers had it."""
    leaving = _leaving(core)
    answer = leaving.drop(number)
    leaving.look()
    if not answer.done():
        log.info("an adapter (%d) is unloaded, and leaves when its last request is done", number)
    return answer


class Leaving:
    """The adapters of an engine that are to be dropped, and those that were. No number is used twice."""

    def __init__(self, core: Any) -> None:
        self._core = core
        self._waiting: dict[int, Future[bool]] = {}
        self._dropped: dict[int, None] = {}  # in the order in which they went

    def drop(self, number: int) -> Future[bool]:
        """Note an adapter for :meth:`look`."""
        return self._waiting.setdefault(number, Future())

    def has_dropped(self, number: int) -> bool:
        """Whether an adapter went."""
        return number in self._dropped

    def look(self) -> None:
        """Drop those that no request has, waiting or running."""
        if not self._waiting:
            return
        requests = self._core.scheduler.requests.values()
        adapters = (one.lora_request for one in requests if not one.is_finished())
        for number in self._waiting.keys() - {one.lora_int_id for one in adapters if one is not None}:
            answer = self._waiting.pop(number)
            self._dropped[number] = None
            if len(self._dropped) > _REMEMBERED:
                del self._dropped[next(iter(self._dropped))]
            try:
                answer.set_result(self._core.remove_lora(number))
            except Exception as exc:  # told to who unloads
                answer.set_exception(exc)


def entering(enter: Callable[..., None]) -> Callable[..., None]:
    """vLLM's ``enter`` of a request into the scheduler; one whose adapter was dropped gets an error."""

    @wraps(enter)
    def entered(core: Any, request: Any, *more: Any, **named: Any) -> None:
        adapter = request.lora_request
        if adapter is not None and _leaving(core).has_dropped(adapter.lora_int_id):
            log.warning("a request for %s came when it had been unloaded", adapter.lora_name)
            core._send_error_outputs_to_client([request.request_id], request.client_index)
            return
        enter(core, request, *more, **named)

    return entered


def looking(process: Callable[[Any], None]) -> Callable[[Any], None]:
    """vLLM's ``process`` of its messages between two steps, before which goes what came free in the last."""

    @wraps(process)
    def processed(core: Any) -> None:
        _leaving(core).look()
        process(core)

    return processed


def _leaving(core: Any) -> Leaving:
    """That of an engine, from its first use on."""
    found: Leaving | None = getattr(core, "pointsman_leaving", None)
    if found is None:
        found = core.pointsman_leaving = Leaving(core)
    return found
