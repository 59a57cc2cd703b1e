"""A manifest for weights that another trainer saved: what is known of them, which is little."""

from __future__ import annotations

from datetime import UTC, datetime

from pointsman.artefact import Manifest
from service.adapters.base import Base

STAGE = "load_lora_adapter"
_UNKNOWN = (
    "another trainer made it, and POST /v1/load_lora_adapter registered it: that it was trained on the base "
    "that is served is known by its matrices' names and shapes alone"
)


def foreign_manifest(alias: str, named: str | None, base: Base) -> Manifest:
    """Of an adapter that fits ``base`` and comes without; ``named`` is the base in its config, if any is."""
    return Manifest(
        alias=alias,
        stage=STAGE,
        base_model=named or base.name,
        base=base.identity,
        recipe={},
        data={},
        seed=0,
        code="unknown",
        libraries={},
        metrics={},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        warning=_UNKNOWN,
    )
