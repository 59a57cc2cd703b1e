"""Rows of public files that no format reads are told how they are written here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.rows import write_rows
from training.data.formats import learned, preferences
from training.data.reading import sources
from training.errors import BadRows
from training.recipe import FileSource

CALLS = {"query": "q", "answers": '[{"name": "f", "arguments": {}}]', "tools": "[]"}
OPENAI = {
    "input": {"messages": [{"role": "user", "content": "q"}], "tools": []},
    "preferred_output": [{"role": "assistant", "content": "a"}],
    "non_preferred_output": [{"role": "assistant", "content": "b"}],
}


def refusal(path: Path, form: str, row: dict[str, Any], **called: str) -> str:
    """What is said of a file of ``row``, in the stage that reads its format."""
    source = FileSource.model_validate({"path": write_rows(path, [row]), "format": form, "columns": called})
    (part,) = sources.parts(source, 0)
    with pytest.raises(BadRows) as caught:
        preferences.read(part) if "dpo" in path.name else learned.read(part, "sft")
    return str(caught.value)


@pytest.mark.parametrize("form", ["messages", "sharegpt", "alpaca"])
@pytest.mark.parametrize(
    ("row", "said"),
    [
        (CALLS, "xLAM's rows are `format: messages` once query is a user's message, and answers are"),
        ({"id": "0", "data": ["q", "a"]}, "A list of texts, as data is, is `format: messages` once"),
        ({"conversations": ["q", "a"], "source": "x"}, "A list of texts, as conversations is"),
        (
            {"conversation": [{"human": "q", "assistant": "a"}]},
            "A list of questions with their answers, as con",
        ),
        ({"conversation": [{"input": "q", "output": "a"}]}, "A list of questions with their answers, as con"),
        ({"chat": {"turn_1": {"Human": "q", "MOSS": "a"}}}, "An object of all turns, as chat is"),
        ({"system": "SYSTEM: x", "chat": "USER: q\n\nASSISTANT: a"}, "A text of all turns, as chat is"),
    ],
)
def test_conversations_in_forms_of_their_own(
    tmp_path: Path, form: str, row: dict[str, Any], said: str
) -> None:
    """Of xLAM, UltraChat, LIMA, MOSS, Capybara and glaive."""
    text = refusal(tmp_path / "sft.jsonl", form, row)
    assert said in text
    assert "columns" not in text


@pytest.mark.parametrize("form", ["pairs", "alpaca", "labels"])
@pytest.mark.parametrize(
    ("row", "said"),
    [
        (OPENAI, "OpenAI's preferences are `format: pairs` once input.messages is called prompt"),
        (
            {"history": "q", "human_ref_A": "a", "human_ref_B": "b", "labels": 1},
            "SHP's rows are `format: pairs` once history is called prompt",
        ),
        (
            {"prompt": "q", "completions": ["a", "b"], "labels": [True, False]},
            "A label for each step of an answer is for a process reward model, which no stage trains",
        ),
    ],
)
def test_preferences_in_forms_of_their_own(tmp_path: Path, form: str, row: dict[str, Any], said: str) -> None:
    assert said in refusal(tmp_path / "dpo.jsonl", form, row)


@pytest.mark.parametrize("mark", ["kto_tag", "label"])
@pytest.mark.parametrize("form", ["alpaca", "pairs"])
def test_labelled_answers_are_told_their_format(tmp_path: Path, form: str, mark: str) -> None:
    said = f"Rows with a {mark} are `format: labels`, for the loss kto"
    row = {"prompt": "q", "completion": "a", mark: True}
    called = {"instruction": "prompt", "output": "completion"} if form == "alpaca" else {}
    assert said in refusal(tmp_path / "dpo.jsonl", form, row, **called)
    assert said not in refusal(tmp_path / "sft.jsonl", "alpaca", row)
