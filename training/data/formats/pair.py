"""Preferences as rows: two answers to one prompt of which one is better, or one with a label."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to one prompt; ``chosen`` is the better one."""

    prompt: tuple[Message, ...]
    chosen: Message
    rejected: Message
    tools: tuple[dict[str, Any], ...] = ()
    margin: float | None = None  # by how much it is better, in the reward's own unit
    where: str = field(default="", compare=False)  # as in errors.BadRow

    def canonical(self) -> bytes:
        """The row's bytes, the same for the same content; what data hashes are made of."""
        return _canonical([self.prompt, self.chosen, self.rejected, self.tools, self.margin])


@dataclass(frozen=True, slots=True)
class Labelled:
    """One answer to a prompt, and whether it is good."""

    prompt: tuple[Message, ...]
    completion: Message
    good: bool
    tools: tuple[dict[str, Any], ...] = ()
    where: str = field(default="", compare=False)

    def canonical(self) -> bytes:
        """As :meth:`Pair.canonical`."""
        return _canonical([self.prompt, self.completion, self.good, self.tools])


@dataclass(frozen=True, slots=True)
class Unpaired:
    """A row of a public file that is no pair, as a few of hh-rlhf's are; it is dropped and counted."""

    why: str
    where: str = field(default="", compare=False)

    def canonical(self) -> bytes:
        """As :meth:`Pair.canonical`."""
        return _canonical([self.why])


Preference = Pair | Labelled | Unpaired


def _canonical(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, sort_keys=True).encode()
