"""What is known of a version's past: where it comes from, and every change of its share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pointsman.artefact import Manifest
from pointsman.moves import Moves
from service.adapters.version import Live, Verdict, VersionInfo


@dataclass(frozen=True)
class Promotion:
    """One change of who is live."""

    before: Live | None
    after: Live
    by: str
    at: datetime
    undone: datetime | None


@dataclass(frozen=True)
class Provenance:
    """All that is known of where a version comes from and what became of it."""

    version: VersionInfo
    manifest: Manifest | None  # None: it was retired, and its copy is gone
    signed_by: str | None  # the public key, in hex
    verdict: Verdict | None
    promotions: tuple[Promotion, ...]
    moves: Moves | None  # what is in force with it
