"""OpenAI's mark of where a prompt that is used again ends: taken in both forms of a text, or refused."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest
from openai.types.chat import ChatCompletionContentPartTextParam

from service.body.known import TEXT_PART
from tests.service.conftest import Running
from tests.service.refused import check_error

PATHS = {
    "/v1/chat/completions": ("messages", "text"),
    "/v1/responses": ("input", "input_text"),
}


def body(path: str, mark: object) -> dict[str, Any]:
    kept, kind = PATHS[path]
    part = {"type": kind, "text": "where is my parcel", "prompt_cache_breakpoint": mark}
    return {"model": "support", kept: [{"role": "user", "content": [part]}]}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "mark",
    [{"mode": "explicit"}, *({"mode": "explicit", "ttl": ttl} for ttl in ("30m", "12h", None)), None],
)
async def test_a_breakpoint_changes_nothing(running: Running, path: str, mark: object) -> None:
    answer = await running.http.post(path, json=body(path, mark))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("mark", "place", "said"),
    [
        ({}, ".mode", "must be 'explicit', found null"),
        ({"ttl": "30m"}, ".mode", "must be 'explicit', found null"),
        ({"mode": "auto"}, ".mode", "must be 'explicit', found 'auto'"),
        ({"type": "ephemeral"}, ".type", "Unrecognized request argument supplied"),
        ({"mode": "explicit", "ttl": "1h"}, ".ttl", "must be one of 30m, 12h, found '1h'"),
        ({"mode": "explicit", "ttl": [1]}, ".ttl", "must be one of 30m, 12h, found a list"),
        ("explicit", "", "must be an object, found text"),
    ],
)
async def test_a_breakpoint_that_openai_refuses(
    running: Running, path: str, mark: object, place: str, said: str
) -> None:
    error = check_error(await running.http.post(path, json=body(path, mark)), 400)
    assert error["param"] == f"{PATHS[path][0]}[0].content[0].prompt_cache_breakpoint{place}"
    assert said in error["message"]
    assert running.vllm.requests == []


def test_all_of_openais_fields_of_a_text_are_known() -> None:
    assert get_type_hints(ChatCompletionContentPartTextParam).keys() <= TEXT_PART.taken
