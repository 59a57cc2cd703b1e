"""Fields that no client may set: those that give power over the engine, and those that it would ignore.

vLLM takes the first from anybody, and answers the second as if they had not been there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.errors import InvalidRequest

ENGINES = {  # name → what it would do
    "priority": "who goes first is the gateway's to decide",
    "request_id": "the engine's ids are the gateway's; send the header x-request-id",
    "kv_transfer_params": "it has the engine move its cache to and from other servers",
    "ec_transfer_params": "it has the engine move its cache to and from other servers",
    "vllm_xargs": "it reaches extensions of the engine unchecked",
    "mm_processor_kwargs": "it changes how the engine reads images and sound",
    "media_io_kwargs": "it changes how the engine loads images and sound",
    "prompt_embeds": "tensors from outside are loaded unchecked",
    "chat_template": "adapters are trained for the base's own template",
}
IGNORED: Mapping[str, tuple[tuple[object, ...], str]] = {  # name → values that ask for nothing, what to do
    "functions": (([],), "use tools"),
    "function_call": (("none", "auto"), "use tool_choice"),
    "modalities": ((["text"],), "only text is given: leave it out"),
    "audio": ((), "only text is given: leave it out"),
    "web_search_options": ((), "nothing is searched: leave it out"),
    "verbosity": (("medium",), "leave it out"),
    "store": ((False,), "nothing is stored: leave it out"),
}


def check_reserved(body: Mapping[str, Any]) -> None:
    """Refuse a body that holds such a field.

    Raises:
        InvalidRequest: names the first.
    """
    for name, value in body.items():
        if value is None:
            continue
        if name in ENGINES:
            raise InvalidRequest(f"{name} may not be set by a request: {ENGINES[name]}", name)
        if name in IGNORED and value not in IGNORED[name][0]:
            raise InvalidRequest(f"{name} is not supported: {IGNORED[name][1]}", name)
