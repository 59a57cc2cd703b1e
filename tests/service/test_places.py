"""Errors name messages as the client counts them, whatever a route put before them."""

from __future__ import annotations

from typing import Any

import pytest

from service.body.places import in_clients_places
from tests.service.conftest import Running
from tests.service.refused import check_error

ASKED: list[dict[str, Any]] = [
    {"role": "user", "content": "where is my parcel"},
    {"role": "assistant", "content": "Which one?"},
    {"role": "system", "content": "Be brief."},
    {"role": "system", "content": "Be kind."},  # goes to the first in a route's prompt
    {"role": "user", "content": [{"type": "text", "text": "PX1"}, {"type": "video_url"}]},
]
NO_EYES = "base is not a multimodal model"
NO_FORM = (
    "1 validation error:\n  {'type': 'literal_error', 'loc': 'body.messages.%d.ChatCompletionUserMessageParam"
    ".role', 'msg': 'Input should be', 'input': 'x'}"
)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["auto", "support", "math"])
async def test_places_are_the_clients(running: Running, model: str, stream: bool) -> None:
    body = {"model": model, "messages": ASKED, "stream": stream}
    for said, place in ((NO_EYES, "messages[4].content[1]"), (NO_FORM, "messages[4]")):
        await running.http.post("/v1/chat/completions", json=body)
        sent = running.vllm.requests[-1]["messages"]
        index = next(at for at, one in enumerate(sent) if one["content"] == ASKED[4]["content"])
        assert index == (3 if model == "auto" else 4)
        running.vllm.refuse = (400, said % index if "%" in said else said)
        error = check_error(await running.http.post("/v1/chat/completions", json=body), 400)
        assert error["param"] == place
        assert error["message"].startswith(f"{place} is ")
        running.vllm.refuse = None


async def test_a_system_message_that_a_prompt_can_not_take_in_is_named(running: Running) -> None:
    system = {"role": "developer", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}
    response = await running.http.post(
        "/v1/chat/completions", json={"model": "auto", "messages": [*ASKED[:3], system, ASKED[0]]}
    )
    assert check_error(response, 400)["param"] == "messages[3].content"


def test_a_message_that_is_none_of_the_clients_has_no_place() -> None:
    (own,) = asked = [{"role": "user", "content": "x"}]
    sent = [{"role": "system", "content": "a prompt"}, own]
    for text, told in (
        ("messages[1].content[2].text is no", "messages[0].content[2].text is no"),
        ("messages[0] is no", "messages is no"),
        ("messages[7] is no", "messages is no"),
        ("my_messages[1] and messages are", "my_messages[1] and messages are"),
    ):
        assert in_clients_places(text, sent, asked) == told
