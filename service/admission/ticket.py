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
    """One request. Two tickets are equal only if they are the same one."""

    adapter: str | None  # None: the base, which takes no adapter's place
    caller: str = ""  # whose share it comes out of
    priority: Priority = "interactive"
    state: State = State.WAITING
    arrived: float = 0.0  # seconds, on the clock of whoever sends the events
    admitted: float = 0.0
    due: float = math.inf  # when its turn of the order went by; not yet
    retry_after: float = 0.0  # seconds, of one that is shed or gave up
