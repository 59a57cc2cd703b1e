"""What a file calls the keys and speakers of its turns, as LLaMA-Factory's dataset_info says it by tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.rows import TOOL, write_rows
from training.data.formats import learned, preferences
from training.data.formats.pair import Labelled, Pair
from training.data.reading import sources
from training.errors import BadRows, SourceError
from training.online import prompts
from training.recipe import FileSource, PromptFile

TAGS = {
    "role_tag": "speaker",
    "content_tag": "text",
    "user_tag": "customer",
    "assistant_tag": "bot",
    "observation_tag": "result",
    "function_tag": "call",
    "system_tag": "rules",
}


def part(folder: Path, row: dict[str, Any], form: str, called: dict[str, str]) -> sources.Part:
    path = write_rows(folder / "rows.jsonl", [row])
    kind = PromptFile if form == "prompts" else FileSource
    form = "sharegpt" if form == "prompts" else form
    (found,) = sources.parts(kind.model_validate({"path": path, "format": form, "columns": called}), 0)
    return found


def read(folder: Path, row: dict[str, Any], **called: str) -> Any:
    (found,) = learned.read(part(folder, row, "sharegpt", called), "sft")
    return found


def turn(speaker: str, text: str) -> dict[str, str]:
    return {"speaker": speaker, "text": text}


def test_every_tag_is_read(tmp_path: Path) -> None:
    called = '{"name": "track", "arguments": {"id": "PX1"}}'
    row = {
        "chat": [
            turn("rules", "Help."),
            turn("customer", "Where?"),
            turn("call", called),
            turn("result", "Brno"),
            turn("bot", "In Brno."),
        ],
        "functions": [TOOL],
    }
    found = read(tmp_path, row, conversations="chat", tools="functions", **TAGS)
    plain = [
        {"from": "system", "value": "Help."},
        {"from": "human", "value": "Where?"},
        {"from": "function_call", "value": called},
        {"from": "observation", "value": "Brno"},
        {"from": "gpt", "value": "In Brno."},
    ]
    assert found == read(tmp_path, {"conversations": plain, "tools": [TOOL]})
    assert [said["role"] for said in found.messages] == ["system", "user", "assistant", "tool", "assistant"]


def test_speakers_alone_may_have_tags(tmp_path: Path) -> None:
    """As where LLaMA-Factory's tags change places, so that the other side is learned."""
    row = {"conversations": [{"from": "gpt", "value": "red?"}, {"from": "human", "value": "blue"}]}
    found = read(tmp_path, row, user_tag="gpt", assistant_tag="human")
    assert [said["role"] for said in found.messages] == ["user", "assistant"]
    other = {"conversations": [{"role": "user", "content": "red?"}, {"role": "bing", "content": "blue"}]}
    assert read(tmp_path, other, assistant_tag="bing") == found


def test_turns_in_openais_form_keep_their_calls(tmp_path: Path) -> None:
    call = {"type": "function", "function": {"name": "track", "arguments": {"id": "PX1"}}}
    turns = [{"role": "customer", "content": "Where?"}, {"role": "bot", "content": "", "tool_calls": [call]}]
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "customer", "assistant_tag": "bot"}
    found = read(tmp_path, {"messages": turns}, conversations="messages", **tags)
    assert found.messages[1]["tool_calls"] == [call]


def test_preferences_labels_and_prompts_have_the_same_tags(tmp_path: Path) -> None:
    asked = [turn("customer", "red?")]
    ranked = {"conversations": asked, "chosen": turn("bot", "blue"), "rejected": turn("bot", "green")}
    (pair,) = preferences.read(part(tmp_path, ranked, "sharegpt", TAGS))
    assert isinstance(pair, Pair)
    assert (pair.chosen["content"], pair.rejected["content"]) == ("blue", "green")
    row = {"conversations": [*asked, turn("bot", "blue")], "label": True}
    (labelled,) = preferences.read(part(tmp_path, row, "labels", TAGS))
    assert isinstance(labelled, Labelled)
    assert labelled.completion["content"] == "blue"
    (prompt,) = prompts.read(part(tmp_path, row, "prompts", TAGS))
    assert [said["role"] for said in prompt.messages] == ["user"]
    assert prompt.columns == {"answer": "blue"}


@pytest.mark.parametrize(
    ("row", "called", "told"),
    [
        (
            {"conversations": [{"from": "human", "value": "red?"}]},
            {"role_tag": "speaker"},
            r"rows\.jsonl:1: conversations\.0: the turn has no speaker, where its speaker",
        ),
        (
            {"conversations": [turn("customer", "red?"), turn("bing", "blue")]},
            {key: TAGS[key] for key in ("role_tag", "content_tag", "user_tag")},
            r"conversations\.1\.from: .*found 'bing'; .*`columns: \{assistant_tag: bing\}` if it is the",
        ),
        (
            {"conversations": ["red?"]},
            TAGS,
            r"conversations\.0\.from: must be one of .*, and the turn is 'red",
        ),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path, row: dict[str, Any], called: dict[str, str], told: str
) -> None:
    with pytest.raises(BadRows, match=told):
        read(tmp_path, row, **called)


@pytest.mark.parametrize(
    ("form", "called", "told"),
    [
        ("messages", {"role_tag": "speaker"}, r"messages has no field role_tag\. It has messages, "),
        ("sharegpt", {"role": "speaker"}, r"role \(you may mean role_tag\)\. It has .*, assistant_tag, "),
        ("sharegpt", {"user_tag": "a", "assistant_tag": "a"}, "columns: two tags name 'a', so nobody"),
        ("sharegpt", {"role_tag": "a", "content_tag": "a"}, "columns: two tags name 'a', so nobody"),
    ],
)
def test_tags_that_say_nothing_are_refused(
    tmp_path: Path, form: str, called: dict[str, str], told: str
) -> None:
    with pytest.raises(SourceError, match=told):
        learned.read(part(tmp_path, {"conversations": []}, form, called), "sft")
