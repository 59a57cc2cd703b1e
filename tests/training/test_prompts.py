"""Prompts: read in every form, rendered as serving renders them, asked in an order that steps decide."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.training.asking import QUESTIONS, Online, prepared, question
from tests.training.rows import CONVERSATIONS, TOOL, TOOL_USE, write_rows
from training.data.reading import sources
from training.errors import BadRows, NothingToLearn, SourceError
from training.online import prompts
from training.preflight import preview
from training.recipe import GeneratorSource, PromptFile, Prompts


def plan(path: Path, form: Any = "prompt", **more: Any) -> Prompts:
    return Prompts(sources=[PromptFile(path=path, format=form)], **{"validation_rows": 2, **more})


def one(base: Path, tmp_path: Path, row: dict[str, Any], form: str) -> prompts.Prompt:
    path = write_rows(tmp_path / "rows.jsonl", [row] * 2)
    return prepared(base, plan(path, form)).train[0]


def test_a_prompt_ends_where_the_answer_begins(base: Path, tokenizer: Any, tmp_path: Path) -> None:
    made = one(base, tmp_path, question(3), "prompt")
    whole = [*made.messages, {"role": "assistant", "content": "Seven."}]
    ids = tokenizer.apply_chat_template(whole, return_dict=True)["input_ids"]
    assert list(made.ids) == ids[: len(made.ids)]
    assert tokenizer.decode(ids[len(made.ids) :]).startswith("Seven.")
    assert made.columns == {"wanted": question(3)["wanted"]}


def test_tools_are_rendered(base: Path, tokenizer: Any, tmp_path: Path) -> None:
    made = one(base, tmp_path, question(3) | {"tools": [TOOL]}, "prompt")
    assert "Where a parcel is." in tokenizer.decode(made.ids)
    assert made.tools == (TOOL,)


@pytest.mark.parametrize(
    ("form", "row", "answer"),
    [
        ("prompt", {"prompt": "Red?"}, None),
        ("messages", CONVERSATIONS[0], CONVERSATIONS[0]["messages"][-1]["content"]),
        ("messages", TOOL_USE, TOOL_USE["messages"][-1]["content"]),
        ("alpaca", {"instruction": "Red?", "input": "", "output": "Blue."}, "Blue."),
        (
            "sharegpt",
            {"conversations": [{"from": "human", "value": "Red?"}, {"from": "gpt", "value": "b"}]},
            "b",
        ),
        ("sharegpt", {"conversations": [{"from": "human", "value": "Red?"}], "chosen": {}}, None),
    ],
)
def test_every_form_gives_a_question(
    base: Path, tmp_path: Path, form: str, row: dict[str, Any], answer: str | None
) -> None:
    made = one(base, tmp_path, row, form)
    assert made.messages[-1]["role"] in ("user", "tool")
    assert made.columns.get("answer") == answer


def test_columns_say_what_a_files_prompts_are_called(base: Path, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "prompts.jsonl", [{"question": "Red?", "n": 7}] * 2)
    source = {"path": path, "format": "prompt", "columns": {"prompt": "question"}}
    made = prepared(base, Prompts.model_validate({"sources": [source]})).train[0]
    assert (made.messages[-1]["content"], made.columns) == ("Red?", {"n": 7})


def test_a_leaderboards_question_has_its_tools_in_openais_form(base: Path, tmp_path: Path) -> None:
    typed = {"type": "dict", "properties": {"a": {"type": "float"}, "type": {"type": "any"}}}
    row = {
        "id": "simple_0",
        "question": [[{"role": "user", "content": "Red?"}]],
        "function": [{"name": "hues.red", "description": "Whether.", "parameters": typed}],
    }
    made = one(base, tmp_path, row, "bfcl")
    assert made.messages == ({"role": "user", "content": "Red?"},)
    schema = {"type": "object", "properties": {"a": {"type": "number"}, "type": {}}}
    function = {"name": "hues_red", "description": "Whether.", "parameters": schema}
    assert made.tools == ({"type": "function", "function": function},)
    with pytest.raises(BadRows, match="question: must hold one list of messages, found 2"):
        one(base, tmp_path, row | {"question": [[], []]}, "bfcl")


def test_every_bad_row_is_named(base: Path, tmp_path: Path) -> None:
    rows = [question(0), {"question": "a"}, {"prompt": [{"role": "human", "content": "a"}]}, [1]]
    answered = {"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    path = write_rows(tmp_path / "rows.jsonl", [*rows, answered])
    path.write_text(path.read_text("utf-8") + "{\n", encoding="utf-8")
    with pytest.raises(BadRows) as caught:
        prepared(base, plan(path))
    text = str(caught.value)
    assert text.startswith("5 bad rows\n")
    assert f"{path}:2: prompt: must be a text or a list of messages; the row has question" in text
    assert f"{path}:3: prompt.0.role: must be one of" in text
    assert f"{path}:4: must be an object, found [1]" in text
    assert f"{path}:5: prompt: ends with an assistant's message" in text
    assert f"{path}:6: is not JSON" in text


def test_long_prompts_are_dropped_and_counted(base: Path, tmp_path: Path) -> None:
    long = {"prompt": "red " * 100}
    path = write_rows(tmp_path / "rows.jsonl", [*QUESTIONS, long])
    made = prepared(base, plan(path, max_tokens=40))
    assert made.dropped == {"prompt longer than max_tokens (40)": 1}
    assert (len(made.train), len(made.validation)) == (38, 2)
    with pytest.raises(NothingToLearn, match="0 prompts are left"):
        prepared(base, plan(path, max_tokens=2))


def test_generators_weights_and_empty_sources(base: Path, tmp_path: Path) -> None:
    source = GeneratorSource(generator="tests.training.asking:questions", rows=10, weight=2.0)
    made = prepared(base, Prompts(sources=[source], validation_rows=4), 1)
    assert sorted(Counter(prompt.ids for prompt in made.train).values())[0] >= 2
    assert len(made.train) == 12
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(SourceError, match="holds no rows"):
        prepared(base, plan(tmp_path / "empty.jsonl"))


def test_a_step_asks_the_same_whenever_it_comes() -> None:
    rows = [prompts.Prompt((), (), {"n": n}) for n in range(5)]
    asked = [prompt.columns["n"] for step in range(1, 6) for prompt in prompts.of_step(rows, 3, step, seed=2)]
    for start in range(0, 15, 5):
        assert sorted(asked[start : start + 5]) == [0, 1, 2, 3, 4]  # pass after pass
    assert asked[:5] != asked[5:10]
    assert [prompt.columns["n"] for prompt in prompts.of_step(rows, 3, 4, seed=2)] == asked[9:12]


def test_a_preview_shows_the_prompts(online: Online) -> None:
    rows = list(preview.preview(online("ppo"), 3))
    assert [row.number for row in rows] == [1, 2, 3]
    assert all(row.trained == 0 for row in rows)
    assert "".join(span.text for span in rows[0].spans).endswith("<|im_start|>assistant\n")


def test_a_preview_names_the_row_that_is_no_prompt(online: Online, tmp_path: Path) -> None:
    path = online("ppo")
    source = f"[{{path: {write_rows(tmp_path / 'odd.jsonl', [{'turns': ['Red?']}])}, format: prompt}}]"
    with pytest.raises(BadRows, match=r"odd\.jsonl:1: prompt: must be a text .*; the row has turns"):
        list(preview.preview(path, 1, overrides=[f"data.sources={source}"]))


def test_a_preview_of_prompts_refuses_bad_rows_as_a_run_does(online: Online) -> None:
    with pytest.raises(BadRows, match=r"tiny\.jsonl:2: prompt: must be a text"):
        list(preview.preview(online("grpo", [question(0), {"prompt": 5}]), 1))


def test_prompts_of_a_generator_come_in_parts_as_other_rows_do(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "PART_ROWS", 4)
    source = GeneratorSource(generator="tests.training.asking:questions", rows=10)
    made = prepared(base, Prompts(sources=[source], validation_rows=3), 5)
    parts = [prompts.read(part) for part in sources.parts(source, 5)]
    digests = "\n".join(map(sources.digest, parts))
    assert made.hashes == {source.label: hashlib.sha256(digests.encode()).hexdigest()}
    asked = sorted(prompt.canonical() for rows in parts for prompt in rows)
    assert sorted(prompt.canonical() for prompt in (*made.train, *made.validation)) == asked
