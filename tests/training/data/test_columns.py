"""What a source's ``columns`` say is looked at whole, and no field by a known name is left out in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.rows import write_rows
from training.data.formats import conversations, learned, preferences
from training.data.reading import sources
from training.data.row import columns
from training.errors import BadRows, SourceError
from training.online import prompts
from training.recipe import FileSource, GeneratorSource, PromptFile
from training.routing.rows import FORM


def read(path: Path, form: str, **called: str) -> list[Any]:
    source = FileSource.model_validate({"path": path, "format": form, "columns": called})
    return learned.read(sources.parts(source, 0)[0], "sft")


def ask(given: dict[str, Any]) -> prompts.Prompt:
    """The only prompt of a source."""
    source = PromptFile.model_validate({"format": "prompt", **given})
    (prompt,) = prompts.read(sources.parts(source, 0)[0])
    return prompt


def contents(row: Any) -> list[str]:
    return [turn["content"] for turn in row.messages]


def test_columns_say_what_a_file_calls_the_fields(tmp_path: Path) -> None:
    rows = [{"kind": "sums", "input": "1 + 1?", "target": "2"}]  # with `input` alpaca's, it were said twice
    path = write_rows(tmp_path / "rows.jsonl", rows)
    (row,) = read(path, "alpaca", instruction="input", output="target")
    assert contents(row) == ["1 + 1?", "2"]
    with pytest.raises(
        BadRows, match=r"rows\.jsonl:1: query: is to be instruction, by columns; the row has kind, "
    ):
        read(path, "alpaca", instruction="query", output="target")


def test_a_field_that_rows_may_lack_they_may_lack_by_another_name(tmp_path: Path) -> None:
    rows = [{"q": "add", "given": "1 2", "a": "3"}, {"q": "red?", "a": "blue"}]
    path = write_rows(tmp_path / "rows.jsonl", rows)
    found = read(path, "alpaca", instruction="q", input="given", output="a", system="role")
    assert [contents(row) for row in found] == [["add\n1 2", "3"], ["red?", "blue"]]


@pytest.mark.parametrize(
    ("form", "called", "said"),
    [
        (
            "alpaca",
            {"prompt": "q", "query": "i", "response": "a"},
            "instruction), query (you may mean input), response (you",
        ),
        (
            "alpaca",
            {"query": "input"},
            "no field query (you may mean input). It has instruction, ",
        ),
        ("alpaca", {"Output": "a"}, "Output (you may mean output)"),
        ("sharegpt", {"messages": "chat"}, "messages (you may mean conversations)"),
        ("pairs", {"choosen": "a"}, "choosen (you may mean chosen)"),
        ("alpaca", {"chosen": "a"}, "in this stage alpaca has no field chosen. It has instruction, "),
        ("text", {"zzz": "a"}, "text has no field zzz. It has text;"),
    ],
)
def test_columns_that_no_reader_looks_at_are_told_once(
    tmp_path: Path, form: str, called: dict[str, str], said: str
) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"a": "b"}] * 3)
    with pytest.raises(SourceError) as caught:
        read(path, form, **called) if form != "pairs" else preferences.read(
            sources.parts(FileSource(path=path, format="pairs", columns=called), 0)[0]
        )
    assert said in str(caught.value)


def test_columns_of_prompts_are_checked_too_but_the_rewards_are_their_own(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"q": "red?", "gold": "blue"}])
    given = {"path": path, "format": "alpaca", "columns": {"prompt": "q"}}
    with pytest.raises(SourceError, match=r"has no field prompt \(you may mean instruction\)"):
        ask(given)
    given = {"path": path, "format": "prompt", "columns": {"prompt": "q", "want": "gold"}}
    assert ask(given).columns == {"want": "blue"}
    write_rows(path, [{"q": "red?"}])
    with pytest.raises(BadRows, match=r"rows\.jsonl:1: gold: is to be want, by columns; the row has q"):
        ask(given)


@pytest.mark.parametrize(
    ("row", "called", "line"),
    [
        (
            {"instruction": "who?", "context": "Ann is.", "response": "Ann", "category": "qa"},
            {"output": "response"},
            "{output: response, input: context}",
        ),
        ({"instruction": "who?", "query": "Ann is.", "input": "", "output": "Ann"}, {}, "{input: query}"),
        (
            {"instruction": "who?", "context": "Ann is.", "response": "Ann"},
            {},
            "{output: response, input: context}",
        ),
    ],
)
def test_an_input_by_another_name_is_not_left_out(
    tmp_path: Path, row: dict[str, str], called: dict[str, str], line: str
) -> None:
    """As in Dolly's rows; the line that the error gives reads them."""
    path = write_rows(tmp_path / "rows.jsonl", [row])
    with pytest.raises(BadRows, match="would be left out") as caught:
        read(path, "alpaca", **called)
    assert f"`columns: {line}`" in str(caught.value)
    given = dict(pair.split(": ") for pair in line[1:-1].split(", "))
    assert contents(read(path, "alpaca", **given)[0]) == ["who?\nAnn is.", "Ann"]


def test_an_empty_context_is_nothing_to_miss(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"instruction": "red?", "context": "", "output": "blue"}])
    assert contents(read(path, "alpaca")[0]) == ["red?", "blue"]


