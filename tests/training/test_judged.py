"""Answers held beside references by a judge, each pair in both orders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.training.evaluating import plan, value
from tests.training.rows import write_rows
from training.errors import BadRows, EndpointError, SourceError
from training.evaluation.evaluate import Findings, evaluate
from training.evaluation.load import load

ROWS = [
    {"messages": [{"role": "user", "content": name}, {"role": "assistant", "content": f"reference {name}"}]}
    for name in ("one", "two", "three", "four")
]
Verdict = Callable[[str, str], str]  # the first and the second answer → what the judge says


def ask(
    folder: Path, monkeypatch: pytest.MonkeyPatch, verdict: Verdict, thought: str = "", **judge: str
) -> Findings:
    """What is found where ``thought`` stands before each answer, reference and verdict."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"data": [{"id": "m"}, {"id": "j"}]})
        body = json.loads(request.content)
        said = body["messages"][-1]["content"]
        text = f"answer {said}"
        if body["model"] == "j":
            assert request.headers.get("authorization") == "Bearer secret"
            first, second = (
                said.partition(f"[{place} answer]\n")[2].partition("\n")[0] for place in ("First", "Second")
            )
            text = verdict(first, second)
        choice = {"message": {"role": "assistant", "content": thought + text}, "finish_reason": "stop"}
        return httpx.Response(200, json={"choices": [choice]})

    real = httpx.AsyncClient
    transport = httpx.MockTransport(answer)
    monkeypatch.setattr(httpx, "AsyncClient", lambda **words: real(**words, transport=transport))
    monkeypatch.setenv("JUDGE_KEY", "secret")
    asked_of = [
        {"messages": [turns[0], turns[1] | {"content": thought + turns[1]["content"]}]}
        for turns in (row["messages"] for row in ROWS)
    ]
    rows = write_rows(folder / "rows.jsonl", asked_of)
    asked = plan(
        judged={
            "desk": {
                "path": str(rows),
                "format": "messages",
                "judge": {"url": "http://judge", "model": "j", "key": "JUDGE_KEY", **judge},
            }
        }
    )
    parts = load(asked, None)
    [found] = evaluate(parts, ["m"], url="http://there", api_key=None, concurrency=2, report=lambda _: None)
    return found


def test_a_judge_that_likes_the_first_place_says_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    found = ask(tmp_path, monkeypatch, lambda first, second: "Both are fine.\nFIRST")
    assert value(found, "judged.desk.wins") == 0.5
    assert value(found, "judged.desk.consistent") == 0
    assert value(found, "judged.desk.readable") == 1


def test_what_wins_in_both_orders_wins(tmp_path: Path, monkeypatch: Any) -> None:
    def verdict(first: str, second: str) -> str:
        """One wins, two loses, of three nobody can say which, of four nothing can be read."""
        better = {"one": "answer", "two": "reference"}.get(first.rsplit(maxsplit=1)[-1])
        if better is None:
            return "tie" if "three" in first else "I can't say"
        return f"The SECOND is long, and yet: {'first' if first.startswith(better) else 'second'}."

    found = ask(tmp_path, monkeypatch, verdict)
    assert value(found, "judged.desk.wins") == pytest.approx((1 + 0 + 0.5) / 3)
    assert value(found, "judged.desk.consistent") == 1
    assert value(found, "judged.desk.readable") == 0.75
    assert found.details[0]["verdicts"] == ["first", "first"]
    assert found.details[1]["verdicts"] == ["second", "second"]


def test_a_judge_sees_no_thoughts_and_is_heard_without_its_own(tmp_path: Path, monkeypatch: Any) -> None:
    seen: list[str] = []

    def verdict(first: str, second: str) -> str:
        seen.extend((first, second))
        return "TIE" if "one" in first else "I can't say"

    found = ask(tmp_path, monkeypatch, verdict, thought="<think>Is it the FIRST?</think>")
    names = ("one", "two", "three", "four")
    assert set(seen) == {f"{kind} {name}" for kind in ("answer", "reference") for name in names}
    assert value(found, "judged.desk.readable") == 0.25
    assert {row["thought"] for row in found.details} == {"Is it the FIRST?"}


def test_a_judge_without_a_verdict_has_measured_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(EndpointError, match="ended none of 8 verdicts with FIRST, SECOND or TIE"):
        ask(tmp_path, monkeypatch, lambda *_: "Verdict: B")


def test_a_judge_s_key_that_is_not_there_is_told(tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(SourceError, match="the environment has no OTHER_KEY"):
        ask(tmp_path, monkeypatch, lambda *_: "TIE", key="OTHER_KEY")


def test_a_row_without_a_reference_is_told(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [{"messages": [{"role": "user", "content": "hm"}]}])
    judge = {"url": "http://judge", "model": "j"}
    asked = plan(judged={"desk": {"path": str(rows), "format": "messages", "judge": judge}})
    with pytest.raises(BadRows, match="must end with an answer of the assistant"):
        load(asked, None)
