"""TRL's prompts with a completion: read in each of its forms, and learned in the completion alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import Recipe
from tests.training.data.test_render import END, START, pieces, unmarked
from tests.training.rows import CONVERSATIONS, TOOL, TOOL_USE, read, said, write_rows
from tests.training.test_run import quiet
from training import run
from training.data.formats import conversations, learned
from training.data.formats.learned import Stage
from training.data.rendering import render
from training.data.row.fields import FieldError
from training.errors import BadRows, SourceError
from training.preflight import check

BEFORE = [*said("late?", "early")["messages"], {"role": "user", "content": "red?"}]
BLUE = {"role": "assistant", "content": "blue 7"}
FORMS: dict[str, dict[str, Any]] = {
    "plain": {"prompt": "red?", "completion": "blue 7"},
    "messages": {"prompt": [{"role": "user", "content": "red?"}], "completion": [BLUE]},
    "one message each": {"prompt": {"role": "user", "content": "red?"}, "completion": BLUE},
    "a transcript": {"prompt": "Human: red?\n\nAssistant:", "completion": " blue 7"},
}


def learned_by(tokenizer: Any, row: dict[str, Any], stage: Stage = "sft") -> str:
    ids, mask = render.tokens(tokenizer, conversations.prompt_completion(row), stage)
    return str(tokenizer.decode([token for token, trained in zip(ids, mask, strict=True) if trained]))


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_the_same_conversation(tokenizer: Any, form: str) -> None:
    row = conversations.prompt_completion(FORMS[form])
    assert row.messages == conversations.messages(said("red?", "blue 7")).messages
    assert render.tokens(tokenizer, row, "sft") == pieces(
        tokenizer,
        (f"{START}user\nred?{END}\n{START}assistant\n", 0),
        (f"blue 7{END}", 1),
        ("\n", 0),
    )


def test_what_the_assistant_said_in_the_prompt_is_not_learned(tokenizer: Any) -> None:
    row = {"prompt": BEFORE, "completion": [BLUE]}
    assert learned_by(tokenizer, row) == f"blue 7{END}"
    assert learned_by(unmarked(tokenizer), row) == f"blue 7{END}"
    whole = {"messages": [*BEFORE, BLUE]}
    ids, _ = render.tokens(tokenizer, conversations.messages(whole), "sft")
    read = conversations.prompt_completion(row)
    assert render.tokens(tokenizer, read, "sft")[0] == ids
    of_cpt = render.tokens(tokenizer, conversations.messages(whole), "cpt")
    assert render.tokens(tokenizer, read, "cpt") == of_cpt  # which learns all


def test_a_completion_may_be_several_turns(tokenizer: Any) -> None:
    turns = TOOL_USE["messages"]
    row = {"prompt": [*BEFORE[:2], *turns[1:2]], "completion": turns[2:], "tools": [TOOL]}
    expected = (
        f'<tool_call>\n{{"name": "track", "arguments": {{"id": "PX1"}}}}\n</tool_call>{END}'
        f"<think>\nBrno\n</think>\n\nIn Brno.{END}"
    )
    assert learned_by(tokenizer, row) == expected
    assert learned_by(unmarked(tokenizer), row) == expected


def test_an_answer_of_weight_0_is_not_learned_in_cpt_and_the_prompt_is(tokenizer: Any) -> None:
    row = {"prompt": BEFORE, "completion": [{**BLUE, "weight": 0}]}
    assert "early" in learned_by(tokenizer, row, "cpt")
    assert "blue" not in learned_by(tokenizer, row, "cpt")


def test_where_the_prompt_ends_is_part_of_the_datas_hash() -> None:
    row = conversations.prompt_completion({"prompt": BEFORE, "completion": [BLUE]})
    assert row.canonical() != conversations.messages({"messages": [*BEFORE, BLUE]}).canonical()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"prompt": "red?"}, r"completion: must be a text or messages; the row has prompt"),
        ({"prompt": "red?", "completion": []}, r"completion: must be a text or messages; found \[\]$"),
        ({"promt": "red?", "completion": "blue"}, r"prompt: .* Did you misspell 'prompt' as 'promt'\?"),
        ({"completion": "blue"}, r"prompt: must be a text or messages; the row has completion"),
        ({"prompt": [BLUE], "completion": "red"}, "prompt: must end before the assistant's turn"),
        (
            {"prompt": "red?", "completion": BEFORE},
            r"completion\.0: must be what an assistant says, found the role 'user'",
        ),
        ({"prompt": "red?", "completion": " "}, "completion: says nothing"),
        (
            {"prompt": "red?", "completion": [BLUE, {"role": "assistant", "content": ""}]},
            r"completion\.1: says",
        ),
        ({"prompt": [{"role": "bot"}], "completion": "x"}, r"prompt\.0\.role: must be one of"),
    ],
)
def test_the_field_of_a_bad_row_is_named(tmp_path: Path, row: dict[str, Any], told: str) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [row])
    with pytest.raises(BadRows, match=rf"rows\.jsonl:1: {told}"):
        read(path, "prompt_completion")


def test_a_silent_answer_in_the_prompt_is_none_that_is_learned(tmp_path: Path) -> None:
    silent = [{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}]
    path = write_rows(tmp_path / "rows.jsonl", [{"prompt": [*silent, *BEFORE[-1:]], "completion": "blue"}])
    assert len(read(path, "prompt_completion")) == 1


def test_the_format_is_told_where_another_is_given(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [FORMS["messages"]])
    for form in ("messages", "alpaca", "sharegpt"):
        with pytest.raises(BadRows, match="Rows of prompt and completion are `format: prompt_completion`"):
            read(path, form)


def test_columns_name_its_fields(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"question": "red?", "answer": "blue"}])
    with pytest.raises(BadRows, match=r"`columns: \{prompt: question, completion: answer\}`"):
        read(path, "prompt_completion")
    with pytest.raises(SourceError, match=r"has no field response \(you may mean completion\)"):
        learned.read(source(path, response="answer"), "sft")
    (row,) = learned.read(source(path, prompt="question", completion="answer"), "sft")
    assert row.messages[-1]["content"] == "blue"


def source(path: Path, **called: str) -> Any:
    from training.data.reading import sources
    from training.recipe import FileSource

    return sources.parts(FileSource(path=path, format="prompt_completion", columns=called), 0)[0]


def test_a_run_learns_what_messages_of_one_answer_teach(recipe: Recipe, tmp_path: Path) -> None:
    rows = [
        {"prompt": row["messages"][0]["content"], "completion": row["messages"][1]["content"]}
        for row in CONVERSATIONS
    ]
    by_form = {
        form: run.train(recipe(given, form, form=form), runs=tmp_path, report=quiet)
        for form, given in (("messages", CONVERSATIONS), ("prompt_completion", rows))
    }
    one, other = (made / "adapter_model.safetensors" for made in by_form.values())
    assert one.read_bytes() == other.read_bytes()
    assert check.check(recipe(rows, form="prompt_completion"), [], quiet).rows


def test_a_template_that_renders_answered_prompts_otherwise_is_told(tokenizer: Any) -> None:
    last = "{%- if messages[-1].role == 'assistant' %}{{ 'Answered so far. ' }}{% endif -%}"
    tokenizer.chat_template = last + tokenizer.chat_template
    with pytest.raises(BadRows, match="prompt: the base's chat template renders it otherwise once"):
        learned_by(tokenizer, {"prompt": BEFORE, "completion": [BLUE]})


def test_a_row_is_an_object() -> None:
    with pytest.raises(FieldError, match="must be an object"):
        conversations.FORMS["prompt_completion"](["red?"])


def test_the_last_answer_alone_is_learned_where_a_source_says_so(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"messages": [*BEFORE, BLUE]}, said("red?", "blue 7")])
    from training.data.reading import sources
    from training.recipe import FileSource

    (last,) = sources.parts(FileSource(path=path, format="messages", answers="last"), 0)
    long, short = learned.read(last, "sft")
    assert (long.prompt, short.prompt) == (3, 1)
    assert long == replace(read(path, "messages")[0], prompt=3)


def test_only_sft_chooses_answers(tmp_path: Path) -> None:
    from training.recipe import CptRecipe

    chosen = {"path": "rows.jsonl", "format": "messages", "answers": "last"}
    with pytest.raises(ValueError, match=r"data\.sources\.0\.answers: belongs to the stage sft; remove it"):
        CptRecipe.model_validate(
            {
                "stage": "cpt",
                "name": "a",
                "base": "b",
                "data": {"sources": [chosen]},
                "train": {"learning_rate": 1},
            }
        )
