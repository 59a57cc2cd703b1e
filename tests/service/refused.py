"""What tests of refusals share: a look at the form of an error, and two messages."""

from __future__ import annotations

from typing import Any

import httpx

USER = {"role": "user", "content": "where is my parcel"}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}


def check_error(response: httpx.Response, status: int) -> dict[str, Any]:
    """OpenAI's error object, after a look at its form."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    error: dict[str, Any] = response.json()["error"]
    assert {"message", "type", "param", "code"} <= set(error)
    assert error["message"]
    assert "Traceback" not in response.text
    return error
