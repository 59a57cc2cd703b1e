"""Shadow traffic: a share of an alias's conversations is answered by a candidate too, and only compared.

The client never sees it, nor waits for it: the candidate is asked once the answer is out, as batch traffic.
Routes with tools of the server's are left out, because their tools would be called twice. It is in memory: a
gateway that starts again shadows nothing until it is told to.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import orjson

from chains.answer import Answer
from chains.events import Content, Engine, Event, Raw
from service.dispatch import Plan
from service.exchange import Events, Exchange, Job
from service.kept.feedback import Heard
from service.kept.redaction import Redaction
from service.record import Record

log = logging.getLogger("pointsman.shadow")

Outcome = Literal["same", "different", "failed"]
_AT_ONCE = 4  # more are left out, and counted
_SHOWN = 20  # differences that are kept, the last ones


@dataclass(slots=True)
class Shadow:
    """What is known of one candidate's shadow traffic."""

    version: str
    share: int  # percent of the conversations
    same: int = 0
    different: int = 0
    failed: int = 0
    left_out: int = 0  # too many at once
    seconds: float = 0.0  # that the candidate took for those that it answered
    live_seconds: float = 0.0  # that the live version took for the same
    differences: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_SHOWN))

    def told(self) -> dict[str, Any]:
        """As the admin sees it."""
        answered = self.same + self.different
        return {
            "version": self.version,
            "share": self.share,
            "same": self.same,
            "different": self.different,
            "failed": self.failed,
            "left_out": self.left_out,
            "seconds": self.seconds / answered if answered else None,
            "live_seconds": self.live_seconds / answered if answered else None,
            "differences": list(self.differences),
        }


class Shadows:
    """The candidates of one gateway that are asked along."""

    def __init__(
        self,
        exchange: Exchange,
        engine_of: Callable[[Plan, str], Engine],
        count: Callable[[str, Outcome], object],
        redaction: Redaction | None,
    ) -> None:
        self._exchange = exchange
        self._engine_of = engine_of
        self._count = count
        self._redaction = redaction  # None: texts are not kept
        self._shadows: dict[str, Shadow] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def set(self, alias: str, version: str, share: int) -> Shadow:
        """Ask ``version`` along for ``share`` percent of the conversations; 0 ends it, its counts stay."""
        known = self._shadows.get(alias)
        if known is None or known.version != version:
            known = self._shadows[alias] = Shadow(version, share)
        known.share = share
        return known

    def of(self, alias: str) -> Shadow | None:
        """What is known of the alias's last candidate."""
        return self._shadows.get(alias)

    @property
    def busy(self) -> bool:
        """Whether a candidate is being asked."""
        return bool(self._tasks)

    async def stop(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def follower(self, plan: Plan, conversation: str) -> Callable[[Heard], None] | None:
        """What is to be done once a plan's answer is out; None: nothing."""
        alias = (plan.model or "").partition("@")[0]
        shadow = self._shadows.get(alias)
        if shadow is None or plan.model != alias or plan.request.tools or not _is_in(shadow, conversation):
            return None
        if (plan.request.parameters.get("n") or 1) != 1:
            return None
        return lambda heard: self._follow(shadow, plan, conversation, heard)

    def _follow(self, shadow: Shadow, plan: Plan, conversation: str, heard: Heard) -> None:
        if heard.record.adapter == f"{plan.model}@{shadow.version}":  # it is a canary, and answered itself
            return
        if len(self._tasks) >= _AT_ONCE:
            shadow.left_out += 1
            return
        if (live := heard.answer()) is None:
            return
        asking = self._ask(shadow, plan, conversation, live, heard.record)
        task = asyncio.create_task(asking, name="shadow")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(
        self, shadow: Shadow, plan: Plan, conversation: str, live: Mapping[str, Any], record: Record
    ) -> None:
        name, took = f"{plan.model}@{shadow.version}", record.elapsed
        try:
            began = time.perf_counter()
            answer = await self._answer(plan, name, conversation, record)
        except Exception as exc:  # whatever it is, it is the candidate's and no client's
            log.warning("%s failed on a request of %s: %s", name, plan.model, exc)
            shadow.failed += 1
            self._count(name, "failed")
            return
        shadow.seconds += time.perf_counter() - began
        shadow.live_seconds += took
        if _shown(answer) == _shown(live):
            shadow.same += 1
            self._count(name, "same")
            return
        shadow.different += 1
        self._count(name, "different")
        told: dict[str, Any] = {"request": record.id, "live": record.adapter}
        if self._redaction is not None:
            texts = {"asked": plan.request.messages[-1], "live": live, "candidate": answer}
            told["texts"] = self._redaction.of(texts)
        shadow.differences.append(told)

    async def _answer(self, plan: Plan, name: str, conversation: str, about: Record) -> dict[str, Any]:
        parameters = {key: value for key, value in plan.request.parameters.items() if key != "stream_options"}
        request = replace(plan.request, stream=False, parameters=parameters)
        record = Record(f"{about.id}.shadow", about.method, about.path, caller="shadow", priority="batch")

        def run(model: str) -> Events:
            return plan.chain.run(request, self._engine_of(plan, model))

        async with self._exchange.open(Job(name, conversation, run), record) as events:
            return _message([event async for event in events])


def _is_in(shadow: Shadow, conversation: str) -> bool:
    digest = hashlib.sha256(f"shadow\0{shadow.version}\0{conversation}".encode()).digest()
    return int.from_bytes(digest[:8]) % 100 < shadow.share


def _message(events: list[Event]) -> dict[str, Any]:
    raw = b"".join(event.data for event in events if isinstance(event, Raw))
    if not raw:
        return {"content": "".join(event.text for event in events if isinstance(event, Content))}
    answer = Answer()
    content = answer.add(orjson.loads(raw)).content
    return {"content": content, "tool_calls": [_call(one.name, one.arguments) for one in answer.calls]}


def _shown(message: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """What a client would see of a message, less the names of its calls."""
    calls = [one["function"] for one in message.get("tool_calls") or ()]
    return message.get("content") or "", [(one["name"], one["arguments"]) for one in calls]


def _call(name: str, arguments: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}
