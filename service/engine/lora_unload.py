"""A plugin for each process of vLLM: an adapter that is unloaded leaves the workers too.

vLLM's server forgets the name alone. The workers keep the matrices until they have more than
``--max-cpu-loras`` adapters, and then drop the one that nobody has asked for longest: one that is live, as
soon as enough versions came and went after it was last asked. Its next request reads its file in the engine's
loop, where everybody waits.

Whoever is still answered by the unloaded adapter goes on: a worker that lacks it reads it again.

Installed by the entry point group ``vllm.general_plugins``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Unload = Callable[[Any, Any], Awaitable[Any]]


def register() -> None:
    """Have vLLM's server tell the workers; any number of times."""
    from vllm.entrypoints.openai.models.serving import OpenAIServingModels

    served: Any = OpenAIServingModels
    if not getattr(served, "unloads_everywhere", False):
        served.unload_lora_adapter = everywhere(served.unload_lora_adapter)
        served.unloads_everywhere = True


def everywhere(unload: Unload) -> Unload:
    """vLLM's ``unload`` of a name, behind which the workers drop what it stood for."""

    async def unloaded(served: Any, request: Any) -> Any:
        known = served.lora_requests.get(request.lora_name)
        answer = await unload(served, request)
        if known is not None and served.lora_requests.get(request.lora_name) is not known:
            await served.engine_client.remove_lora(known.lora_int_id)
        return answer

    return unloaded
