"""The answer of a chat as a Responses object and as its stream of events, by one and the same code.

A whole answer is read as a stream of one chunk whose events nobody sees.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from chains.citations import place_of
from chains.counted import reasoned_in

Event = dict[str, Any]
Kind = Literal["reasoning", "message", "refusal", "function_call"]

_PART: Mapping[str, str] = {"reasoning": "reasoning_text", "message": "output_text", "refusal": "refusal"}
_PREFIX: Mapping[str, str] = {"reasoning": "rs", "message": "msg", "refusal": "msg", "function_call": "fc"}


class ResponseAnswer:
    """One response as it grows; ``asked`` is the request's body, ``sampling`` what it was answered with.

    ``temperature`` and ``top_p`` must be in ``sampling``.

    With ``trace`` the steps of its chain stand beside it, if only to say that there were none.
    """

    def __init__(self, asked: Mapping[str, Any], sampling: Mapping[str, Any], *, trace: bool = False) -> None:
        self.model = ""
        self.last: dict[str, Any] = {}  # the whole response, once it has ended
        self.id = f"resp_{secrets.token_hex(16)}"
        self._asked = asked
        self._sampling = sampling
        self._created = int(time.time())
        self._output: list[dict[str, Any]] = []
        self._open: dict[str, Any] | None = None  # the item that grows
        self._kind: Kind = "message"  # of which it is
        self._call: int | None = None  # index of the call that it is
        self._reason: str | None = None
        self._usage: Mapping[str, Any] = {}
        self._beside: dict[str, list[Any]] = {"steps": []} if trace else {}
        self._number = 0

    def begin(self) -> Iterator[Event]:
        """What comes first."""
        yield self._event("response.created", response=self._whole("in_progress"))
        yield self._event("response.in_progress", response=self._whole("in_progress"))

    def take(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        """What a chunk of the chat, or a whole answer, adds."""
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices") or ():
            said = choice.get("delta") or choice.get("message") or {}
            if text := said.get("reasoning_content") or said.get("reasoning"):
                yield from self._say("reasoning", text)
            if text := said.get("content"):
                yield from self._say("message", text)
            if text := said.get("refusal"):
                yield from self._say("refusal", text)
            for position, call in enumerate(said.get("tool_calls") or ()):
                yield from self._add_call(call.get("index", position), call)
            self._reason = choice.get("finish_reason") or self._reason
        for name, found in (chunk.get("pointsman") or {}).items():
            self._beside.setdefault(name, []).extend(found)
            if name == "citations":
                yield from self._annotate(found)

    def end(self) -> Iterator[Event]:
        """What comes last; an answer without any words is an empty message, but where its tokens ran out."""
        cut = self._reason == "length" and self._output
        if not cut and not any(item["type"] != "reasoning" for item in self._output):
            yield from self._turn_to("message")
        status = "incomplete" if self._reason == "length" else "completed"
        yield from self._close(status)
        self.last = self._whole(status)
        yield self._event(f"response.{status}", response=self.last)

    def broken(self, error: Mapping[str, Any]) -> Event:
        """What comes last where it can't go on; its clients raise an error where they find an ``error``."""
        told = {name: error.get(name) for name in ("code", "message", "param")}
        return self._event("error", **told, error=dict(error))

    def _whole(self, status: str) -> dict[str, Any]:
        """The response object as far as it has come."""
        asked = self._asked
        beside = {"pointsman": self._beside} if self._beside and status != "in_progress" else {}
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": asked.get("instructions"),
            "max_output_tokens": asked.get("max_output_tokens"),
            "metadata": asked.get("metadata") or {},
            "model": self.model,
            "output": [dict(item) for item in self._output],
            "parallel_tool_calls": asked.get("parallel_tool_calls") is not False,
            "previous_response_id": None,
            "reasoning": asked.get("reasoning") or {"effort": None, "summary": None},
            "store": False,
            "temperature": self._sampling["temperature"],
            "text": asked.get("text") or {"format": {"type": "text"}},
            "tool_choice": asked.get("tool_choice") or "auto",
            "tools": asked.get("tools") or [],
            "top_p": self._sampling["top_p"],
            "presence_penalty": self._sampling.get("presence_penalty", 0.0),
            "frequency_penalty": self._sampling.get("frequency_penalty", 0.0),
            "top_logprobs": 0,
            "max_tool_calls": None,
            "service_tier": "default",
            "safety_identifier": asked.get("safety_identifier"),
            "prompt_cache_key": asked.get("prompt_cache_key"),
            "truncation": "disabled",
            "usage": None if status == "in_progress" else self._told_usage(),
            "user": asked.get("user"),
            **beside,
        }

    def _told_usage(self) -> dict[str, Any]:
        """OpenAI's form has details that must be there; of the prompt the engine counts none apart.

        Tokens of reasoning that nobody counted are left out.
        """
        read, written = self._usage.get("prompt_tokens") or 0, self._usage.get("completion_tokens") or 0
        reasoned = reasoned_in(self._usage)
        if reasoned is None and all(item["type"] != "reasoning" for item in self._output):
            reasoned = 0
        return {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": written,
            "output_tokens_details": {} if reasoned is None else {"reasoning_tokens": reasoned},
            "total_tokens": read + written,
        }

    def _say(self, kind: Kind, text: str) -> Iterator[Event]:
        yield from self._turn_to(kind)
        assert self._open is not None
        self._open["content"][0][_text_of(_PART[kind])] += text
        more: dict[str, Any] = {"logprobs": []} if kind == "message" else {}
        yield self._of_part(f"response.{_PART[kind]}.delta", delta=text, **more)

    def _annotate(self, cited: Sequence[Mapping[str, Any]]) -> Iterator[Event]:
        """Have the message that grows say which documents its text names, each where it does so first."""
        if not cited or self._open is None or self._kind != "message":
            return
        (part,) = self._open["content"]
        for citation in cited:
            document = citation["document"]
            place = place_of(citation["number"], part["text"])
            known = {"type": "file_citation", "file_id": document, "filename": document, "index": place}
            part["annotations"] = [*part["annotations"], known]
            yield self._of_part(
                "response.output_text.annotation.added",
                annotation_index=len(part["annotations"]) - 1,
                annotation=known,
            )

    def _add_call(self, index: int, call: Mapping[str, Any]) -> Iterator[Event]:
        function = call.get("function") or {}
        if self._call != index:
            item = {"call_id": call.get("id") or "", "name": function.get("name") or "", "arguments": ""}
            yield from self._turn_to("function_call", **item)
            self._call = index
        if arguments := function.get("arguments"):
            assert self._open is not None
            self._open["arguments"] += arguments
            yield self._of_item("response.function_call_arguments.delta", delta=arguments)

    def _turn_to(self, kind: Kind, **more: str) -> Iterator[Event]:
        """Have an item of ``kind`` open: a call is always a new one."""
        if self._open is not None and self._kind == kind != "function_call":
            return
        yield from self._close("completed")
        item: dict[str, Any] = {
            "id": f"{_PREFIX[kind]}_{secrets.token_hex(16)}",
            "type": "message" if kind == "refusal" else kind,
            "status": "in_progress",
            **more,
        }
        if item["type"] == "message":
            item |= {"role": "assistant", "content": []}
        elif kind == "reasoning":
            item |= {"summary": [], "content": []}
        self._output.append(item)
        self._open, self._kind = item, kind
        yield self._event(
            "response.output_item.added", output_index=len(self._output) - 1, item=_copied(item)
        )
        if kind != "function_call":
            part: dict[str, Any] = {"type": _PART[kind], _text_of(_PART[kind]): ""}
            if kind == "message":
                part |= {"annotations": [], "logprobs": []}
            item["content"].append(part)
            yield self._of_part("response.content_part.added", part=dict(part))

    def _close(self, status: str) -> Iterator[Event]:
        item, self._call = self._open, None
        if item is None:
            return
        if item["type"] == "function_call":
            yield self._of_item(
                "response.function_call_arguments.done", name=item["name"], arguments=item["arguments"]
            )
        else:
            (part,) = item["content"]
            more: dict[str, Any] = {"logprobs": []} if self._kind == "message" else {}
            text = _text_of(part["type"])
            yield self._of_part(f"response.{part['type']}.done", **{text: part[text]}, **more)
            yield self._of_part("response.content_part.done", part=dict(part))
        item["status"] = status
        yield self._event("response.output_item.done", output_index=len(self._output) - 1, item=_copied(item))
        self._open = None

    def _of_part(self, kind: str, **more: Any) -> Event:
        return self._of_item(kind, content_index=0, **more)

    def _of_item(self, kind: str, **more: Any) -> Event:
        assert self._open is not None
        return self._event(kind, item_id=self._open["id"], output_index=len(self._output) - 1, **more)

    def _event(self, kind: str, **more: Any) -> Event:
        number, self._number = self._number, self._number + 1
        return {"type": kind, "sequence_number": number, **more}


def _text_of(part: str) -> str:
    """Under which name a part of that type has its text."""
    return "refusal" if part == "refusal" else "text"


def _copied(item: Mapping[str, Any]) -> dict[str, Any]:
    """``item`` as it is now: it may wait to be sent while it grows."""
    copy = dict(item)
    if "content" in copy:
        copy["content"] = [dict(part) for part in copy["content"]]
    return copy
