"""A request on its way into the engine, as the scheduler sees it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Literal

Priority = Literal["interactive", "batch"]


class State(Enum):
    """Where a ticket is. Only the scheduler moves it."""

    WAITING = "waiting"
    RUNNING = "running"
    SHED = "shed"  # refused, at once or out of the queue
    GONE = "gone"  # finished, or gave up


@dataclass(eq=False, slots=True)
class Ticket:
    """One request. Two tickets are equal only if they are the same one. Times are in seconds."""

    adapter: str | None  # None: the base
    caller: str = ""  # who takes turns with other callers
    priority: Priority = "interactive"
    state: State = State.WAITING
    arrived: float = 0.0
    admitted: float = 0.0
    due: float = math.inf  # when its turn went by; inf: it has not yet
    retry_after: float = 0.0  # of one that is shed or gave up
