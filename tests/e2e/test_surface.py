"""What else of the API's surface needs the real engine to be shown."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest
from openai import AsyncOpenAI, NotFoundError, OpenAI

from tests.e2e.demo import Demo

pytestmark = pytest.mark.e2e
PARCEL = "Where is my parcel PX482913?"


def test_embeddings_are_those_of_the_real_encoder(client: OpenAI) -> None:
    texts = [PARCEL, "Has my package arrived yet?", "Write a sonnet about spring"]
    answer = client.embeddings.create(model="all-MiniLM-L6-v2", input=texts)
    vectors = np.array([one.embedding for one in answer.data])
    assert vectors.shape == (3, 384)
    similar = vectors @ vectors.T
    assert similar[0, 1] > similar[0, 2] + 0.2


def test_tokens_there_and_back(demo: Demo, client: OpenAI) -> None:
    def post(path: str, **body: object) -> dict[str, object]:
        answer = httpx.post(f"{demo.url}{path}", json=body)
        assert answer.is_success, answer.text
        found: dict[str, object] = answer.json()
        return found

    tokens = post("/tokenize", model="support", prompt=PARCEL, add_special_tokens=False)["tokens"]
    assert post("/detokenize", model="auto", tokens=tokens) == {"prompt": PARCEL}
    counted = post("/tokenize", model="support", messages=[{"role": "user", "content": PARCEL}])["count"]
    asked = client.chat.completions.create(
        model="support", messages=[{"role": "user", "content": PARCEL}], max_tokens=1
    )
    assert asked.usage is not None
    assert asked.usage.prompt_tokens == counted


def test_a_trainer_loads_and_unloads_as_at_vllm(demo: Demo, client: OpenAI) -> None:
    def post(path: str, **body: object) -> httpx.Response:
        return httpx.post(f"{demo.url}/v1/{path}", json=body, headers=demo.admin, timeout=60)

    def ask() -> str | None:
        asked = client.chat.completions.create(
            model="policy", messages=[{"role": "user", "content": "Thanks!"}], temperature=0
        )
        return asked.choices[0].message.content

    outside = post("load_lora_adapter", lora_name="policy", lora_path="/etc")
    assert (outside.status_code, outside.json()["error"]["code"]) == (400, 400)
    assert "not inside the adapters folder" in outside.json()["error"]["message"]
    loaded = post("load_lora_adapter", lora_name="policy", lora_path=str(demo.adapters / "chat"))
    assert loaded.status_code == 200, loaded.text
    assert ask()
    again = post("load_lora_adapter", lora_name="policy", lora_path=str(demo.adapters / "chat"))
    assert again.status_code == 400
    assert post("unload_lora_adapter", lora_name="policy").status_code == 200
    with pytest.raises(NotFoundError):
        ask()
    assert post("unload_lora_adapter", lora_name="chat").status_code == 400


async def test_responses_with_calls_of_the_client(demo: Demo) -> None:
    """The client runs the loop: its call, its tool's output, and an answer that holds it."""
    parameters = {
        "type": "object",
        "properties": {"parcel_id": {"type": "string"}},
        "required": ["parcel_id"],
    }
    tool: Any = {"type": "function", "name": "track_parcel", "parameters": parameters, "strict": False}
    tool["description"] = "Look up where a parcel is."
    asked: Any = {"model": "auto", "input": [{"role": "user", "content": PARCEL}], "tools": [tool]}
    async with AsyncOpenAI(
        base_url=f"{demo.url}/v1", api_key="none", max_retries=0, _strict_response_validation=True
    ) as client:
        whole = await client.responses.create(**asked)
        async with client.responses.stream(**asked) as stream:
            streamed = await stream.get_final_response()
        calls = []
        both: list[Any] = [whole, streamed]
        for found in both:
            call = found.output[-1]
            assert call.type == "function_call"
            assert json.loads(call.arguments) == {"parcel_id": "PX482913"}
            calls.append(call.call_id)
        result = {"parcel_id": "PX482913", "status": "in_transit", "city": "Lyon", "expected": "2026-11-28"}
        asked["input"] += [
            *whole.output,
            {"type": "function_call_output", "call_id": calls[0], "output": json.dumps(result)},
        ]
        answer = await client.responses.create(**asked)
    assert "Lyon" in answer.output_text
    assert answer.usage is not None
    assert answer.usage.output_tokens > 0
