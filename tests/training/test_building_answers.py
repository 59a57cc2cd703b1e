"""What a teacher says becomes a row, or is not kept for a reason that is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.pointsman.canned import Reply
from tests.training.building import ASKED, SUM, Building
from tests.training.rows import TOOL
from tests.training.serving import message
from training.building.build import Yield
from training.data.formats import learned
from training.data.formats.conversations import FORMS
from training.data.reading import sources
from training.data.rendering import render
from training.errors import EndpointError
from training.recipe import FileSource


def acting(
    call: dict[str, Any], answer: str = "It is in Brno."
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A teacher that makes one call and then answers."""
    return lambda body: message(answer) if body["messages"][-1]["role"] == "tool" else call


def test_a_react_row_is_what_sft_loads(building: Building, tokenizer: Any) -> None:
    chat = acting(message("I look it up.", ("track", '{"id": "PX1"}')))
    more: dict[str, Any] = {
        "tools": ["track"],
        "system": "Help.",
        "teacher": {"guidance": "Call a tool.", "max_tokens": 99},
    }
    found = building([ASKED], chat, **more)
    assert found == Yield(questions=1, rows=1, tries=1, reasons={"kept": 1}, duplicates=0)
    [row] = building.rows
    assert [turn["role"] for turn in row["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert row["messages"][0]["content"] == "Help."  # what only the teacher is told is not in it
    assert row["messages"][2]["content"] == "I look it up."
    assert row["messages"][2]["tool_calls"][0]["function"]["arguments"] == {"id": "PX1"}
    assert row["messages"][3]["content"] == '{"at": "Brno"}'
    assert row["tools"] == [TOOL]

    first, second = building.asked
    assert first["messages"][0]["content"] == "Help.\n\nCall a tool."
    assert first["max_tokens"] == 99
    assert second["messages"][-1]["tool_call_id"] == second["messages"][-2]["tool_calls"][0]["id"]

    source = FileSource(path=building.folder / "built" / "rows.jsonl", format="messages")
    [loaded] = learned.read(sources.Part(source, 0, 0, None), "sft")
    ids, mask = render.tokens(tokenizer, loaded, "sft")
    trained = tokenizer.decode([token for token, one in zip(ids, mask, strict=True) if one])
    assert trained.startswith("I look it up.\n<tool_call>")
    assert trained.endswith("It is in Brno.<|im_end|>")


@pytest.mark.parametrize(
    "said",
    [
        message("<think>\n30 + 20, 4 + 8\n</think>\n\n34 + 28 = 62"),
        {
            "choices": [
                {
                    "message": {"content": "34 + 28 = 62", "reasoning_content": "30 + 20, 4 + 8"},
                    "finish_reason": "stop",
                }
            ]
        },
    ],
)
def test_a_chain_of_thought_is_kept_in_its_tags(building: Building, said: dict[str, Any]) -> None:
    assert building([SUM], said).rows == 1
    [row] = building.rows
    assert row["messages"][-1]["content"] == "<think>\n30 + 20, 4 + 8\n</think>\n\n34 + 28 = 62"
    assert "tools" not in row
    FORMS["messages"](row)


def thinking(answer: dict[str, Any], thought: str) -> dict[str, Any]:
    """``answer`` with its thought in a field of its own, as vLLM's parsers and DeepSeek give it."""
    answer["choices"][0]["message"]["reasoning_content"] = thought
    return answer


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (
            message("<think>PX1 is asked for.</think>\nI look.", ("track", '{"id": "PX1"}')),
            message("<think>It says Brno.</think>In Brno."),
        ),
        (  # the template opened the thought
            message("PX1 is asked for.</think>I look.", ("track", '{"id": "PX1"}')),
            message("It says Brno.</think>In Brno."),
        ),
        (
            thinking(message("I look.", ("track", '{"id": "PX1"}')), "PX1 is asked for."),
            thinking(message("In Brno."), "It says Brno."),
        ),
    ],
)
def test_a_thought_in_a_react_row_is_kept_in_its_tags_and_no_answer(
    building: Building, call: dict[str, Any], answer: dict[str, Any]
) -> None:
    asked = ASKED | {"expect": ASKED["expect"] | {"equals": "In Brno."}}  # type: ignore[operator]
    chat: Reply = lambda body: answer if body["messages"][-1]["role"] == "tool" else call  # noqa: E731
    assert building([asked], chat, tools=["track"]).reasons == {"kept": 1}
    [row] = building.rows
    said = [turn["content"] for turn in row["messages"] if turn["role"] == "assistant"]
    assert said == [
        "<think>\nPX1 is asked for.\n</think>\n\nI look.",
        "<think>\nIt says Brno.\n</think>\n\nIn Brno.",
    ]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (message("<think>It says Brno.</think>No idea."), "wrong final answer"),
        (message("<think>It says Brno."), "no final answer"),  # a thought that never ends
        (thinking(message(""), "It says Brno."), "no final answer"),
    ],
)
def test_what_the_teacher_only_thinks_is_no_answer(
    building: Building, said: dict[str, Any], outcome: str
) -> None:
    asked = {"prompt": "Where is PX1?", "expect": {"contains": ["Brno"]}}
    assert building([asked], said, tools=["track"]).reasons == {outcome: 1}


