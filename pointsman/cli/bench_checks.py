"""Looks at what ``pointsman bench`` is asked for before anything is sent, and tells all that is wrong."""

from __future__ import annotations

import math
import re
from pathlib import Path

from pointsman.cli.terminal import REFUSED, fail_with

_LONGEST = 1_000_000  # words or tokens
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a name, RFC 9110, 5.6.2
_OURS = frozenset({"connection", "content-length", "content-type", "host", "transfer-encoding"})
_RANGE = re.compile(r"(\d{1,7})(?::(\d{1,7}))?", re.ASCII)


class Checks:
    """Collects what is wrong. Where something is, what is read out of it is of no use."""

    def __init__(self) -> None:
        self._problems: list[str] = []

    def end_if_wrong(self) -> None:
        """End the command if anything is wrong."""
        if self._problems:
            fail_with(self._problems, REFUSED)

    def refuse(self, problem: str, *, when: bool) -> None:
        """A problem of several options together."""
        if when:
            self._problems.append(problem)

    def address(self, option: str, url: str) -> None:
        """``url`` has to be that of a server."""
        from httpx import URL, InvalidURL

        from deploy.bench.serving.wire import Address

        try:
            Address.of(url)
            URL(url)
        except (ValueError, InvalidURL):
            self._wrong(option, url, "is no address of a server: give http://HOST:PORT or https://HOST")

    def key(self, option: str, key: str | None) -> None:
        """``key`` has to fit into a header. It is never shown."""
        if key is not None and not (key.isascii() and key.isprintable()):
            self._problems.append(f"{option}: the key has signs that no header can have: is it whole?")

    def header(self, option: str, given: str) -> tuple[str, str]:
        """``NAME=VALUE``. The value is never shown: it may be a secret."""
        name, equals, value = given.partition("=")
        if not equals or not _HEADER.fullmatch(name):
            self._problems.append(f"{option}: give NAME=VALUE, such as x-pointsman-priority=batch")
        elif name.lower() in _OURS:
            self._problems.append(f"{option} {name}: it is the bench's own to set: leave it out")
        elif not (value.isascii() and value.isprintable()):
            self._problems.append(f"{option} {name}: its value has signs that no header can have")
        return name, value

    def name(self, option: str, name: str) -> None:
        """``name`` has to be one."""
        if not name.strip():
            self._wrong(option, name, "is no name: give a model's that the endpoint has, or leave it out")

    def number(self, option: str, number: float | None, low: float, high: float = math.inf) -> None:
        """``number`` has to be within both, and finite; None is no number that was given."""
        if number is None or (low <= number <= high and math.isfinite(number)):
            return
        wanted = f"from {low:g} to {high:g}" if math.isfinite(high) else f"from {low:g} on"
        self._problems.append(f"{option} {number:g}: give a number {wanted}")

    def range(self, option: str, given: str) -> tuple[int, int]:
        """``LOW`` or ``LOW:HIGH``."""
        if (found := _RANGE.fullmatch(given)) is not None:
            low, high = int(found[1]), int(found[2] or found[1])
            if 1 <= low <= high <= _LONGEST:
                return low, high
        self._wrong(
            option, given, f"give a number from 1 to {_LONGEST:,}, such as 200, or a range, such as 100:300"
        )
        return 1, 1

    def lines(self, option: str, file: Path | None) -> tuple[str, ...]:
        """The lines of ``file`` that are not empty; none without one."""
        if file is None:
            return ()
        try:
            found = tuple(line for line in file.read_text("utf-8").splitlines() if line.strip())
        except OSError as exc:
            self._problems.append(f"{option} {file}: it can't be read ({exc.strerror}): name a text file")
        except UnicodeDecodeError:
            self._problems.append(f"{option} {file}: it is no text in UTF-8: name one, a prompt a line")
        else:
            self.refuse(f"{option} {file}: it has no line: write a prompt on each", when=not found)
            return found
        return ()

    def writable(self, option: str, file: Path | None, ending: str = "") -> None:
        """``file`` has to be one that can be written, and to end so. If it was not there, it is not after."""
        if file is None:
            return
        if not file.name.lower().endswith(ending):
            self._problems.append(f"{option} {file}: it is written as {ending}: name a file that ends so")
        try:
            if not (folder := file.absolute().parent).is_dir():
                problem = f"the folder {folder} does not exist: make it, or name a file elsewhere"
                self._problems.append(f"{option} {file}: {problem}")
                return
            there = file.exists()
            file.open("ab").close()
            if not there:
                file.unlink()
        except OSError as exc:
            problem = f"it can't be written ({exc.strerror}): name a file elsewhere"
            self._problems.append(f"{option} {file}: {problem}")

    def _wrong(self, option: str, given: str, problem: str) -> None:
        self._problems.append(f"{option} {given!r}: {problem}")
