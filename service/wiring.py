"""The real parts: which engine and which adapters a gateway gets from its settings."""

from __future__ import annotations

from service.gateway import Gateway
from service.settings import Settings


def assemble(settings: Settings) -> Gateway:
    """A gateway with an engine and adapters, nothing started."""
    from service.adapters import Adapters
    from service.engine import EnginePool

    engine = EnginePool.from_settings(settings.engine, settings.state)
    return Gateway(settings, engine, Adapters(settings, engine))
