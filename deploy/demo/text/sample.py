"""What one generated conversation is: its turns, and what a right answer to it must hold.

Every task module of this package offers ``sample(rng, language, split) -> Sample``. A sample carries no
system message and no tool list: ``corpus`` adds the prompt template and the tools of its intent, the very
ones that serving uses. ``split`` keeps training and evaluation apart: names, numbers and ids of the
``held_out`` split are never drawn for ``train``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Language = Literal["en", "zh"]
Split = Literal["train", "held_out"]
Message = dict[str, Any]  # one message in OpenAI's form
Intent = Literal[
    "track_parcel",
    "change_address",
    "complaint",
    "refund",
    "customs",
    "arithmetic",
    "order_json",
    "smalltalk",
    "out_of_scope",
]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the served answer is scored against; every field that is set must hold."""

    tool: str | None = None  # the tool that must be called ...
    arguments: Mapping[str, str] | None = None  # ... with exactly these arguments
    contains: tuple[str, ...] = ()  # all of these stand in the final answer
    number: int | None = None  # the final answer states this number and no other
    json: Mapping[str, Any] | None = None  # the final answer parses to exactly this object


@dataclass(frozen=True, slots=True)
class Sample:
    """One conversation that ends with the right assistant message."""

    intent: Intent
    language: Language
    messages: tuple[Message, ...]  # user, assistant, tool, ...; no system message
    expect: Expectation = field(default_factory=Expectation)
