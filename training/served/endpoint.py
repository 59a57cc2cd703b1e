"""A served model as a client sees it: an OpenAI-compatible URL and a model's name there.

What evaluation and data building ask goes through here, by :mod:`training.served.transport`; knows nothing of
rows or metrics.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import httpx

from training.errors import EndpointError, ModelUnknown, TrainingError
from training.served import said, streamed
from training.served.transport import Transport, message

T = TypeVar("T")
R = TypeVar("R")


class Logprobs(NamedTuple):
    """Of all tokens of a prompt but the first, (T - 1,) each."""

    values: list[float]  # nats
    greedy: list[bool]  # True: no other token was likelier


class Answer(NamedTuple):
    """One answer to a chat."""

    choice: dict[str, Any]  # the first
    seconds: float  # from the first attempt to the last byte


class Endpoint:
    """``async with Endpoint(url, "support") as endpoint: await endpoint.chat({"messages": [...]})``."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        concurrency: int = 8,
        timeout: float = 300.0,
    ) -> None:
        """As :class:`training.served.transport.Transport`; ``model`` as the server calls it."""
        self.model = model
        self.answered_by: set[str] = set()  # adapter versions that Pointsman's gateway named in its headers
        self._transport = Transport(url, api_key=api_key, concurrency=concurrency, timeout=timeout)

    @property
    def url(self) -> str:
        """The server's address, without ``/v1``."""
        return self._transport.url

    async def __aenter__(self) -> Endpoint:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    async def check(self) -> None:
        """Make sure that the server answers and knows the model.

        A server that does not list its models is believed.

        Raises:
            EndpointError: nothing answers, or it is no such server.
            ModelUnknown: with the models that there are.
        """
        response = await self._transport.get("/v1/models")
        if response.status_code in (401, 403):
            raise EndpointError(f"{self.url} does not accept the key: {message(response)}; give --api-key")
        if response.is_error:
            return
        try:
            known = [str(entry["id"]) for entry in response.json()["data"]]
        except (ValueError, KeyError, TypeError):
            raise EndpointError(
                f"{self.url}/v1/models answers, but not as an OpenAI-compatible server; is the URL right?"
            ) from None
        # A version, alias@version, is not in the gateway's list and still a model of its own.
        if self.model in known or (await self._transport.get(f"/v1/models/{self.model}")).is_success:
            return
        raise ModelUnknown(f"{self.url} serves no model {self.model!r}; it serves {', '.join(sorted(known))}")

    async def chat(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The first choice of an answer to ``messages`` (and more in OpenAI's form): ``message`` and more.

        Raises:
            EndpointError, RequestRefused
        """
        return (await self.answer(body)).choice

    async def answer(self, body: Mapping[str, Any], *, stream: bool = False) -> Answer:
        """As :meth:`chat`, and how long it took; a stream is put together to the same form.

        Content in parts is joined to one text.

        Raises:
            EndpointError, RequestRefused
        """
        path = "/v1/chat/completions"
        response, seconds = await self._asked(path, {**body, "stream": True} if stream else body)
        found = streamed.choice(response.text) if stream else _first(self._json(path, response))
        turn = found.get("message")
        if not isinstance(turn, dict):
            raise EndpointError(f"{self.url}{path} answered without a message")
        found["message"] = turn | {"content": said.text(turn.get("content"))}
        return Answer(found, seconds)

    async def logprobs(self, ids: Sequence[int]) -> Logprobs:
        """How likely each of the tokens ``ids`` (T) is, given those before it.

        Raises:
            EndpointError: the server does not say, or cuts the text into other tokens.
            RequestRefused: for instance because there are too many.
        """
        body = {
            "prompt": list(ids),
            "max_tokens": 1,  # servers differ in whether none may be asked for
            "temperature": 0,
            "echo": True,
            "logprobs": 1,
            "return_token_ids": True,  # vLLM then saves itself the texts
        }
        found = _first(await self._post("/v1/completions", body)).get("logprobs")
        numbers = found.get("token_logprobs") if isinstance(found, dict) else None
        if not isinstance(found, dict) or not isinstance(numbers, list):
            raise EndpointError(
                f"{self.url} gives no log-probabilities of a prompt; it must know `echo` with `logprobs` in "
                "/v1/completions, as vLLM does"
            )
        if len(numbers) not in (len(ids), len(ids) + 1):
            raise EndpointError(
                f"{self.url} answered {len(numbers)} log-probabilities to a prompt of {len(ids)} tokens; the "
                "tokenizer here must be that of the model's base"
            )
        values = numbers[1 : len(ids)]
        for at, value in enumerate(values, 1):
            if not isinstance(value, float | int) or not math.isfinite(value):
                raise EndpointError(
                    f"{self.url} answered the log-probability {value} for token {at} of {len(ids)}, where a "
                    "number was expected; are the model's weights whole?"
                )
        likeliest = found.get("top_logprobs")
        if not isinstance(likeliest, list) or len(likeliest) != len(numbers):
            raise EndpointError(
                f"{self.url} gives no `top_logprobs` beside the `token_logprobs` of a prompt, one a token, "
                "as vLLM does"
            )
        tops = [_highest(top) for top in likeliest[1 : len(ids)]]
        return Logprobs(values, [value >= top for value, top in zip(values, tops, strict=True)])

    async def complete(self, ids: Sequence[int], **sampling: Any) -> str:
        """The text that follows the tokens ``ids``; ``sampling`` in OpenAI's names.

        Raises:
            EndpointError, RequestRefused
        """
        return str(_first(await self._post("/v1/completions", {"prompt": list(ids), **sampling})).get("text"))

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._json(path, (await self._asked(path, body))[0])

    async def _asked(self, path: str, body: Mapping[str, Any]) -> tuple[httpx.Response, float]:
        """The response, and the seconds since it had a place."""
        response, seconds = await self._transport.post(path, {**body, "model": self.model})
        if version := response.headers.get("x-pointsman-adapter"):
            self.answered_by.add(version)
        return response, seconds

    def _json(self, path: str, response: httpx.Response) -> dict[str, Any]:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise EndpointError(f"{self.url}{path} answered something that is no JSON object")
        return answer


async def each(
    items: Iterable[T], work: Callable[[T], Awaitable[R]], done: Callable[[], object] = lambda: None
) -> list[R]:
    """``work`` on all ``items`` side by side, in their order; ``done`` is called after each.

    The first error of this room ends the rest, and is raised.
    """

    async def one(item: T) -> R:
        found = await work(item)
        done()
        return found

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as errors:
        ours = errors.subgroup(TrainingError)
        raise (ours or errors).exceptions[0] from None
    return [task.result() for task in tasks]


def _highest(top: Any) -> float:
    """The log-probability of the likeliest token; 0, the highest of all, where none is named."""
    numbers = list(top.values()) if isinstance(top, Mapping) else []
    if not all(isinstance(number, float | int) for number in numbers):
        raise EndpointError(f"the server answered `top_logprobs` that are no numbers: {str(top)[:120]}")
    return max(numbers, default=0.0)


def _first(answer: Mapping[str, Any]) -> dict[str, Any]:
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise EndpointError("the server answered without choices; is it OpenAI-compatible?")
    return choices[0]
