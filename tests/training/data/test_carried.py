"""What a model is to see or learn is read or refused, whatever the format and the field's name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.training.rows import write_rows
from training.building import questions
from training.data.formats import bfcl, conversations, learned, preferences
from training.data.formats.pair import Pair
from training.data.reading import sources
from training.data.row import carried
from training.data.row.fields import FieldError
from training.data.row.form import Form
from training.errors import BadRows
from training.online import prompts
from training.recipe import FileSource, PromptFile
from training.routing.rows import FORM as INTENTS

BLUE = [{"from": "human", "value": "red?"}, {"from": "gpt", "value": "blue"}]
MESSAGES = [{"role": "user", "content": "red?"}, {"role": "assistant", "content": "blue"}]
ANSWERS = {"chosen": BLUE[1], "rejected": {"from": "gpt", "value": "green"}}
QUESTION = {"question": [[MESSAGES[0]]], "function": []}
TOOL = {"name": "mix", "parameters": {"type": "object"}}
ROWS: list[tuple[str, Mapping[str, Form[Any]], str, dict[str, Any]]] = [
    ("sft", conversations.FORMS, "messages", {"messages": MESSAGES}),
    ("sft", conversations.FORMS, "prompt_completion", {"prompt": "red?", "completion": "blue"}),
    ("sft", conversations.FORMS, "alpaca", {"instruction": "red?", "output": "blue"}),
    ("sft", conversations.FORMS, "sharegpt", {"conversations": BLUE}),
    ("dpo", preferences.FORMS, "pairs", {"prompt": "red?", "chosen": "blue", "rejected": "green"}),
    ("dpo", preferences.FORMS, "alpaca", {"instruction": "red?", "output": ["blue", "green"]}),
    ("dpo", preferences.FORMS, "sharegpt", {"conversations": BLUE[:1], **ANSWERS}),
    ("kto", preferences.FORMS, "labels", {"prompt": "red?", "completion": "blue", "label": True}),
    ("kto of messages", preferences.FORMS, "labels", {"messages": MESSAGES, "label": True}),
    ("kto of sharegpt", preferences.FORMS, "labels", {"conversations": BLUE, "label": True}),
    ("kto of alpaca", preferences.FORMS, "labels", {"instruction": "red?", "output": "blue", "label": True}),
    ("ppo", prompts.FORMS, "prompt", {"prompt": "red?"}),
    ("ppo", prompts.FORMS, "messages", {"messages": MESSAGES}),
    ("ppo", prompts.FORMS, "alpaca", {"instruction": "red?", "output": "blue"}),
    ("ppo", prompts.FORMS, "bfcl", QUESTION),
    ("evaluation", {"bfcl": bfcl.FORM}, "bfcl", QUESTION),
    ("building", questions.FORMS, "expect", {"prompt": "red?", "expect": {"number": 1}}),
    ("building", questions.FORMS, "gsm8k", {"question": "red?", "answer": "#### 1"}),
]
IDS = [f"{stage}, {name}" for stage, _, name, _ in ROWS]
GIVEN: dict[str, Any] = {"history": [["a", "b"]], "chat_template_kwargs": {"enable_thinking": False}}


@pytest.mark.parametrize(("stage", "forms", "name", "row"), ROWS, ids=IDS)
def test_every_format_reads_or_refuses_what_a_model_is_to_see(
    stage: str, forms: Mapping[str, Form[Any]], name: str, row: dict[str, Any]
) -> None:
    form = forms[name]
    for ours, others in carried.SEEN.items():
        for key in (ours, *others):
            if stage == "ppo" and key in form.fields and key in carried.THOUGHT:
                continue  # of the answer, which a policy writes itself
            odd = {**row, key: GIVEN.get(key, [TOOL] if ours == "tools" else f"what is in {key}")}
            said = told(form, odd)
            assert said in ("", f"{key}: would be left out")
            assert said or form(odd).canonical() != form(row).canonical(), key


def told(form: Form[Any], row: dict[str, Any]) -> str:
    """What is said of ``row``, its beginning; "" where it is read."""
    try:
        form(row)
    except FieldError as exc:
        return f"{exc.field}: {exc.problem[:17]}"
    return ""


@pytest.mark.parametrize(("stage", "forms", "name", "row"), ROWS, ids=IDS)
def test_what_is_empty_or_about_a_row_stands_in_no_ones_way(
    stage: str, forms: Mapping[str, Form[Any]], name: str, row: dict[str, Any]
) -> None:
    if name == "prompt":  # whose other fields the rewards are given
        return
    plain = forms[name](row)
    empty: dict[str, Any] = {
        "system_prompt": None,
        "functions": "[]",
        "context": " ",
        "history": [],
        "thinking": "",
    }
    about = {"id": 7, "source": "books", "category": "colours", "score": 0.5, "language": "en"}
    assert forms[name]({**row, **empty, **about}).canonical() == plain.canonical()


@pytest.mark.parametrize("name", ["messages", "prompt_completion", "sharegpt", "alpaca"])
def test_a_system_prompt_of_its_own_opens_a_conversation(name: str) -> None:
    row = next(row for stage, _, form, row in ROWS if (stage, form) == ("sft", name))
    read = conversations.FORMS[name]({**row, "system": "Be brief."})
    assert [(turn["role"], turn["content"]) for turn in read.messages] == [
        ("system", "Be brief."),
        ("user", "red?"),
        ("assistant", "blue"),
    ]
    assert read.prompt == (2 if name == "prompt_completion" else 0)


def test_a_system_prompt_opens_the_prompt_of_pairs_labels_and_policies() -> None:
    opening = {"role": "system", "content": "Be brief."}
    for stage, forms, name, row in ROWS:
        if stage in ("sft", "evaluation", "building") or name == "bfcl":
            continue
        read = forms[name]({**row, "system": "Be brief."})
        turns = read.messages if isinstance(read, prompts.Prompt) else read.prompt
        assert turns == (opening, {"role": "user", "content": "red?"}), (stage, name)
        assert not getattr(read, "columns", {}).keys() & {"system"}


def test_two_system_prompts_of_a_row_are_told_and_one_given_twice_is_one() -> None:
    opening = {"role": "system", "content": "Be brief."}
    turns = [{"from": "system", "value": "Be brief."}, *BLUE]
    rows: list[tuple[str, dict[str, Any]]] = [
        ("messages", {"messages": [opening, *MESSAGES]}),
        ("messages", {"messages": [{**opening, "role": "developer"}, *MESSAGES]}),
        ("sharegpt", {"conversations": turns}),
        ("prompt_completion", {"prompt": [opening, MESSAGES[0]], "completion": "blue"}),
    ]
    for name, row in rows:
        assert len(conversations.FORMS[name]({**row, "system": "Be brief."}).messages) == 3
        with pytest.raises(FieldError, match="is another system prompt than the first turn is; give one of"):
            conversations.FORMS[name]({**row, "system": "Be long."})


def read(path: Path, form: str, **called: str) -> list[Any]:
    return learned.read(
        sources.parts(FileSource.model_validate({"path": path, "format": form, "columns": called}), 0)[0],
        "sft",
    )


@pytest.mark.parametrize(
    ("name", "row", "line"),
    [
        (
            "alpaca",
            {"system_prompt": "Be.", "question": "red?", "response": "blue"},
            "system: system_prompt}",
        ),
        ("sharegpt", {"conversations": BLUE, "system_prompt": "Be."}, "{system: system_prompt}"),
        ("messages", {"messages": MESSAGES, "functions": [TOOL]}, "{tools: functions}"),
        ("messages", {"messages": MESSAGES, "System": "Be."}, "{system: System}"),
    ],
)
def test_the_line_that_an_error_gives_reads_the_field(
    tmp_path: Path, name: str, row: dict[str, Any], line: str
) -> None:
    """As of OpenOrca's rows, OpenHermes's, and those of OpenAI's old functions."""
    path = write_rows(tmp_path / "rows.jsonl", [row])
    with pytest.raises(BadRows) as caught:
        read(path, name)
    assert line in str(caught.value)
    given = str(caught.value).split("`columns: {")[1].split("}")[0]
    (found,) = read(path, name, **dict(pair.split(": ") for pair in given.split(", ")))
    assert found.tools or found.messages[0] == {"role": "system", "content": "Be."}


