"""A tool that is one HTTP request to a server that the operator named.

The model fills in parameters and the body, never the host: a path can't be left by what it writes, and a
redirect is not followed. Arguments are held to their schema before anything is sent; of an answer no more is
read than the model gets to see.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from chains.errors import ToolFailure, ToolOutOfOrder
from chains.openapi_parameters import Parameter
from chains.schemas.schema import AnswerSchema
from chains.tool_call import ToolResult, bounded, fitting

BODY = "body"  # the argument that is sent as the body
_TOLD = 500  # characters of an error's body that the model is told
_ANSWERS = (400, 404, 409, 410, 422)  # a no to what was asked for (RFC 9110, section 15.5), not to who asks


@dataclass(frozen=True)
class HttpTool:
    """One operation of a server."""

    name: str
    schema: Mapping[str, Any]
    method: str
    url: str  # with {name} for each argument that the path holds
    parameters: tuple[Parameter, ...]
    headers: Mapping[str, str]  # of the operator; they go before the model's
    arguments: AnswerSchema

    async def call(self, arguments: object, seconds: float, characters: int) -> ToolResult:
        """Ask the server; see :class:`chains.tool_call.Tool`."""
        return await bounded(self.name, self._answer(arguments, characters), seconds, characters)

    async def _answer(self, arguments: object, characters: int) -> str:
        request = self._request(fitting(arguments, self.arguments))
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=None) as client:
                answer = await client.send(client.build_request(**request), stream=True)
                try:
                    return _told(answer, await _text(answer, characters))
                finally:
                    await answer.aclose()
        except httpx.HTTPError as exc:
            problem = f"the server gave no whole answer ({type(exc).__name__})"
            raise ToolOutOfOrder(problem, f"{self.method} {self.url}: {exc}") from exc

    def _request(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        url, query, headers = self.url, list[str](), dict[str, str]()
        for parameter in self.parameters:
            name = parameter.name
            if name not in arguments:
                continue
            if parameter.place == "query":
                query += parameter.query(arguments[name])
                continue
            value = arguments[name]
            text = parameter.text(value)
            if parameter.place == "header":
                headers |= {} if text is None else {name.lower(): text}
            elif text is None or not text.strip("."):
                raise ToolFailure(f"{name} can't be {'null' if value is None else repr(value)}")
            else:
                url = url.replace(f"{{{name}}}", text)
        if BODY in arguments:
            headers["content-type"] = "application/json"
        headers |= {**self.headers, "accept-encoding": "identity"}  # read no more than was sent
        content = json.dumps(arguments[BODY]).encode() if BODY in arguments else None
        url = f"{url}?{'&'.join(query)}" if query else url
        return {"method": self.method, "url": url, "headers": headers, "content": content}


async def _text(answer: httpx.Response, characters: int) -> str:
    """The body, as far as ``characters`` and one more could reach."""
    data = b""
    async for piece in answer.aiter_raw():
        data += piece
        if len(data) > 4 * (characters + 1):  # of UTF-8
            break
    return data.decode(answer.charset_encoding or "utf-8", "replace")


def _told(answer: httpx.Response, text: str) -> str:
    """The text of an answer.

    Raises:
        ToolFailure: the server says no to what it was asked for.
        ToolOutOfOrder: it says nothing of that: it failed, is busy, knows us not, or is elsewhere.
    """
    if answer.is_success:
        return text or f"done ({answer.status_code})"
    said = f": {text[:_TOLD]}" if text.strip() else ""
    problem = f"the server answered {answer.status_code}"
    if answer.status_code in _ANSWERS:
        raise ToolFailure(f"{problem}{said}")
    if answer.is_redirect or answer.has_redirect_location:
        problem += ", a redirect, which is not followed"
    raise ToolOutOfOrder(problem, f"{problem}{said}")
