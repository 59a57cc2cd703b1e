"""vLLM from where the gateway stands: servers over HTTP, ours supervised or others' watched."""

from __future__ import annotations

from service.engine.client import EngineClient
from service.engine.pool import EnginePool

__all__ = ["EngineClient", "EnginePool"]
