"""Requests while versions change: streamed, several choices, tool calls, clients that hang up.

Each answer is held token by token against the greedy reference of the version that its header names.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

import httpx

Kind = Literal["plain", "choices", "tools", "hang up", "whole"]
KINDS: tuple[Kind, ...] = ("plain", "choices", "tools", "hang up", "whole")
TOKENS = 24  # of an answer
CHOICES = 2
_HANG_UP_AFTER = 6  # tokens
_UNAVAILABLE = 503
_AGAIN_SECONDS = 1.0  # before a client asks again an engine that is down
_TOOL = {
    "type": "function",
    "function": {
        "name": "track_parcel",
        "description": "Find where a parcel is: its status, its city and the day it is expected.",
        "parameters": {
            "type": "object",
            "properties": {"parcel_id": {"type": "string"}},
            "required": ["parcel_id"],
        },
    },
}
QUESTIONS = (
    "Where is my parcel PX482913?",
    "收到货以后多少天内可以退款？",
    "What is 47 plus 25?",
    "My parcel came broken, can I get my money back?",
    "Hi, I am Anna from Leeds and want two mugs and a lamp, please.",
    "Write a poem about the sea.",
)

Asked = tuple[str, bool]  # a question, and whether tools come with it
References = Mapping[tuple[str, Asked], Sequence[int]]  # (version, asked) → tokens


@dataclass
class Tally:
    """What came of the requests."""

    answered: Counter[str] = field(default_factory=Counter)  # by kind
    versions: Counter[str] = field(default_factory=Counter)  # by the version that the header named
    tokens: int = 0  # that were compared
    wrong: list[str] = field(default_factory=list)  # answers that are not the reference's
    failed: list[str] = field(default_factory=list)
    unavailable: int = 0  # 503 or a stream that ended with one: the engine is down


def body_of(model: str, asked: Asked, kind: Kind, user: str) -> dict[str, Any]:
    """A greedy request; ``user`` makes it a conversation of its own, which a canary may get."""
    question, tools = asked
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": TOKENS,
        "temperature": 0,
        "return_token_ids": True,
        "user": user,
        "stream": kind != "whole",
    }
    if tools:
        body["tools"] = [_TOOL]
    if kind == "choices":  # vLLM refuses n > 1 at temperature 0
        body |= {"n": CHOICES, "temperature": 1, "top_k": 1}
    return body


async def references(
    client: httpx.AsyncClient, versions: Sequence[str], questions: Sequence[str]
) -> dict[tuple[str, Asked], tuple[int, ...]]:
    """What each version answers while no other is asked, unstreamed and at temperature 0.

    Raises:
        httpx.HTTPStatusError
    """

    async def one(version: str, asked: Asked) -> tuple[int, ...]:
        body = body_of(version, asked, "whole", "reference")
        answer = (await client.post("/v1/chat/completions", json=body)).raise_for_status()
        return tuple(answer.json()["choices"][0]["token_ids"])

    every = [(question, tools) for question in questions for tools in (False, True)]
    found: dict[tuple[str, Asked], tuple[int, ...]] = {}
    for version in versions:
        answers = await asyncio.gather(*(one(version, asked) for asked in every))
        found |= {(version, asked): answer for asked, answer in zip(every, answers, strict=True)}
    return found


def told_apart(known: References) -> float:
    """The share of (question, version, other version) in which the other would have been seen."""
    versions = sorted({version for version, _ in known})
    asked = sorted({about for _, about in known})
    pairs = [(one, other) for one in versions for other in versions if one != other]
    seen = sum(known[one, about] != known[other, about] for one, other in pairs for about in asked)
    return seen / (len(pairs) * len(asked))


class Traffic:
    """Clients that ask without a pause, for as long as the block runs."""

    def __init__(
        self, client: httpx.AsyncClient, models: Sequence[str], questions: Sequence[str], known: References
    ) -> None:
        self._client = client
        self._models = models
        self._questions = questions
        self._known = known
        self.tally = Tally()

    async def run(self, number: int, stopped: asyncio.Event) -> None:
        """One client; the kinds of requests take turns."""
        random, turn = Random(number), number
        while not stopped.is_set():
            kind = KINDS[turn % len(KINDS)]
            asked = random.choice(self._questions), kind == "tools" or random.random() < 0.3
            turn += 1
            body = body_of(random.choice(self._models), asked, kind, f"{number}.{turn}")
            down = self.tally.unavailable
            try:
                await self.ask(body, asked, kind)
            except httpx.HTTPError as exc:
                self.tally.failed.append(f"{kind}, {body['model']}: {type(exc).__name__} {exc}")
            if self.tally.unavailable > down:
                await asyncio.sleep(_AGAIN_SECONDS)

    async def ask_now(self, model: str) -> str:
        """One plain request; the version that its header names, "" if it failed."""
        asked = self._questions[0], False
        return await self.ask(body_of(model, asked, "plain", "now"), asked, "plain")

    async def ask(self, body: Mapping[str, Any], asked: Asked, kind: Kind) -> str:
        """Send one request and compare its answer; the version that its header names, "" if it failed."""
        async with self._client.stream("POST", "/v1/chat/completions", json=body) as response:
            if response.status_code == _UNAVAILABLE:
                self.tally.unavailable += 1
                return ""
            if response.is_error:
                said = (await response.aread())[:300]
                self.tally.failed.append(f"{kind}, {body['model']}: {response.status_code} {said!r}")
                return ""
            version = response.headers["x-pointsman-adapter"]
            if kind == "whole":
                answer = json.loads(await response.aread())
                tokens = {one["index"]: list(one["token_ids"]) for one in answer["choices"]}
                ended = True
            else:
                tokens, ended = await self._streamed(response, kind)
        if kind != "hang up" and not ended:
            return ""  # it is counted
        self._compare(version, asked, kind, tokens, whole=kind != "hang up")
        return str(version)

    async def _streamed(self, response: httpx.Response, kind: Kind) -> tuple[dict[int, list[int]], bool]:
        """Tokens by choice, and whether the stream came to its end."""
        tokens: dict[int, list[int]] = {}
        async for event in _events(response):
            if (error := event.get("error")) is not None:
                if error.get("code") == "engine_unavailable":
                    self.tally.unavailable += 1
                else:
                    self.tally.failed.append(f"{kind}: the stream ended with {error}")
                return tokens, False
            for one in event.get("choices") or ():
                tokens.setdefault(one["index"], []).extend(one.get("token_ids") or ())
            if kind == "hang up" and len(tokens.get(0, ())) >= _HANG_UP_AFTER:
                return tokens, False
            if event.get("done"):
                return tokens, True
        self.tally.failed.append(f"{kind}: the stream broke off")
        return tokens, False

    def _compare(
        self, version: str, asked: Asked, kind: Kind, tokens: Mapping[int, list[int]], *, whole: bool
    ) -> None:
        expected = list(self._known[version, asked])
        for index in range(CHOICES if kind == "choices" else 1):
            found = tokens.get(index, [])
            if found != (expected if whole else expected[: len(found)]):
                self.tally.wrong.append(f"{version}, {kind}, {asked}: {found} in place of {expected}")
            self.tally.tokens += len(found)
        self.tally.answered[kind] += 1
        self.tally.versions[version] += 1


async def _events(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in response.aiter_lines():
        data = line.removeprefix("data: ")
        if data == "[DONE]":
            yield {"done": True}
        elif data:
            yield json.loads(data)
