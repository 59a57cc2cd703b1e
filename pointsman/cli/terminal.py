"""What the commands say to a person: results on stdout, progress and errors on stderr.

An expected error is one clear message and a status, never a traceback.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

FAILED = 1  # the command could not do what was asked
REFUSED = 2  # it was asked wrongly, or a thing it needs is missing; nothing was begun
QUIET = 10.0  # seconds between two plain lines on the same thing
INTERRUPTED = 130  # Ctrl-C


def out() -> Console:
    """Where results go; made anew so that a redirected stdout is seen."""
    from rich.console import Console

    return Console(highlight=False, emoji=False)  # else `:100:`, a file's line, would be one


def say(line: str, *, markup: bool = False) -> None:
    """A result on stdout; its lines are never broken, so that a program reads them whole."""
    out().print(line, markup=markup, soft_wrap=True)


def err() -> Console:
    """Where progress and errors go."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False)


def fail(message: str, status: int = FAILED) -> NoReturn:
    """Print ``message`` on stderr and end the command with ``status``."""
    err().print("[bold red]error:[/] ", end="")
    err().print(message, markup=False, soft_wrap=True)
    raise typer.Exit(status)


def fail_with(problems: Sequence[str], status: int = FAILED) -> NoReturn:
    """As :func:`fail`; of several problems each gets a line."""
    if len(problems) == 1:
        fail(problems[0], status)
    fail("\n".join([f"{len(problems)} problems", *(f"  {problem}" for problem in problems)]), status)


@contextmanager
def reported(*kinds: type[Exception], status: int = FAILED) -> Iterator[None]:
    """Within it an exception of ``kinds`` ends the command with its message and ``status``.

    Of one with several ``problems`` each gets a line.
    """
    try:
        yield
    except kinds as exc:
        problems = getattr(exc, "problems", ())
        if len(problems) > 1 and "\n" not in str(exc):
            fail_with(problems, status)
        fail(str(exc), status)


class Progress:
    """Says how far something is: a spinner with the seconds on a terminal, plain lines in a log.

    ``with Progress() as report: report("loading the model")``
    """

    def __init__(self) -> None:
        from rich.progress import Progress as Bars
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
        self._console = err()
        self._began = time.monotonic()
        self._bars = Bars(
            SpinnerColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False, table_column=rest),
            console=self._console,
            expand=True,
            transient=True,
        )
        self._task: TaskID | None = None
        self._thing, self._printed = "", 0.0  # of the last plain line
        self.last = ""  # line that was said

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __call__(self, line: str) -> None:
        """Say what is being done now."""
        self.last = line
        if not self._console.is_terminal:
            self._print(line)
        elif self._task is None:
            self._task = self._bars.add_task(line, total=None)
            self._bars.start()
        else:
            self._bars.update(self._task, description=line)

    def _print(self, line: str) -> None:
        """A plain line; of those on one thing (what is before ": ") one in ``QUIET`` seconds."""
        seconds, thing = time.monotonic() - self._began, line.partition(": ")[0]
        if thing != self._thing or seconds - self._printed >= QUIET:
            self._thing, self._printed = thing, seconds
            self._console.print(f"[{seconds:5.1f} s] {line}", markup=False, soft_wrap=True)

    def stop(self) -> None:
        """Take the spinner away, for instance before other output."""
        if self._task is not None:
            self._bars.stop()
            self._bars.remove_task(self._task)
            self._task = None
