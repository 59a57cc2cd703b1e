"""Takes apart text in which a model marks what is not part of its answer: reasoning, and tool calls.

Text arrives in pieces cut anywhere; whatever the cuts, the parts joined by kind are the same. White space
next to a tag belongs to neither side and is dropped; text without a tag passes unchanged.

Under a guide (``response_format``, ``structured_outputs``) the text is the guide's, and what looks like a tag
may be part of a JSON string. Only one at the very beginning, which no guide of JSON lets in, is a tag there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, AnyStr, Literal

from chains.parameters import formats_of
from chains.stop import overlap

Kind = Literal["content", "reasoning", "call"]

TAGS: dict[Kind, tuple[str, str]] = {
    "reasoning": ("<think>", "</think>"),
    "call": ("<tool_call>", "</tool_call>"),  # seen only where the engine could not read the call
}


def goes_on_thinking(parameters: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the answer begins inside the reasoning of the message that it continues.

    Under a guide only if that is no JSON, and names the tag by which the reasoning ends.
    """
    if not parameters.get("continue_final_message") or parameters.get("echo") or not messages:
        return False
    text = messages[-1].get("content")
    opening, closing = TAGS["reasoning"]
    if (form := formats_of(parameters)) and not _names(form, closing):
        return False
    return isinstance(text, str) and text.rfind(opening) > text.rfind(closing)


def _names(form: Mapping[str, Any], tag: str) -> bool:
    """Whether a form other than JSON names ``tag``; a regex may escape what is in it."""
    kind, wanted = form.get("response_format") or {}, form.get("structured_outputs") or {}
    given = [value for name, value in wanted.items() if name not in ("json", "json_object")]
    given += [kind] if not str(kind.get("type")).startswith("json") else []
    return any(tag in str(one).replace("\\", "") for one in given)


def may_begin(text: AnyStr, tags: Iterable[AnyStr]) -> bool:
    """Whether an answer that begins with ``text`` has one of ``tags`` at its beginning, or may have one."""
    begun = text.lstrip()
    return any(begun.startswith(tag) or tag.startswith(begun) for tag in tags)


@dataclass(frozen=True, slots=True)
class Part:
    """More text of one kind."""

    kind: Kind
    text: str


class Passages:
    """Joins passages of text, given in pieces: white space at a break is dropped, a blank line put in."""

    def __init__(self) -> None:
        self._waiting = ""  # white space that may turn out to stand before a break
        self._broken = False
        self._begun = False

    def add(self, text: str) -> str:
        """What of the text so far can be given out."""
        text = self._waiting + text
        before = ""
        if self._broken:
            text = text.lstrip()
            before = "\n\n" if text and self._begun else ""
        kept = text.rstrip()
        self._waiting = "" if self._broken and not kept else text[len(kept) :]
        if kept:
            self._broken, self._begun = False, True
        return before + kept

    def break_off(self) -> None:
        """The passage ends here."""
        self._waiting = ""
        self._broken = True

    def end(self) -> str:
        """The white space at the very end, which stands before no break."""
        waiting, self._waiting = self._waiting, ""
        return waiting


class Splitter:
    """Splits one answer by the tags of ``kinds``. Tags do not nest; the first closing tag closes.

    ``guided``: the engine holds the answer to a form, and only a tag at its very beginning is one.
    """

    def __init__(self, *kinds: Kind, guided: bool = False) -> None:
        self._opening: dict[str, Kind] = {TAGS[kind][0]: kind for kind in kinds}
        self._guided = guided
        self._opens = True  # a tag may still open
        self._inside: Kind = "content"
        self._buffer = ""
        self._passages: dict[Kind, Passages] = {kind: Passages() for kind in ("content", *kinds)}

    @property
    def unclosed(self) -> Kind | None:
        """The kind whose tag is open."""
        return None if self._inside == "content" else self._inside

    def feed(self, text: str) -> list[Part]:
        """The parts that ``text`` completes."""
        self._buffer += text
        parts: list[Part] = []
        if self._guided and self._opens and self._inside == "content":
            self._opens = may_begin(self._buffer, self._opening)
        while (found := self._first_tag()) is not None:
            at, tag = found
            self._give(self._buffer[:at], parts)
            self._buffer = self._buffer[at + len(tag) :]
            self._turn(tag)
        held = max((overlap(self._buffer, tag) for tag in self._awaited()), default=0)
        whole = len(self._buffer) - held
        self._give(self._buffer[:whole], parts)
        self._buffer = self._buffer[whole:]
        return parts

    def end(self) -> list[Part]:
        """What was held back, when no more text comes."""
        parts: list[Part] = []
        self._give(self._buffer, parts)
        self._buffer = ""
        if self._inside == "content" and (tail := self._passages["content"].end()):
            parts.append(Part("content", tail))
        return parts

    def _awaited(self) -> list[str]:
        if self._inside != "content":
            return [TAGS[self._inside][1]]
        return list(self._opening) if self._opens else []

    def _first_tag(self) -> tuple[int, str] | None:
        found = [(at, tag) for tag in self._awaited() if (at := self._buffer.find(tag)) >= 0]
        return min(found, default=None)

    def _turn(self, tag: str) -> None:
        self._passages[self._inside].break_off()
        self._inside = self._opening.get(tag, "content")
        self._opens = not self._guided
        self._passages[self._inside].break_off()

    def _give(self, text: str, parts: list[Part]) -> None:
        if text and (given := self._passages[self._inside].add(text)):
            parts.append(Part(self._inside, given))
