"""The table of releases: who is live for every alias, and what has come of it since the gateway's start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from service.metrics import Seen
from service.parts import Version


@dataclass(frozen=True, slots=True)
class Line:
    """One live version. Seconds are means; None: nothing to take one of yet."""

    alias: str
    version: str
    role: Literal["live", "canary"]
    weight: int  # percent of the alias's conversations
    requests: int
    failed: int  # by the server's fault
    aborted: int  # by their clients
    down: int  # rated down
    first_token: float | None  # to the first token of a stream
    seconds: float | None  # to the last byte
    since: str  # it is live


def lines_of(versions: Sequence[Version], seen: Mapping[str, Seen]) -> list[Line]:
    """The live versions by alias, a canary below who it may replace."""
    live = sorted((one for one in versions if one.state == "live"), key=lambda one: (one.alias, one.canary))
    return [_line(version, seen.get(version.name, Seen())) for version in live]


def _line(version: Version, seen: Seen) -> Line:
    return Line(
        alias=version.alias,
        version=version.version,
        role="canary" if version.canary else "live",
        weight=version.weight,
        requests=seen.requests,
        failed=seen.failed,
        aborted=seen.aborted,
        down=seen.down,
        first_token=seen.first_token / seen.streams if seen.streams else None,
        seconds=seen.seconds / seen.requests if seen.requests else None,
        since=_moment(version.live_since),
    )


def _moment(value: Any) -> str:
    return "" if value is None else str(value)
