"""Ratings: counted for the version that answered, and kept, redacted, where the settings want it."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from service.kept.feedback import FILE
from service.kept.own_file import lines_of
from service.kept.redaction import Redaction
from tests.service.conftest import Running, Start

KEEP = "feedback: {keep: texts, redact: ['PX[0-9]+'], remember: 2}\n"


async def rate(running: Running, **body: object) -> httpx.Response:
    return await running.http.post("/v1/feedback", json=body)


async def completion(running: Running, text: str, **more: object) -> str:
    """Ask the help desk; the completion's id."""
    body = {"model": "support", "messages": [{"role": "user", "content": text}], **more}
    answer = await running.http.post("/v1/chat/completions", json=body)
    if more.get("stream"):
        return answer.text.partition('"id":')[2].split('"')[1]
    return str(answer.json()["id"])


def kept(running: Running) -> list[dict[str, Any]]:
    return list(lines_of(running.folder / "state" / FILE))


def counted(running: Running, sample: str) -> float | None:
    return running.gateway.metrics.registry.get_sample_value(
        sample, {"adapter": running.desk.versions["support"].name, "thumbs": "down"}
    )


async def test_a_rating_is_counted_once_for_the_version_that_answered(running: Running) -> None:
    found = await completion(running, "where is it?")
    name = running.desk.versions["support"].name
    assert (await rate(running, id=found, thumbs="down")).json() == {"id": found, "adapter": name}
    assert (await rate(running, id=found, score=0.2)).is_success
    assert counted(running, "pointsman_ratings_total") == 1
    assert kept(running) == []  # nobody asked for the texts


REFUSED: tuple[tuple[dict[str, Any], int, str], ...] = (
    ({"id": "chatcmpl-none", "thumbs": "up"}, 404, "no answer 'chatcmpl-none' can be rated"),
    ({"id": "x"}, 400, "either thumbs .* or score"),
    ({"id": "x", "thumbs": "up", "score": 1}, 400, "either thumbs .* or score"),
    ({"id": "x", "score": 2}, 400, "at most 1"),
    ({"thumbs": "up"}, 400, "id is required"),
)


async def test_what_is_no_rating_is_refused(running: Running) -> None:
    for body, status, words in REFUSED:
        answer = await rate(running, **body)
        assert answer.status_code == status, body
        assert re.search(words, answer.json()["error"]["message"]), answer.text


@pytest.mark.parametrize("stream", [False, True])
async def test_the_texts_of_a_rated_answer_are_kept_redacted(start: Start, stream: bool) -> None:
    async with start(KEEP) as running:
        found = await completion(running, "where is PX1234? write to anna@example.com", stream=stream)
        await completion(running, "nobody rates this one")
        answer = await rate(running, id=found, thumbs="down", better="PX1234 is in Leeds", comment="no")
        assert answer.is_success
        [line] = kept(running)
    assert line["score"] == 0
    assert line["messages"] == [{"role": "user", "content": "where is [redacted]? write to [email]"}]
    assert line["answer"]["role"] == "assistant"
    assert line["answer"]["content"].endswith(" heard where is [redacted]? write to [email]")
    assert (line["better"], line["comment"]) == ("[redacted] is in Leeds", "no")


async def test_the_oldest_answers_are_forgotten(start: Start) -> None:
    async with start(KEEP) as running:
        ids = [await completion(running, f"question {number}") for number in range(3)]
        assert [(await rate(running, id=one, thumbs="up")).status_code for one in ids] == [404, 200, 200]


async def test_a_correction_is_refused_where_no_text_is_kept(running: Running) -> None:
    found = await completion(running, "where is it?")
    answer = await rate(running, id=found, thumbs="down", better="In Leeds.")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "better")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("call +44 (20) 7946-0958 now", "call [number] now"),
        ("card 4111 1111 1111 1111.", "card [number]."),
        ("parcel PX482913, 12 mugs for 199.50 in 2026", "parcel PX482913, 12 mugs for 199.50 in 2026"),
        ("GB29 NWBK 6016 1331 9268 19", "[iban]"),
        ("from 10.0.0.7 with sk-abcdefghijklmnop", "from [address] with [key]"),
    ],
)
def test_forms_that_name_a_person_are_taken_out(text: str, left: str) -> None:
    assert Redaction().of({"content": [text]}) == {"content": [left]}
