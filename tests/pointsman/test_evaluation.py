"""The demo's evaluation: what counts as right, and that a gateway's answers are scored as they come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.demo import evaluation
from deploy.demo.cases.cases import HANDWRITTEN
from deploy.demo.scoring import Answer, Call, faults, stated_number
from deploy.demo.text.sample import Expectation, Sample
from tests.pointsman.canned import Canned, Reply, canned
from tests.pointsman.conftest import Run

TRACKED = Expectation("track_parcel", {"parcel_id": "PX123456"}, ("PX123456", "Berlin"))


@pytest.mark.parametrize(
    ("expect", "answer", "right"),
    [
        (TRACKED, Answer("PX123456 is in Berlin", [Call("track_parcel", {"parcel_id": "PX123456"})]), True),
        (TRACKED, Answer("PX123456 is in Berlin"), False),
        (TRACKED, Answer("PX123456 is in Berlin", [Call("track_parcel", {"parcel_id": "PX123457"})]), False),
        (
            TRACKED,
            Answer("PX123456 is in Berlin", [Call("open_complaint", {"parcel_id": "PX123456"})]),
            False,
        ),
        (TRACKED, Answer("PX123456 is in Paris", [Call("track_parcel", {"parcel_id": "PX123456"})]), False),
        (TRACKED, Answer("PX123456, Berlin", [Call("track_parcel", {"parcel_id": "PX123456"})] * 2), False),
        (Expectation(contains=("hi",)), Answer("oh hi", [Call("track_parcel", {})]), False),
        (Expectation(number=62), Answer("34 + 28 = 62"), True),
        (Expectation(number=62), Answer("34 + 28 = 63"), False),
        (Expectation(number=62), Answer(""), False),
        (Expectation(json={"a": 1}), Answer(' {"a": 1} '), True),
        (Expectation(json={"a": 1}), Answer('{"a": 1, "b": 2}'), False),
        (Expectation(json={"a": 1}), Answer('Here: {"a": 1}'), False),
        (Expectation(json={"a": 1}), Answer("[1]"), False),
    ],
)
def test_every_part_of_an_expectation_must_hold(expect: Expectation, answer: Answer, right: bool) -> None:
    assert (not faults(expect, answer)) is right


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("34 + 28 = 62", 62),
        ("34 + 28 = 62 parcels in 3 vans", 62),
        ("28 - 34 = -6", -6),
        ("28 − 34 = −6", -6),
        ("first 3, then 5", 5),
        ("none", None),
        ("3 = ", None),
    ],
)
def test_the_number_that_an_answer_states(text: str, number: int | None) -> None:
    assert stated_number(text) == number


def test_cases_are_held_out_and_asked_without_their_answer() -> None:
    cases = evaluation.cases(3, seed=0)
    assert len(cases) == 3 * len(evaluation.INTENTS) * len(evaluation.LANGUAGES)
    for case in cases:
        asked = evaluation.question(case)
        assert asked[-1]["role"] == "user"
        assert len(asked) < len(case.messages)
        assert asked == list(case.messages[: len(asked)])


def test_cases_of_a_file_are_chosen_by_intent_and_language() -> None:
    chosen = evaluation.cases(1, 0, ["zh"], ["customs", "refund"], HANDWRITTEN)
    assert {(case.intent, case.language) for case in chosen} == {("customs", "zh"), ("refund", "zh")}
    assert [case.intent for case in chosen] == sorted(case.intent for case in chosen)


def test_a_file_of_cases_that_is_none_is_one_message(run: Run, tmp_path: Path) -> None:
    bad = tmp_path / "cases.jsonl"
    assert "No such file" in run("eval", "demo", "--cases", bad).stderr
    bad.write_text('{"intent": "customs"}\n', encoding="utf-8")
    ended = run("eval", "demo", "--cases", bad)
    assert ended.exit_code == 1
    assert f"{bad}:1: case.language: Field required" in ended.stderr


@pytest.fixture
def gateway() -> Iterator[Canned]:
    """One that knows every answer to the arithmetic of seed 0, and routes everything to arithmetic."""
    known: dict[str, Sample] = {
        case.messages[0]["content"]: case for case in evaluation.cases(20, 0, intents=["arithmetic"])
    }

    def complete(body: dict[str, Any]) -> dict[str, Any]:
        assert body["model"] == "auto"
        case = known.get(body["messages"][-1]["content"])
        if case is None:
            return {"error": {"message": "no such case", "code": 503}}
        message = {"role": "assistant", "content": f"= {case.expect.number}"}
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": "auto",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "pointsman": {"steps": [{"model": "math", "purpose": "answer"}]},  # and no tool's call
        }

    answers: dict[str, Reply] = {"POST /v1/chat/completions": complete, "GET /ready": {"ready": True}}
    with canned(answers) as found:
        found.headers["x-pointsman-intent"] = "arithmetic"
        yield found


def test_a_gateway_that_is_right_passes_the_bar(run: Run, gateway: Canned, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    words = ("--count", "20", "--intent", "arithmetic", "--json", report)
    ended = run("eval", "demo", "--url", gateway.url, *words)
    assert ended.exit_code == 0, ended.output
    scores = json.loads(report.read_text("utf-8"))["scores"]
    assert [(s["language"], s["cases"], s["done"], s["routed"], s["bar"]) for s in scores] == [
        ("en", 20, 20, 20, 0.95),
        ("zh", 20, 20, 20, 0.90),
    ]
    assert "100%" in ended.stdout


def test_a_missed_bar_is_status_1_and_failures_are_shown(run: Run, gateway: Canned) -> None:
    words = ("--count", "2", "--intent", "order_json", "--language", "en", "--failures", "1")
    ended = run("eval", "demo", "--url", gateway.url, *words)
    assert ended.exit_code == 1
    assert "below the bar: order_json (en)" in ended.stderr
    assert "order_json (en), routed to None" in ended.stdout
    assert "fault: InternalServerError: Error code: 503" in ended.stdout


def test_the_bar_is_a_share_of_the_cases() -> None:
    def score(done: int) -> bool:
        return evaluation.Score("order_json", "en", 100, done, 100, 0.95).below

    assert score(94)
    assert not score(95)


def test_unknown_names_and_a_gateway_that_is_not_there_are_one_line(run: Run) -> None:
    assert "no such intent: sums; there is track_parcel" in run("eval", "demo", "--intent", "sums").stderr
    assert "no such language: fr; there is en, zh" in run("eval", "demo", "--language", "fr").stderr
    ended = run("eval", "demo", "--url", "http://127.0.0.1:9")
    assert ended.exit_code == 1
    assert "is the gateway running? make up" in ended.stderr


def test_a_gateway_that_is_not_ready_says_why(run: Run) -> None:
    reasons = ["the engine is starting: loading", "the router is being fitted"]
    with canned({"GET /ready": {"_status": 503, "reasons": reasons}}) as gateway:
        ended = run("eval", "demo", "--url", gateway.url)
    assert ended.exit_code == 1
    assert f"error: the gateway is not ready: {'; '.join(reasons)}\n" == ended.stderr
