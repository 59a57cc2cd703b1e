"""What training reads of a conversation, vLLM reads too: the same tokens, tools and calls included."""

from __future__ import annotations

import json
from typing import Any

import httpx
import psutil
import pytest

from deploy.demo.text.corpus import held_out_rows
from tests.e2e.demo import HOME, Demo
from training.data.formats import conversations
from training.data.rendering import render
from training.models import base

pytestmark = pytest.mark.e2e
ROWS = 25  # of each adapter


def engine_url(demo: Demo) -> str:
    """Where the demo's vLLM listens."""
    for process in psutil.Process(demo.process.pid).children(recursive=True):
        words = process.cmdline()
        if "--port" in words:
            return f"http://127.0.0.1:{words[words.index('--port') + 1]}"
    pytest.fail("no process of the demo was given a --port")


def over_http(message: dict[str, Any]) -> dict[str, Any]:
    """``message`` as a client sends it: arguments of calls are JSON text; a weight is nobody's business."""
    sent = {key: value for key, value in message.items() if key != "weight"}
    if calls := sent.get("tool_calls"):
        sent["tool_calls"] = [
            {**call, "function": {**call["function"], "arguments": json.dumps(call["function"]["arguments"])}}
            for call in calls
        ]
    return sent


def test_training_reads_the_tokens_that_vllm_reads(demo: Demo) -> None:
    tokenizer = base.load_tokenizer(str(HOME / "base"))
    called = 0
    with httpx.Client(base_url=engine_url(demo), trust_env=False, timeout=60) as engine:

        def tokens(messages: list[dict[str, Any]], tools: Any, *, asks: bool) -> list[int]:
            body: dict[str, Any] = {"messages": messages, "add_generation_prompt": asks}
            answer = engine.post("/tokenize", json=body | ({"tools": tools} if tools else {}))
            assert answer.is_success, answer.text
            found: list[int] = answer.json()["tokens"]
            return found

        for adapter in ("support", "math", "extract", "chat"):
            for raw in held_out_rows(rows=ROWS, seed=1, adapter=adapter):
                ids, mask = render.tokens(tokenizer, conversations.messages(raw), "sft")
                sent, tools = [over_http(message) for message in raw["messages"]], raw.get("tools")
                assert tokens(sent, tools, asks=False) == ids
                asked = tokens(sent[:-1], tools, asks=True)
                assert asked == ids[: len(asked)]
                assert mask[len(asked)] == 1  # and there the answer begins that is learned
                called += any("tool_calls" in message for message in sent)
    assert called >= 5
