"""The Berkeley leaderboard's questions, asked of a served model and held beside its file of right calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.pointsman.canned import canned
from tests.training.evaluating import held, measured, plan, value
from tests.training.rows import write_rows
from tests.training.serving import message, server
from training.errors import BadRows
from training.evaluation import report
from training.evaluation.leaderboard import AnyOf
from training.evaluation.load import load

SCHEMA = {"type": "dict", "properties": {"x": {"type": "float"}, "unit": {"type": "string"}}}


def asked_of(i: int) -> dict[str, Any]:
    return {
        "id": f"simple_{i}",
        "question": [[{"role": "user", "content": f"turn {i}"}]],
        "function": [{"name": "math.root", "description": "A root.", "parameters": SCHEMA}],
    }


RIGHT = {"math.root": {"x": [4], "unit": ["cm", ""]}}


def test_calls_are_held_beside_every_answer_that_is_right(tmp_path: Path, tokenizer: Any) -> None:
    """Right; right without what may be left out; a wrong value; a value too many."""
    rows = write_rows(tmp_path / "questions.json", [asked_of(i) for i in range(4)])
    right = [{"id": f"simple_{i}", "ground_truth": [RIGHT]} for i in range(4)]
    answers = write_rows(tmp_path / "answers.json", right)
    made = ['{"x": 4.0, "unit": "cm"}', '{"x": 4}', '{"x": 4, "unit": "m"}', '{"x": 4, "y": 1}']

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        assert body["tools"][0]["function"]["name"] == "math_root"
        return message("", ("math_root", made[int(body["messages"][-1]["content"][-1])]))

    with canned(server("tiny", chat=answer)) as found:
        asked = plan(tools={"t": held(rows, "bfcl", answers=str(answers))})
        [shown] = measured(asked, tokenizer, found.url, "tiny")
        assert value(shown, "tools.t.argument_accuracy") == 2 / 4
        assert value(shown, "tools.t.tool_accuracy") == value(shown, "tools.t.trigger_f1") == 1.0
        [shown] = measured(
            plan(tools={"t": held(rows, "bfcl", answers="none")}), tokenizer, found.url, "tiny"
        )
        assert value(shown, "tools.t.trigger_precision") == 0.0


def test_what_is_right_is_kept_beside_what_was_called(tmp_path: Path, tokenizer: Any) -> None:
    rows = write_rows(tmp_path / "questions.jsonl", [asked_of(0)])
    answers = write_rows(tmp_path / "answers.jsonl", [{"id": "simple_0", "ground_truth": [RIGHT]}])
    asked = plan(tools={"t": held(rows, "bfcl", answers=str(answers))})
    with canned(server("tiny", chat=message("", ("math_root", '{"x": 4}')))) as found:
        shown = measured(asked, tokenizer, found.url, "tiny")
    report.write(tmp_path / "report", shown, load(asked, tokenizer), {"server": "here", "asked": {}})
    row = json.loads((tmp_path / "report" / "rows.jsonl").read_text(encoding="utf-8"))
    assert row["wanted"] == [["math_root", RIGHT["math.root"]]]
    assert row["called"] == [["math_root", {"x": 4}]]


@pytest.mark.parametrize("calls", [0, 1, 4])
def test_questions_that_no_tool_answers_have_a_figure_of_their_own(
    calls: int, tmp_path: Path, tokenizer: Any
) -> None:
    rows = write_rows(tmp_path / "questions.json", [asked_of(i) for i in range(4)])

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        called = int(body["messages"][-1]["content"][-1]) < calls
        return message("", ("math_root", "{}")) if called else message("None of these.")

    asked = plan(tools={"t": held(rows, "bfcl", answers="none")})
    with canned(server("tiny", chat=answer)) as found:
        [shown] = measured(asked, tokenizer, found.url, "tiny")
    assert value(shown, "tools.t.irrelevance_accuracy") == (4 - calls) / 4


@pytest.mark.parametrize(
    ("right", "made", "accepted"),
    [
        ({"x": [1]}, {"x": 1.0}, True),
        ({"x": [1]}, {"x": True}, False),
        ({"x": [1]}, {"x": "1"}, False),
        ({"x": [1, 2]}, {"x": 2}, True),
        ({"x": [[1, 2]]}, {"x": [1, 2.0]}, True),
        ({"x": [[1, 2]]}, {"x": [2, 1]}, False),
        ({"x": [{"a": [1], "b": [""]}]}, {"x": {"a": 1}}, True),
        ({"x": [{"a": [1]}]}, {"x": {"a": 2}}, False),
        ({"x": [1, ""]}, {}, True),
        ({"x": [1]}, {}, False),
        ({"x": [1]}, [], False),
        ({"x": [[{"a": ["b", "c"]}]]}, {"x": [{"a": "b"}]}, True),
        ({"x": [[{"a": ["b"]}]]}, {"x": [{"a": ["b"]}]}, False),
        ({"x": [[{"a": ["b"]}, {"a": ["c"]}]]}, {"x": [{"a": "b"}, {"a": "d"}]}, False),
        ({"x": ["San Francisco, CA"]}, {"x": "san francisco ca"}, True),
        ({"x": [["New-York"]]}, {"x": ["new york"]}, True),
        ({"x": ["it's"]}, {"x": 'it"s'}, True),
        ({"x": ["m/s"]}, {"x": "m:s"}, False),
        ({"x": ["a", ""]}, {"x": "-"}, False),
    ],
)
def test_which_arguments_are_right(right: dict[str, list[Any]], made: Any, accepted: bool) -> None:
    assert AnyOf(right).accepts(made) is accepted


def test_what_does_not_fit_is_named(tmp_path: Path, tokenizer: Any) -> None:
    rows = write_rows(tmp_path / "questions.json", [asked_of(0), asked_of(1)])
    answers = write_rows(
        tmp_path / "answers.json", [{"id": f"simple_{i}", "ground_truth": [RIGHT]} for i in (0, 2)]
    )
    asked = plan(tools={"t": held(rows, "bfcl", answers=str(answers))})
    with pytest.raises(BadRows, match=r"questions\.json:2: id: 'simple_1': there is no answer to it in "):
        load(asked, tokenizer)
    write_rows(answers, [{"id": f"simple_{i}", "ground_truth": [{"f": {"x": 1}}]} for i in (0, 1)])
    with pytest.raises(BadRows, match=r"answers\.json:1: ground_truth\.0\.f\.x: must be a list of the"):
        load(asked, tokenizer)
    with pytest.raises(ValidationError, match="answers: rows of bfcl hold none; name the file"):
        plan(tools={"t": held(rows, "bfcl")})
    with pytest.raises(ValidationError, match="answers: is for bfcl"):
        plan(tools={"t": held(rows, answers="none")})
    with pytest.raises(ValidationError, match=r"loss\.t\.format: bfcl is for tools"):
        plan(loss={"t": held(rows, "bfcl")})
