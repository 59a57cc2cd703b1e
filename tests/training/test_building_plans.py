"""A plan, its questions and their rules, and what is wrong with them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman import document
from pointsman.document import DocumentError
from tests.training.building import Building
from tests.training.rows import ROOT, write_rows
from training.building.expectation import Expectation, stated_number
from training.building.plan import BuildPlan
from training.building.questions import load
from training.errors import BadRows


def test_bad_questions_are_named_with_their_field(building: Building, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": "a"},
        {"prompt": [], "expect": {"number": 1}},
        {"prompt": [{"role": "assistant", "content": "a"}], "expect": {"number": 1}},
        {"prompt": "a", "expect": {}},
        {"prompt": "a", "expect": {"calls": [{"nam": "track"}]}},
    ]
    with pytest.raises(BadRows) as caught:
        load(building.plan(rows))
    said = str(caught.value)
    assert "questions.jsonl:1: expect: is required" in said
    assert "questions.jsonl:2: prompt: must be a text" in said
    assert "questions.jsonl:3: prompt: must end with what is asked" in said
    assert "questions.jsonl:4: expect: Value error, holds no rule" in said
    assert "questions.jsonl:5: expect.calls.0.name: Field required; calls.0.nam: Extra inputs" in said


def test_gsm8ks_rows_are_questions(building: Building) -> None:
    rows = [{"question": "How much?", "answer": "It costs 1000 more.\n#### 1,018"}]
    given = building.plan([]).model_dump(mode="json")
    given["questions"] = [{"path": str(write_rows(building.folder / "g.jsonl", rows)), "format": "gsm8k"}]
    [question] = load(BuildPlan.model_validate(given))
    assert question.expect.number == 1018
    assert question.expect.misses((), "So it is 1018.") == ""


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("34 + 28 = 62 parcels in 3 vans", "62"),
        ("first 3, then 1,250.50", "1250.50"),
        ("= −6", "-6"),
        ("none", None),
    ],
)
def test_the_number_that_a_text_ends_with(text: str, number: str | None) -> None:
    assert stated_number(text) == (None if number is None else Decimal(number))


def test_every_rule_that_is_given_must_hold() -> None:
    rules = Expectation.model_validate({"contains": ["Brno"], "calls": []})
    assert rules.misses((), "In Brno.") == ""
    assert rules.misses((), "In Oslo.") == "wrong final answer"
    assert rules.misses([("track", {})], "In Brno.") == "wrong tool"
    assert Expectation.model_validate({"json": {"a": 1}}).misses((), '{"a": 1}') == ""
    assert Expectation.model_validate({"json": {"a": 1}}).misses((), "a: 1") == "wrong final answer"
    assert Expectation.model_validate({"equals": "yes"}).misses((), " yes\n") == ""


def test_everything_wrong_with_a_plan_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("form: tree\ntries: 0\nteacher: {url: here, model: a}\n", encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        document.load(BuildPlan, path)
    fields = {problem.field for problem in caught.value.problems}
    assert fields == {"name", "form", "tries", "questions", "teacher.url"}
    right = {
        "name": "a",
        "form": "react",
        "questions": [{"path": "a.jsonl"}],
        "teacher": {"url": "http://a", "model": "b"},
    }
    for wrong, said in (
        ({}, "tools: react needs at least one"),
        ({"form": "cot", "tools": ["track"]}, "cot calls none"),
        (
            {"tools": ["track"], "teacher": right["teacher"] | {"temperature": 0}},  # type: ignore[operator]
            "every try gives the same answer",
        ),
        (
            {"tools": ["track"], "teacher": right["teacher"] | {"parameters": {"seed": 1}}},  # type: ignore[operator]
            "seed is set by the plan itself",
        ),
    ):
        path.write_text(yaml.safe_dump(right | wrong), encoding="utf-8")
        with pytest.raises(DocumentError, match=said):
            document.load(BuildPlan, path)


def test_the_demos_plans_have_questions_with_rules() -> None:
    for name in ("sums", "parcels"):
        plan = document.load(BuildPlan, ROOT / "deploy" / "demo" / "builds" / f"{name}.yaml")
        questions = load(plan)
        assert all(question.messages[0]["role"] == "system" for question in questions)
        assert all(question.messages[-1]["role"] == "user" for question in questions)
        if name == "parcels":
            assert all(question.expect.calls for question in questions)
        else:
            assert all(question.expect.number is not None for question in questions)
