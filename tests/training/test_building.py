"""A build asks until an answer is right, goes on where it was stopped, and keeps a row once."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.training.building import SUM, Building
from tests.training.serving import message
from training.errors import EndpointError, RunConflict


def test_a_question_is_tried_until_an_answer_is_right(building: Building) -> None:
    answers = iter(["<think>a</think> 61", "<think>b</think> 62", "<think>never asked</think> 62"])
    found = building([SUM], lambda _: message(next(answers)), tries=3)
    assert found.reasons == {"wrong final answer": 1, "kept": 1}
    seeds = [body["seed"] for body in building.asked]
    assert len(set(seeds)) == 2
    assert building.rows[0]["messages"][-1]["content"].startswith("<think>\nb\n")


def test_a_build_goes_on_where_the_teacher_went_away(building: Building) -> None:
    rows = [{"prompt": f"{i} + 1?", "expect": {"number": i + 1}} for i in range(8)]

    def solve(body: dict[str, Any]) -> dict[str, Any]:
        number = int(re.findall(r"\d+", body["messages"][-1]["content"])[0])
        return message(f"<think>one more, U+2028:\u2028</think> {number + 1}")

    left = iter(range(5))
    with pytest.raises(EndpointError, match=r"without choices"):
        building(rows, lambda body: solve(body) if next(left, None) is not None else {"choices": []})
    assert len(building.rows) == 5
    journal = building.folder / "built" / "journal.jsonl"
    with journal.open("a", encoding="utf-8") as file:
        file.write('{"question": 5, "tri')  # as a process that is killed leaves it
    found = building(rows, solve, concurrency=3)
    assert len(building.asked) == 3
    assert (found.rows, found.tries) == (8, 8)
    texts = [row["messages"][0]["content"] for row in building.rows]
    assert texts == [row["prompt"] for row in rows]  # in the questions' order, whoever was first
    assert building.run(building.plan(rows)) == found  # nothing is left to ask: the teacher may be away

    with pytest.raises(RunConflict, match="begun with another plan or other questions"):
        building.run(building.plan(rows[:7]))
    with pytest.raises(RunConflict, match="begun with another plan"):
        building.run(building.plan(rows, system="Be brief."))


def test_a_teacher_that_answers_nobody_costs_no_question(building: Building) -> None:
    with pytest.raises(EndpointError, match="401 whose key is this"):
        building([SUM], {"error": {"message": "whose key is this", "code": 401}})
    assert building([SUM], message("<think>so</think> 62")).rows == 1


def test_the_same_row_twice_is_one(building: Building) -> None:
    found = building([SUM, SUM], message("<think>so</think> 62"))
    assert (found.rows, found.duplicates, found.reasons) == (1, 1, {"kept": 2})
