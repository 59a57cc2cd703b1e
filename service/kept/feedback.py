"""Ratings of answers: counted by adapter version, and kept with the texts where the settings want that.

The last so many answers can be rated, by the id of their completion. Their texts wait in memory and are
written, redacted, once they are rated: ``<state>/feedback.jsonl``, which ``pointsman data from-feedback``
reads. What nobody rates is never written.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import Field, model_validator

from chains.answer import Answer
from chains.errors import EngineAnswerError
from chains.sse import EventReader
from pointsman.document import Document
from pointsman.numbers import Number
from service.errors import AnswerNotFound, InvalidRequest
from service.kept.own_file import OwnFile
from service.kept.redaction import Redaction
from service.record import Record
from service.sections import FeedbackSettings

FILE = "feedback.jsonl"
_ID = re.compile(rb'"id": ?"([^"]{1,128})"')
_LONGEST = 262_144  # bytes of an answer whose text is kept
_GOOD = 0.5  # a score from here on is a thumb up


class Rating(Document):
    """Body of POST /v1/feedback."""

    id: Annotated[str, Field(min_length=1, max_length=128, description="of the completion")]
    thumbs: Literal["up", "down"] | None = None
    score: Annotated[Number | None, Field(ge=0, le=1, description="1 is best; in the place of thumbs")] = None
    comment: Annotated[str | None, Field(max_length=2_000)] = None
    better: Annotated[str | None, Field(max_length=20_000, description="what should have been said")] = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.thumbs is None) == (self.score is None):
            raise ValueError("give either thumbs (up or down) or score (0 to 1)")
        return self

    @property
    def value(self) -> float:
        """0 to 1."""
        return self.score if self.score is not None else float(self.thumbs == "up")


@dataclass(slots=True)
class Heard:
    """One answer, as far as a rating needs it."""

    record: Record
    messages: Sequence[Mapping[str, Any]] | None  # None: texts are not kept
    tools: Sequence[Any] | None
    known: OrderedDict[str, Heard]
    most: int
    then: Callable[[Heard], object] | None = None  # when all of it is out
    rated: float | None = None
    _data: bytearray = field(default_factory=bytearray)
    _begun: bool = False

    @property
    def keeps(self) -> bool:
        """Whether all of the answer is wanted, not only that there is one."""
        return self.messages is not None or self.then is not None

    def add(self, data: bytes) -> None:
        """Hear a piece of the answer, or the whole; from the first on it can be rated."""
        if not self._begun:
            self._begun = True
            if (found := _ID.search(data, 0, 1_000)) is not None:
                self.known[found[1].decode()] = self
                while len(self.known) > self.most:
                    self.known.popitem(last=False)
        if self.keeps and len(self._data) < _LONGEST:
            self._data += data

    def end(self) -> None:
        """The answer is out, whole and without an error."""
        then, self.then = self.then, None
        if then is not None:
            then(self)
            if self.messages is None:
                self._data.clear()

    def answer(self) -> dict[str, Any] | None:
        """The first choice's message; None where it was not kept, or broke off."""
        found, content = Answer(), ""
        try:
            reader = EventReader()
            chunks = reader.feed(bytes(self._data)) if self.record.streamed else [orjson.loads(self._data)]
            for chunk in chunks:
                first = [one for one in chunk.get("choices") or () if one.get("index", 0) == 0]
                content += found.add({"choices": first}).content
        except (EngineAnswerError, orjson.JSONDecodeError):
            return None
        if not found.reason:
            return None
        message: dict[str, Any] = {"role": "assistant", "content": content}
        if found.calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in found.calls
            ]
        return message


class Feedback:
    """The answers of one gateway that can be rated."""

    def __init__(
        self, folder: Path, settings: FeedbackSettings, count: Callable[[str, bool], object]
    ) -> None:
        self._settings = settings
        self._redaction = Redaction(settings.redact)
        self._count = count  # of a version, whether it was good
        self._known: OrderedDict[str, Heard] = OrderedDict()
        self._file = OwnFile(folder / FILE)

    def hear(
        self,
        record: Record,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Any] | None,
        then: Callable[[Heard], object] | None = None,
    ) -> Heard:
        """Listen to an answer to ``messages``, as the model gets them; ``then`` gets what was heard."""
        kept = messages if self._settings.keep == "texts" else None
        return Heard(record, kept, tools if kept else None, self._known, self._settings.remember, then)

    def rate(self, rating: Rating) -> str:
        """Take a rating; the version that it is of. A second one of an answer is kept and not counted.

        Raises:
            AnswerNotFound: no such answer, or one that was forgotten since.
            InvalidRequest: ``better`` where no texts are kept.
        """
        if (heard := self._known.get(rating.id)) is None:
            raise AnswerNotFound(
                f"no answer {rating.id[:80]!r} can be rated: the last {self._settings.remember} can, by the "
                "id of their completion, at the gateway that gave them, until it is restarted",
                "id",
            )
        if rating.better is not None and self._settings.keep == "off":
            raise InvalidRequest("better is not kept: the gateway's feedback.keep is off", "better")
        version = heard.record.adapter or "-"
        if heard.rated is None:
            self._count(version, rating.value >= _GOOD)
        heard.rated = rating.value
        if self._settings.keep == "texts":
            self._file.write(self._line(rating, heard, version))
        return version

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _line(self, rating: Rating, heard: Heard, version: str) -> dict[str, Any]:
        texts = {
            "messages": heard.messages,
            "tools": heard.tools,
            "answer": heard.answer(),
            "better": rating.better,
            "comment": rating.comment,
        }
        return {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "id": rating.id,
            "adapter": version,
            "intent": heard.record.intent,
            "chain": heard.record.chain,
            "score": rating.value,
            **self._redaction.of(texts),
        }
