"""Whatever a row holds, it is read or it is told; nothing that a file can hold ends as a fault of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.training.rows import TOOL, TOOL_USE, said
from training.data.formats import bfcl, conversations, preferences
from training.data.formats.pair import Pair
from training.data.reading import sources
from training.data.row.carried import LeftOut
from training.data.row.fields import FieldError
from training.data.row.form import Form
from training.errors import BadRows
from training.online import prompts
from training.recipe import FileSource
from training.routing.rows import FORM, labelled

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
    "text": (conversations.text, {"text": "red"}),
    "messages": (conversations.messages, TOOL_USE),
    "typed parts": (conversations.messages, {"messages": TYPED}),
    "alpaca": (conversations.alpaca, {**ALPACA, "output": "blue"}),
    "self-instruct": (
        conversations.alpaca,
        {"instruction": "a", "instances": [{"input": "b", "output": "c"}]},
    ),
    "sharegpt": (conversations.sharegpt, SHAREGPT),
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
    "prompts and completions": (conversations.prompt_completion, {"prompt": "red?", "completion": "blue"}),
    "bfcl": (bfcl.question, QUESTION),
    "intents": (labelled, {"text": "red", "intent": "colour"}),
}


ROWS: dict[str, tuple[Mapping[str, Form[Any]], list[dict[str, Any]]]] = {  # of each stage and format
    "sft text": (conversations.FORMS, [{"text": "red"}]),
    "sft messages": (conversations.FORMS, [said("red?", "blue"), {"text": "red"}]),
    "sft prompt_completion": (conversations.FORMS, [{"prompt": "red?", "completion": "blue"}]),
    "sft alpaca": (
        conversations.FORMS,
        [
            {"instruction": "red?", "output": "blue"},
            {"question": "red?", "answer": "blue"},
            {"instruction": "red?"},
        ],
    ),
    "sft sharegpt": (conversations.FORMS, [{"conversations": SHAREGPT["conversations"]}]),
    "dpo pairs": (preferences.FORMS, [{"prompt": "red?", "chosen": "blue", "rejected": "green"}]),
    "dpo alpaca": (
        preferences.FORMS,
        [
            {"instruction": "red?", "chosen": "blue", "rejected": "green"},
            {"instruction": "red?", "output": ["blue", "green"]},
            {"question": "red?", "answer": "", "chosen": "blue", "rejected": "green"},
            {"question": "red?", "chosen": "blue", "rejected": "green"},
        ],
    ),
    "dpo sharegpt": (preferences.FORMS, [{"conversations": SHAREGPT["conversations"], **ANSWERS}]),
    "dpo labels": (
        preferences.FORMS,
        [
            {"prompt": "red?", "completion": "blue", "label": True},
            {"prompt": "red?", "completion": "blue", "kto_tag": True},
            {"instruction": "red?", "output": "blue", "label": True},
            {"instruction": "red?", "label": True},
        ],
    ),
    "ppo bfcl": (prompts.FORMS, [QUESTION]),
    "router intents": ({"intents": FORM}, [{"text": "red", "intent": "colour"}]),
}


@pytest.mark.parametrize("which", ROWS)
def test_a_form_names_the_fields_that_its_reader_looks_at(which: str) -> None:
    """And no other: what ``columns`` may rename is what changes something."""
    forms, rows = ROWS[which]
    form = forms[which.split()[1]]
    every = {field for forms, _ in ROWS.values() for other in forms.values() for field in other.fields}
    looked_at = {field for field in every for row in rows if outcome(form, row) != outcome(form, row, field)}
    assert looked_at == set(form.fields)


def outcome(form: Form[Any], row: dict[str, Any], odd: str = "") -> object:
    """What becomes of ``row``, with nonsense under ``odd``."""
    try:
        return form({**row, odd: [7]} if odd else row)
    except LeftOut:  # told of, and not looked at
        return outcome(form, row)
    except FieldError as exc:
        return exc.field


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
        conversations.text({f"field {i}": 0 for i in range(900)})


def test_json_texts_within_rows_may_not_be_deep_either() -> None:
    for row in (
        {"tools": "[" * 200_000},
        {"conversations": [{"from": "function_call", "value": "[" * 200_000}]},
    ):
        with pytest.raises(FieldError, match="nested more than 100 deep"):
            conversations.sharegpt({**SHAREGPT, **row})


@pytest.mark.parametrize("margin", ["NaN", "Infinity", "-Infinity", "1e999", '"1"', "true"])
def test_a_margin_is_a_finite_number(tmp_path: Path, margin: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        f'{{"prompt": "a", "chosen": "b", "rejected": "c", "margin": {margin}}}', encoding="utf-8"
    )
    source = FileSource(path=path, format="pairs")
    with pytest.raises(BadRows, match="margin: must be a finite number, found"):
        preferences.read(sources.parts(source, 0)[0])


def test_a_margin_may_be_negative() -> None:
    """As in TRL: a pair that its raters were not of one mind about."""
    row = {"prompt": "a", "chosen": "b", "rejected": "c", "margin": -0.5}
    found = preferences.pairs(row)
    assert isinstance(found, Pair)
    assert found.margin == -0.5
