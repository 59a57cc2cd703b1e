"""Alpaca's rows in all their shapes are conversations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.rows import TOOL, read, said, write_rows
from training.data.formats import conversations
from training.data.row.fields import FieldError
from training.errors import BadRows


def test_alpaca_is_a_conversation() -> None:
    row = conversations.alpaca(
        {"system": "Help.", "history": [["a", "b"]], "instruction": "Add.", "input": "1 2", "output": "3"}
    )
    assert [(message["role"], message["content"]) for message in row.messages] == [
        ("system", "Help."),
        ("user", "a"),
        ("assistant", "b"),
        ("user", "Add.\n1 2"),
        ("assistant", "3"),
    ]


def test_questions_and_instances_are_alpaca_too(tmp_path: Path) -> None:
    """As GSM8K and Self-Instruct write them; the latter's files hold one instance a row."""
    instance = {"input": "red", "output": "blue"}
    rows = [{"question": "red?", "answer": "blue"}, {"instruction": "what of", "instances": [instance]}]
    asked, seeded = read(write_rows(tmp_path / "rows.jsonl", rows), "alpaca")
    assert [turn["content"] for turn in asked.messages] == ["red?", "blue"]
    assert [turn["content"] for turn in seeded.messages] == ["what of\nred", "blue"]
    for instances, problem in (
        ([instance] * 2, "instances: holds 2; write a row for each"),
        (["x"], "instances.0: must be an object, found 'x'"),
        ([{"input": ""}], "instances.0.output: must be a text; the row has input"),
    ):
        path = write_rows(tmp_path / "bad.jsonl", [{"instruction": "x", "instances": instances}])
        with pytest.raises(BadRows, match=problem):
            read(path, "alpaca")


def test_what_alpaca_rows_may_lack_and_have() -> None:
    """LLaMA-Factory's rows may have tools, also as JSON text, and some sets leave the instruction empty."""
    row = conversations.alpaca(
        {"instruction": "", "input": "Where?", "output": "Brno", "tools": json.dumps([TOOL]), "history": None}
    )
    assert [message["content"] for message in row.messages] == ["Where?", "Brno"]
    assert row.tools == (TOOL,)
    assert conversations.messages(said("a", "b") | {"tools": json.dumps([TOOL])}).tools == (TOOL,)


@pytest.mark.parametrize(
    ("field", "row"),
    [
        ("output", {"instruction": "red?"}),
        ("instruction", {"instruction": None, "output": "blue"}),
        ("input", {"instruction": "red?", "input": 7, "output": "blue"}),
        ("system", {"instruction": "red?", "output": "blue", "system": 7}),
        ("history", {"instruction": "red?", "output": "blue", "history": 7}),
        ("history.0", {"instruction": "red?", "output": "blue", "history": [["one"]]}),
    ],
)
def test_the_field_of_a_bad_alpaca_row_is_named(field: str, row: dict[str, Any]) -> None:
    with pytest.raises(FieldError) as caught:
        conversations.alpaca(row)
    assert caught.value.field == field
