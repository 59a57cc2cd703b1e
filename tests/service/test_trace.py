"""Who sets the header x-pointsman-trace finds the steps under ``pointsman``, if only that there were none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.service.conftest import Running

USER = {"role": "user", "content": "where is my parcel"}
TRACE = {"x-pointsman-trace": "1"}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": [USER]}),
    ("/v1/chat/completions", {"messages": [USER], "logprobs": True}),
    ("/v1/completions", {"prompt": USER["content"]}),
    ("/v1/responses", {"input": USER["content"]}),
]


def found_in(text: str, *, stream: bool) -> list[Any]:
    """What stands under ``pointsman``, chunk by chunk."""
    lines = [line for line in text.splitlines() if line.startswith("data: {")] if stream else [text]
    told = [json.loads(line.removeprefix("data: ")) for line in lines]
    told += [one["response"] for one in told if "response" in one]
    return [one["pointsman"] for one in told if "pointsman" in one]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("chain", ["direct", "cot"])
async def test_a_trace_without_steps_says_that_there_were_none(
    running: Running, chain: str, stream: bool
) -> None:
    running.vllm.answer = lambda _: "It is here."
    for path, asked in ASKED:
        body, headers = {"model": "auto", **asked, "stream": stream}, {"x-pointsman-chain": chain}
        traced = await running.http.post(path, json=body, headers=TRACE | headers)
        assert traced.status_code == 200, traced.text
        assert found_in(traced.text, stream=stream) == [{"steps": []}], path
        plain = await running.http.post(path, json=body, headers=headers)
        assert found_in(plain.text, stream=stream) == []
        done = "data: [DONE]\n\n"
        assert traced.text.endswith(done) == plain.text.endswith(done)