def test_intels_pairs_are_read_with_their_system_prompt(tmp_path: Path) -> None:
    rows = [{"system": "Be brief.", "question": "red?", "chosen": "blue", "rejected": "green"}]
    source = FileSource(
        path=write_rows(tmp_path / "rows.jsonl", rows), format="pairs", columns={"prompt": "question"}
    )
    (pair,) = preferences.read(sources.parts(source, 0)[0])
    assert isinstance(pair, Pair)
    assert [turn["content"] for turn in pair.prompt] == ["Be brief.", "red?"]


def test_a_prompts_field_may_be_given_to_the_rewards_alone(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", [{"prompt": "red?", "context": "a wheel"}, {"prompt": "hot?"}])

    def ask(**columns: str) -> list[prompts.Prompt]:
        source = PromptFile.model_validate({"path": path, "format": "prompt", "columns": columns})
        return prompts.read(sources.parts(source, 0)[0])

    with pytest.raises(BadRows, match=r"context: would be left out.*`columns: \{my_context: context\}`"):
        ask()
    write_rows(path, [{"prompt": "red?", "context": "a wheel"}])
    assert ask(my_context="context")[0].columns == {"my_context": "a wheel"}
    write_rows(path, [{"prompt": "red?", "rules": "Be brief."}, {"prompt": "hot?"}])
    assert [len(prompt.messages) for prompt in ask(system="rules")] == [2, 1]


def test_what_stands_beside_a_text_alone_is_about_it() -> None:
    row = {"text": "red", "system": "Be.", "context": "a wheel"}
    assert conversations.FORMS["text"](row).text == "red"
    assert INTENTS({**row, "intent": "colour"}).text == "red"


@pytest.mark.parametrize("key", ["tool_calls", "function_call", "images", "train_detail"])
def test_a_turn_of_sharegpt_is_not_read_by_half(key: str) -> None:
    turns = [BLUE[0], {**BLUE[1], key: [{"name": "mix"}]}]
    with pytest.raises(FieldError, match="would be left out") as caught:
        conversations.sharegpt({"conversations": turns})
    assert caught.value.field == f"conversations.1.{key}"


def test_marks_of_turns_must_agree_and_be_of_an_assistant() -> None:
    with pytest.raises(FieldError, match="says otherwise than loss beside it") as caught:
        conversations.messages({"messages": [MESSAGES[0], {**MESSAGES[1], "loss": False, "train": True}]})
    assert caught.value.field == "messages.1.train"
    with pytest.raises(FieldError, match="only what an assistant says is") as caught:
        conversations.sharegpt({"conversations": [{**BLUE[0], "loss": True}, BLUE[1]]})
    assert caught.value.field == "conversations.0.loss"
    turns = [{**BLUE[0], "loss": None}, {**BLUE[1], "loss": True, "weight": 1}]
    assert conversations.sharegpt({"conversations": turns}).messages[1]["weight"] == 1
