"""Conversations in one text, as BELLE's and hh-rlhf's files have them, are read as their turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import Recipe
from training import run
from training.data.formats import conversations, preferences, transcripts
from training.data.formats.pair import Pair, Unpaired
from training.data.row.fields import FieldError
from training.online import prompts


def turns(*said: str) -> tuple[dict[str, Any], ...]:
    """Messages of user and assistant in turn."""
    return tuple({"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said))


def test_full_width_colons_part_turns_too() -> None:
    row = conversations.alpaca(
        {"instruction": "Human：你好\nAssistant：你好！\nHuman：？\nAssistant：", "output": "好"}
    )
    assert row.messages == turns("你好", "你好！", "？", "好")


def test_what_a_human_says_last_is_the_question() -> None:
    """Where a file leaves out the last Assistant:, as some of BELLE's rows do."""
    row = conversations.alpaca({"instruction": "Human: a\nAssistant: b\nHuman: c\n", "output": "d"})
    assert row.messages == turns("a", "b", "c", "d")


@pytest.mark.parametrize("end", ["", "\nAssistant:"])
def test_the_input_of_a_conversation_belongs_to_its_last_question(end: str) -> None:
    instruction = f"Human: a\nAssistant: b\nHuman: add{end}"
    row = conversations.alpaca({"instruction": instruction, "input": "1 2", "output": "3"})
    assert row.messages == turns("a", "b", "add\n1 2", "3")
    row = conversations.alpaca({"instruction": "", "input": instruction, "output": "3"})
    assert row.messages == turns("a", "b", "add", "3")


GOOD, BAD = turns("", "So.")[1], turns("", "No!")[1]


TEXT = "\n\nHuman: red?\n\nAssistant: Blue.\n\nReally.\n\nHuman: why?\n\nAssistant:"


@pytest.mark.parametrize(
    "row",
    [
        {"chosen": f"{TEXT} So.", "rejected": f"{TEXT} No!"},
        {"prompt": TEXT, "chosen": " So.", "rejected": " No!"},
        {"prompt": TEXT, "chosen": f"{TEXT} So.", "rejected": f"{TEXT} No!"},
    ],
)
def test_hh_rlhfs_texts_are_pairs_of_conversations(row: dict[str, Any]) -> None:
    prompt = turns("red?", "Blue.\n\nReally.", "why?")
    assert preferences.pairs(row) == Pair(prompt, GOOD, BAD)


def test_a_transcript_is_a_prompt_of_labels_and_of_policies() -> None:
    prompt = turns("red?", "Blue.\n\nReally.", "why?")
    labelled = preferences.labels({"prompt": TEXT, "completion": " So.", "label": True})
    assert (labelled.prompt, labelled.completion) == (prompt, GOOD)
    assert prompts.FORMS["prompt"]({"prompt": TEXT}).messages == prompt


def test_answers_that_hold_a_dialogue_are_answers() -> None:
    dialogue = "Human: a\nAssistant: b"
    row = preferences.pairs({"prompt": "Write one.", "chosen": dialogue, "rejected": " no"})
    assert isinstance(row, Pair)
    assert (row.chosen["content"], row.rejected["content"]) == (dialogue, " no")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"rejected": f"{TEXT.replace('Blue', 'Green')} So."}, "chosen and rejected follow other turns"),
        ({"rejected": f"{TEXT} "}, "chosen or rejected holds no answer"),
        ({"rejected": f"{TEXT} So.\n\nHuman: and?"}, "chosen and rejected follow other turns"),
        ({"rejected": "\n\nHuman: one"}, "chosen or rejected holds no answer"),
        ({"rejected": ""}, "chosen or rejected holds no answer"),
        ({"chosen": "Human: one", "rejected": "Human: one"}, "chosen or rejected holds no answer"),
        ({"chosen": "", "rejected": " "}, "chosen or rejected holds no answer"),
        ({"prompt": TEXT, "chosen": " So.", "rejected": " "}, "chosen or rejected holds no answer"),
    ],
)
def test_transcripts_that_are_no_pair_are_dropped(row: dict[str, Any], why: str) -> None:
    assert preferences.pairs({"chosen": f"{TEXT} So.", **row}) == Unpaired(why)


def test_a_name_that_stands_twice_is_not_learned() -> None:
    """As in hh-rlhf, behind a blank line; on the next line it may be part of what is said."""
    twice = f"{TEXT} Well.\n\nAssistant:"
    found = preferences.pairs({"chosen": f"{twice} So.", "rejected": f"{twice} No!\n\nAssistant: Ever."})
    assert isinstance(found, Pair)
    assert found.prompt == turns("red?", "Blue.\n\nReally.", "why?")
    assert [found.chosen["content"], found.rejected["content"]] == ["Well.\n\nSo.", "Well.\n\nNo!\n\nEver."]
    kept = "Write:\nHuman: one"
    asked = transcripts.spoken(f"\n\nHuman: {kept}\n\nHuman: Please.\n\nAssistant: No.")
    assert asked == list(turns(f"{kept}\n\nPlease.", "No."))


def test_what_is_dropped_is_counted(recipe: Recipe, tmp_path: Path) -> None:
    whole = [{"chosen": f"{TEXT} So {i}.", "rejected": f"{TEXT} No!"} for i in range(8)]
    told: list[str] = []
    run.train(
        recipe([*whole, {"chosen": f"{TEXT}", "rejected": f"{TEXT} No!"}], stage="dpo", form="pairs"),
        runs=tmp_path,
        report=told.append,
    )
    assert "dropped 1 rows: chosen or rejected holds no answer" in told


def test_a_conversation_in_an_instruction_is_read_as_turns() -> None:
    """As in BELLE's files of many turns; Alpaca-CoT's have the single question in the same form."""
    instruction = (
        "Human:你好\nAssistant: 你好！\n\nHuman: List them:\nHuman: one\nAssistant:\nHuman:And?\nAssistant:"
    )
    row = conversations.alpaca({"instruction": instruction, "input": "", "output": "Two."})
    assert [(message["role"], message["content"]) for message in row.messages] == [
        ("user", "你好"),
        ("assistant", "你好！"),
        ("user", "List them:\nHuman: one"),
        ("assistant", ""),
        ("user", "And?"),
        ("assistant", "Two."),
    ]
    for one in ("Human: red?\nAssistant:", "Human: red?\n\nAssistant: "):
        asked = conversations.alpaca({"instruction": one, "output": "blue", "system": "Help."}).messages
        assert [message["content"] for message in asked] == ["Help.", "red?", "blue"]
    ranked = preferences.alpaca({"instruction": instruction, "chosen": "a", "rejected": "b"})
    assert [turn["role"] for turn in ranked.prompt] == ["user", "assistant"] * 2 + ["user"]


@pytest.mark.parametrize(
    "instruction",
    [
        "Who is Human: or Assistant:",
        "Human: red?\nAssistant: blue",
        "Say it.\nHuman: red?\nAssistant:",
        "Human:",
    ],
)
def test_an_instruction_that_only_speaks_of_turns_is_one(instruction: str) -> None:
    row = conversations.alpaca({"instruction": instruction, "output": "blue"})
    assert [message["content"] for message in row.messages] == [instruction, "blue"]


def test_a_conversation_in_an_instruction_that_has_no_last_question_is_told() -> None:
    with pytest.raises(FieldError, match="in front of that last line the assistant speaks already"):
        conversations.alpaca({"instruction": "Human: a\nAssistant: b\nAssistant:", "output": "c"})
