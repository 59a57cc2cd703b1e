"""Where a run is, for who watches it: a bar on a terminal, plain lines now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.runs.estimate import duration

LINE_SECONDS = 10.0  # at most one plain line in this time


class Bar:
    """Counts steps; ``report`` gets the plain lines."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._bar: Progress | None = None
        self._steps = 0
        self._printed = 0.0
        self._began: tuple[float, int] | None = None  # when the first step was done, and which it was

    def start(self, steps: int, done: int = 0) -> None:
        """Begin at step ``done`` of ``steps``."""
        self._steps = steps
        self._began = None
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("step"),
                MofNCompleteColumn(),
                BarColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[at]}", markup=False),
            )
            self._bar.add_task("train", total=steps, completed=done, at="")
            self._bar.start()

    def move(self, step: int) -> None:
        """``step`` is done."""
        if self._began is None:
            self._began = (time.monotonic(), step)
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=step)

    def say(self, step: int, text: str, *, always: bool = False) -> None:
        """How it goes at ``step``; in a log no more often than all 10 seconds, unless ``always``."""
        if self._bar:
            self._bar.update(self._bar.task_ids[0], at=text)
        elif always or time.monotonic() - self._printed > LINE_SECONDS:
            self._printed = time.monotonic()
            self._report(f"step {step} of {self._steps}: {text}{self._left(step)}")

    def _left(self, step: int) -> str:
        """How long it will go on, at the speed since the first step, which warms up and so tells nothing."""
        if self._began is None:
            return ""
        began, first = self._began
        if not first < step < self._steps:
            return ""
        left = (time.monotonic() - began) / (step - first) * (self._steps - step)
        return f", about {duration(left)} left"

    def close(self) -> None:
        """End it, however the run ended."""
        if self._bar:
            self._bar.stop()
            self._bar = None