@pytest.mark.parametrize("key", ["prompts", "completions"])
def test_a_prompts_column_may_not_be_called_as_what_rewards_are_given(tmp_path: Path, key: str) -> None:
    given = {"path": write_rows(tmp_path / "rows.jsonl", [{"prompt": "red?", key: "blue"}])}
    with pytest.raises(BadRows, match=rf"`columns: \{{my_{key}: {key}\}}`"):
        ask(given)
    assert ask({**given, "columns": {f"my_{key}": key}}).columns == {f"my_{key}": "blue"}


def test_images_of_prompts_are_told(tmp_path: Path) -> None:
    row = {"prompt": "<image>who?", "images": ["ann.jpg"]}
    with pytest.raises(BadRows, match="images: belongs to the row, and bases here read text alone"):
        ask({"path": write_rows(tmp_path / "rows.jsonl", [row])})


@pytest.mark.parametrize(
    ("form", "row", "said"),
    [
        (
            "alpaca",
            {"Instruction": "a", "Output": "b"},
            "`columns: {instruction: Instruction, output: Output}`",
        ),
        ("alpaca", {"prompt": "a", "response": "b"}, "`columns: {instruction: prompt, output: response}`"),
        ("alpaca", {"question": "a", "Answer": "b"}, "`columns: {instruction: question, output: Answer}`"),
        ("alpaca", {"instruction": "a", "completion": "b"}, "`columns: {output: completion}`"),
        ("text", {"Text": "a"}, "`columns: {text: Text}`"),
        ("sharegpt", {"conversation": []}, "`columns: {conversations: conversation}`"),
        ("messages", {"conversations": []}, "Rows of conversations are `format: sharegpt`"),
        ("alpaca", {"messages": []}, "Rows of messages are `format: messages`"),
        ("sharegpt", {"instruction": "a", "output": "b"}, "Rows of instruction are `format: alpaca`"),
        ("sharegpt", {"messages": []}, "`columns: {conversations: messages}`"),
        (
            "sharegpt",
            {"messages": [{"role": "user", "content": "a"}]},
            "Rows of messages are `format: messages`",
        ),
        (
            "sharegpt",
            {"messages": [{"from": "human", "value": "a"}]},
            "`columns: {conversations: messages}`",
        ),
        (
            "pairs",
            {"question": "a", "chosen": "b", "Rejected": "c"},
            "`columns: {prompt: question, rejected: Rej",
        ),
        ("intents", {"utterance": "a", "category": "b"}, "`columns: {text: utterance, intent: category}`"),
    ],
)
def test_fields_that_are_called_otherwise_get_their_columns(
    tmp_path: Path, form: Any, row: dict[str, Any], said: str
) -> None:
    source = FileSource(path=write_rows(tmp_path / "rows.jsonl", [row]), format=form)
    forms: Any = {"intents": {"intents": FORM}, "pairs": preferences.FORMS}.get(form, conversations.FORMS)
    with pytest.raises(BadRows) as caught:
        sources.read(sources.parts(source, 0)[0], forms, FORM)
    assert said in str(caught.value)
    assert f"the row has {', '.join(row)}" in str(caught.value) or form == "intents"


def test_a_field_that_does_not_fit_is_called_as_the_file_calls_it(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"chat": [{"from": "human", "value": "a"}]}])
    with pytest.raises(BadRows, match=r"chat\.0: the turn has no speaker, .*it has from, value\. If that is"):
        read(path, "sharegpt", conversations="chat", role_tag="speaker")
    path = write_rows(tmp_path / "rows.jsonl", [{"question": None, "output": "a"}])
    with pytest.raises(BadRows, match=r"jsonl:1: question: must be a text; found null"):
        read(path, "alpaca", instruction="question")


def test_formats_that_the_stage_does_not_read_are_not_proposed(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"messages": [], "question": "red?", "rejected": "b"}])
    with pytest.raises(BadRows, match=r"chosen: .*; the row has messages, question, rejected$"):
        preferences.read(sources.parts(FileSource(path=path, format="pairs"), 0)[0])


def test_the_context_of_a_question_is_not_left_out_either(tmp_path: Path) -> None:
    row = {"question": "who?", "context": "Ann is.", "answer": "Ann"}
    path = write_rows(tmp_path / "rows.jsonl", [row])
    with pytest.raises(BadRows, match=r"context: would be left out.*input: context\}`"):
        read(path, "alpaca")
    assert contents(read(path, "alpaca", input="context")[0]) == ["who?\nAnn is.", "Ann"]


def test_a_generator_is_not_told_of_columns() -> None:
    source = GeneratorSource(generator="tests.training.asking:said_otherwise", rows=1)
    with pytest.raises(BadRows, match=r"prompt: must be a text or a list of messages; the row has question$"):
        prompts.read(sources.parts(source, 0)[0])


def test_nothing_is_guessed_of_fields_that_are_there() -> None:
    for row in ({"instruction": 7, "prompt": "a"}, {"colour": "red", "output": "a"}, ["prompt"]):
        assert columns.hint(row, "instruction", "alpaca", conversations.FORMS) == ""
