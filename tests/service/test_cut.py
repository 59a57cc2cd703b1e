"""An answer whose tokens ran out says so on every path and by every chain, in the middle of JSON too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.conftest import Start
from tests.service.test_chain_options import with_chain

PARCEL = "where is my parcel"
JSON = '{"said": "in the v'
SCHEMA = {"type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"]}
FORM: dict[str, Any] = {"name": "answer", "schema": SCHEMA}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": PARCEL}], "max_tokens": 5},
    "/v1/completions": {"prompt": PARCEL, "max_tokens": 5},
    "/v1/responses": {"input": PARCEL, "max_output_tokens": 5},
}
FORMS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"response_format": {"type": "json_schema", "json_schema": FORM}},
    "/v1/completions": {"response_format": {"type": "json_schema", "json_schema": FORM}},
    "/v1/responses": {"text": {"format": {"type": "json_schema", **FORM}}},
}
CHAINS = {
    "direct": "chain: direct",
    "cot": "chain: cot",
    "voting": "chain: cot\n    options: {samples: 3}",
    "react": "chain: react",
    "structured": "chain: structured",
    "retrieve": "chain: retrieve\n    options: {documents: handbook, threshold: 0.5}",
}


def ends(response: httpx.Response) -> tuple[str, list[str]]:
    """The text, and why it ended: ``finish_reason``, or the status of a response and of its message."""
    assert response.status_code == 200, response.text
    lines = [line.removeprefix("data: ") for line in response.text.splitlines()]
    text, reasons = "", list[str]()
    for one in (json.loads(line) for line in lines if line.startswith("{")):
        found = one.get("response", one)
        if found.get("object") == "response" and found["status"] != "in_progress":
            assert found["incomplete_details"] == {"reason": "max_output_tokens"}
            (item,) = found["output"]
            text, reasons = item["content"][0]["text"], [found["status"], item["status"]]
        for choice in one.get("choices", ()):
            said = choice.get("delta") or choice.get("message") or choice
            text += said.get("content") or said.get("text") or ""
            reasons += [choice["finish_reason"]] if choice["finish_reason"] else []
    return text, reasons


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("formed", [False, True])
async def test_it_says_so(start: Start, tmp_path: Path, chain: str, formed: bool) -> None:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "handbook" / "a.md").write_text("# Parcels\n\nWhere is my parcel: in the van.", "utf-8")
    async with start(routes=with_chain(CHAINS[chain])) as running:
        running.vllm.answer = lambda _: JSON
        running.vllm.reason = "length"
        for path, body in BODIES.items():
            if chain == "structured" and not formed:
                continue  # which wants one
            for stream in (False, True):
                asked = {"model": "auto", **body, **(FORMS[path] if formed else {}), "stream": stream}
                if stream and path != "/v1/responses":  # which counts unasked
                    asked["stream_options"] = {"include_usage": True}
                text, reasons = ends(await running.http.post(path, json=asked))
                assert text == JSON, (path, stream)
                wanted = ["incomplete", "incomplete"] if path == "/v1/responses" else ["length"]
                assert reasons == wanted, (path, stream)