def test_an_answer_in_parts_is_their_text(building: Building) -> None:
    answer = message("")
    parts = [{"type": "text", "text": "In "}, {"type": "text", "text": "Brno."}]
    answer["choices"][0]["message"]["content"] = parts
    asked = {"prompt": "Where is PX1?", "expect": {"equals": "In Brno."}}
    assert building([asked], answer, tools=["track"]).rows == 1
    assert building.rows[0]["messages"][-1]["content"] == "In Brno."


def test_an_answer_of_parts_that_are_no_text_is_a_fault_of_the_server(building: Building) -> None:
    answer = message("")
    answer["choices"][0]["message"]["content"] = [{"type": "image_url"}]
    with pytest.raises(EndpointError, match=r"a content that is no text: \{'type': 'image_url'\}"):
        building([ASKED], answer, tools=["track"])


@pytest.mark.parametrize("calls", ["hello", ["hello"], [{"function": "hello"}], {"id": "c0"}])
def test_calls_of_odd_form_end_no_build(building: Building, calls: Any) -> None:
    answer = message("")
    answer["choices"][0]["message"]["tool_calls"] = calls
    assert building([ASKED], answer, tools=["track"]).reasons == {"call of bad form": 1}


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (message("34 + 28 = 62"), "no reasoning"),
        (message("<think>so</think> 34 + 28 = 63"), "wrong final answer"),
        (message("<think>so</think>"), "no final answer"),
        (message("<think>so</think> 62", finish="length"), "cut at teacher.max_tokens"),
        ({"error": {"message": "no", "code": 400}}, "refused by the teacher's server"),
    ],
)
def test_a_thought_that_is_not_kept(building: Building, said: Reply, outcome: str) -> None:
    assert building([SUM], said).reasons == {outcome: 1}
    assert building.rows == []


@pytest.mark.parametrize(
    ("chat", "outcome"),
    [
        (message("It is in Brno."), "wrong tool"),
        (acting(message("", ("track", '{"id": "PX2"}'))), "wrong arguments"),
        (acting(message("", ("track", '{"id": "PX1"}'), ("track", '{"id": "PX1"}'))), "wrong tool"),
        (acting(message("", ("track", '{"id"'))), "call of bad form"),
        (acting(message("", ("find", "{}"))), "call of bad form"),
        (acting(message("", ("track", '{"id": "PX0"}'))), "a tool failed"),
        (acting(message("", ("track", '{"id": "PX1"}')), ""), "no final answer"),
        (message("", ("track", '{"id": "PX1"}')), "more than max_steps"),
        (message("", ("track", '{"id": "PX1"}'), finish="length"), "cut at teacher.max_tokens"),
    ],
)
def test_a_conversation_that_is_not_kept(building: Building, chat: Reply, outcome: str) -> None:
    assert building([ASKED], chat, tools=["track"], max_steps=3).reasons == {outcome: 1}
    assert building.rows == []
    report = json.loads((building.folder / "built" / "report.json").read_text("utf-8"))
    assert report["outcomes"] == {outcome: 1}
