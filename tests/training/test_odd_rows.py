"""Whatever a row holds, it is read or it is told; nothing that a file can hold ends as a fault of ours."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from tests.training.rows import TOOL, TOOL_USE, said, write_rows
from tests.training.test_sources import read
from training.data import bfcl, columns, formats, preferences, sources
from training.data.fields import FieldError
from training.errors import BadRows, SourceError
from training.recipe import FileSource
from training.routing.rows import labelled

ODD: list[Any] = [None, 7, 1.5, True, "", "x", [], [[]], [None], ["x"], {}, {"a": []}, [{}], float("nan")]
SHAREGPT = {
    "conversations": [
        {"from": "human", "value": "red?"},
        {"from": "function_call", "value": '{"name": "track", "arguments": {"id": "PX1"}}'},
        {"from": "observation", "value": "Brno"},
    ],
    "system": "Help.",
    "tools": [TOOL["function"]],
}
ANSWERS = {"chosen": {"from": "gpt", "value": "blue"}, "rejected": {"from": "gpt", "value": "green"}}
ALPACA = {"instruction": "red?", "input": "1", "system": "Help.", "history": [["a", "b"]], "tools": [TOOL]}
TYPED = [{"role": "assistant", "content": [{"type": "reasoning", "value": "x"}], "loss_weight": 1.0}]
QUESTION = {
    "question": [[{"role": "user", "content": "red?"}]],
    "function": [{"name": "a.b", "parameters": {"type": "dict", "properties": {"a": {"type": "any"}}}}],
}
FORMS: dict[str, tuple[Callable[[dict[str, Any]], Any], dict[str, Any]]] = {
    "text": (formats.text, {"text": "red"}),
    "messages": (formats.messages, TOOL_USE),
    "typed parts": (formats.messages, {"messages": TYPED}),
    "alpaca": (formats.alpaca, {**ALPACA, "output": "blue"}),
    "self-instruct": (formats.alpaca, {"instruction": "a", "instances": [{"input": "b", "output": "c"}]}),
    "sharegpt": (formats.sharegpt, SHAREGPT),
    "pairs": (preferences.pairs, {"prompt": "red?", "chosen": "blue", "rejected": "green", "margin": 1.0}),
    "conversations of pairs": (
        preferences.pairs,
        {
            "messages": [{"role": "user", "content": "red?"}],
            "chosen": [{"role": "assistant", "content": "a"}],
            "rejected": {"role": "assistant", "content": "b"},
        },
    ),
    "ranked alpaca": (preferences.alpaca, {**ALPACA, "chosen": "blue", "rejected": "green"}),
    "ranked sharegpt": (preferences.sharegpt, {**SHAREGPT, **ANSWERS}),
    "labels": (preferences.labels, {"prompt": "red?", "completion": "blue", "label": True}),
    "labelled messages": (preferences.labels, {**said("red?", "blue"), "kto_tag": False}),
    "bfcl": (bfcl.question, QUESTION),
    "intents": (labelled, {"text": "red", "intent": "colour"}),
}


def changed(value: Any) -> Iterator[Any]:
    """``value`` with each of its parts, one at a time, exchanged for each odd one, or taken out."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield {k: v for k, v in value.items() if k != key}
            yield from ({**value, key: other} for other in (*ODD, *changed(part)))
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from ([*value[:i], other, *value[i + 1 :]] for other in (*ODD, *changed(part)))


@pytest.mark.parametrize("form", FORMS)
def test_any_value_in_any_place_is_read_or_told(form: str) -> None:
    reader, row = FORMS[form]
    reader(row).canonical()
    count = 0
    for odd in changed(row):
        with suppress(FieldError):
            reader(odd).canonical()
        count += 1
    assert count > len(ODD)


@pytest.mark.parametrize("form", ["text", "messages", "labels"])
def test_a_long_value_is_not_printed_whole(form: str) -> None:
    reader, row = FORMS[form]
    long = ["x" * 10_000]
    key = next(iter(row)) if form != "labels" else "label"
    with pytest.raises(FieldError) as caught:
        reader({**row, key: long if form in ("text", "labels") else [long]})
    assert "... (10,004 characters)" in caught.value.problem
    assert len(caught.value.problem) < 300


def test_many_names_are_not_printed_whole() -> None:
    with pytest.raises(FieldError, match=r"the row has field 0, field 1, .*\.\.\. \(9,788 characters\)"):
        formats.text({f"field {i}": 0 for i in range(900)})


@pytest.mark.parametrize(
    "content", ["[" * 200_000, '{"text": ' + "[" * 150 + "]" * 150 + "}", '{"a":' * 9_999]
)
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json"])
def test_what_is_nested_too_deep_is_told(tmp_path: Path, content: str, name: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises((BadRows, SourceError), match="not JSON: it is nested more than 100 deep"):
        read(tmp_path / name, "text", "cpt")


def test_json_texts_within_rows_may_not_be_deep_either() -> None:
    for row in (
        {"tools": "[" * 200_000},
        {"conversations": [{"from": "function_call", "value": "[" * 200_000}]},
    ):
        with pytest.raises(FieldError, match="nested more than 100 deep"):
            formats.sharegpt({**SHAREGPT, **row})


def test_half_a_surrogate_pair_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "\\ud83d\\ude00"}\n{"text": "a \\uD83d b"}\n', encoding="utf-8")
    with pytest.raises(
        BadRows, match=r"^1 bad row\n  .*:2: is not JSON: it holds \\ud83d, half of a surrogate"
    ):
        read(path, "text", "cpt")


@pytest.mark.parametrize("margin", ["NaN", "Infinity", "-Infinity", "1e999", '"1"', "true"])
def test_a_margin_is_a_finite_number(tmp_path: Path, margin: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        f'{{"prompt": "a", "chosen": "b", "rejected": "c", "margin": {margin}}}', encoding="utf-8"
    )
    source = FileSource(path=path, format="pairs")
    with pytest.raises(BadRows, match="margin: must be a finite number, found"):
        sources.preferences(sources.parts(source, 0)[0])


def test_a_margin_may_be_negative() -> None:
    """As in TRL: a pair that its raters were not of one mind about."""
    row = {"prompt": "a", "chosen": "b", "rejected": "c", "margin": -0.5}
    assert preferences.pairs(row).margin == -0.5


def test_tables_are_told_how_they_become_rows(tmp_path: Path) -> None:
    """And the command that they are told does it."""
    tmp_path = tmp_path / "of {rows}"
    tmp_path.mkdir()
    rows = Dataset.from_list([{"text": "red"}, {"text": "blue"}])
    rows.to_parquet(tmp_path / "a.parquet")
    rows.to_csv(tmp_path / "b.csv")
    rows.to_csv(tmp_path / "c.tsv", sep="\t")
    for path in ("a.parquet", "b.csv", "c.tsv"):
        with pytest.raises(SourceError, match="is a table, and rows are read from JSON") as caught:
            read(tmp_path / path, "text", "cpt")
        exec(str(caught.value).partition('python -c "')[2].removesuffix('"'))
        made = read((tmp_path / path).with_suffix(".jsonl"), "text", "cpt")
        assert [row.text for row in made] == ["red", "blue"]


def test_gzipped_rows_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({"text": "red"}).encode()))
    assert [row.text for row in read(path, "text", "cpt")] == ["red"]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(SourceError, match="is gzip, and broken or cut off"):
        read(path, "text", "cpt")
    book = tmp_path / "book.txt.gz"
    book.write_bytes(gzip.compress(b"One.\nTwo.\n"))
    source = FileSource(path=book, format="text", documents="line")
    assert [row.text for row in sources.read(sources.parts(source, 0)[0], "cpt")] == ["One.", "Two."]


def test_another_encoding_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "red"}', encoding="utf-16")
    with pytest.raises(SourceError, match=r"is UTF-16, .* write it as UTF-8: iconv -f UTF-16 -t UTF-8"):
        read(path, "text", "cpt")


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
    reader = {"pairs": preferences.pairs, "intents": labelled}.get(form) or formats.READERS[form]
    with pytest.raises(BadRows) as caught:
        sources.read_as(sources.parts(source, 0)[0], reader)
    assert said in str(caught.value)
    assert f"the row has {', '.join(row)}" in str(caught.value) or form == "intents"


def test_nothing_is_guessed_of_fields_that_are_there() -> None:
    for row in ({"instruction": 7, "prompt": "a"}, {"colour": "red", "output": "a"}, ["prompt"]):
        assert columns.hint(row, "alpaca", "instruction") == ""
