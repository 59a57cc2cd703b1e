"""What models write in place of the form that ``dialect: written`` asks for, whatever the cuts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.answer import Call
from chains.dialects import NAMELESS, UNREADABLE, Written

ONE = {"type": "object", "properties": {"parcel_id": {"type": "string"}}, "required": ["parcel_id"]}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": ONE}}
    for name in ("track_parcel", "find-it")
]


def read(text: str, cut: int) -> tuple[list[Call], str, str]:
    """The calls of a turn, what it reasons and what it answers."""
    reading = Written().reading({"tools": TOOLS})
    parts = [part for at in range(0, len(text), cut) for part in reading.feed(text[at : at + cut])]
    parts += reading.end()
    texts = ["".join(part.text for part in parts if part.kind == kind) for kind in ("reasoning", "content")]
    return reading.calls([], False), texts[0], texts[1]


def arguments(text: str, cut: int) -> list[tuple[str, Any]]:
    calls, _, content = read(text, cut)
    assert content == ""
    return [(call.name, json.loads(call.arguments)) for call in calls]


BLOB = '{"action": "track_parcel", "action_input": {"parcel_id": "PX1"}}'
SPREAD = '{\n  "action": "track_parcel",\n  "action_input": {\n    "parcel_id": "PX1"\n  }\n}'
CALLED = [
    '<tool_call>\n{"name": "track_parcel", "arguments": {"parcel_id": "PX1"}}\n</tool_call>',
    'I look. <tool_call>{"name": "track_parcel", "arguments": {"parcel_id": "PX1"}}',
    '<tool_call>{"name": "track_parcel", "arguments": {"parcel_id": "PX1"}</tool_call>',
    'Thought: x\n<tool_call>{"arguments": {"parcel_id": "PX1"}, "name": "track_parcel"}</tool_call>\nI wait.',
    f"Action:\n```json\n{BLOB}\n```",
    f"Thought: x\nAction:\n```\n{SPREAD}\n```\nObservation: made up",
    f"Action: {BLOB}",
    f"Action: ```json\n{BLOB}\n```",
    f"**Action:** `{BLOB}`",
    f"```json\n{BLOB}\n```",
    f"Thought: I look.\n\n```{SPREAD}```",
    f"I look.\n{SPREAD}",
    BLOB,
    '{"name": "track_parcel", "parameters": {"parcel_id": "PX1"}}',
    '{"action": "track_parcel", "action_input": "PX1"}',
    '{"thought": "I look", "action": "track_parcel", "action_input": {"parcel_id": "PX1"}}',
    "```json\n{'action': 'track_parcel', 'action_input': {'parcel_id': 'PX1'}}\n```",
    '```\nAction: track_parcel\nAction Input: {"parcel_id": "PX1"}\n```',
    'Action: track_parcel Action Input: {"parcel_id": "PX1"}',
    'Thought: x. Action: `track_parcel`, **Action Input:** {"parcel_id": "PX1"}',
    "行动：track_parcel 行动输入：PX1",
    'Thought: x\nAction: track_parcel Input: {"parcel_id": "PX1"}\nObservation: in Rome',
    '**Thought:** x\n\n**Action:** `track_parcel`\n\n**Action Input:** `{"parcel_id": "PX1"}`',
    "Action: track_parcel\nAction Input:`PX1`",
    'Action: track_parcel\nAction Input: **{"parcel_id": "PX1"}**',
    'Thought: x\nTool: track_parcel\nInput: {"parcel_id": "PX1"}',
    '**Tool**: `track_parcel`\n**Tool Input**: {"parcel_id": "PX1"}',
    "工具：track_parcel\n输入：PX1",
    'Action: track_parcel\nAction Input: {"parcel_id": "PX1"',
    'Action: track_parcel\nAction Input: ```json\n{"parcel_id": "PX1"\n```',
    f"Action:\n```json\n{BLOB[:-2]}\n```",
    "Action: track_parcel\nAction Input: {'parcel_id': 'PX1'",
    "- Thought: x\n- Action: track_parcel\n- Action Input: PX1\n- Observation: in Rome",
    '• Thought: x\n• Action: track_parcel\n• Action Input: {"parcel_id": "PX1"}',
    "  - **Thought:** x\n  - **Action:** `track_parcel`\n  - **Action Input:** `PX1`",
    "Thought: x\n- Action: track_parcel\n- Action Input: PX1",
    "1. Thought: x\n2. Action: track_parcel\n3. Action Input: PX1",
    "1) **Action**: track_parcel\n2) **Action Input**: PX1\n3) **Observation**: in Rome",
    "I look.\n– Action: track_parcel\n– Action Input: PX1",
    '(Action: track_parcel)\n(Action Input: {"parcel_id": "PX1"})',
    'I look.\n(Action: track_parcel, Action Input: {"parcel_id": "PX1"})',
    "Thought: x\n(Action: track_parcel)\n(Action Input: PX1)",
    "(Action: track_parcel(PX1))",
    'Thought: x\nAction: track_parcel\nArguments: {"parcel_id": "PX1"}',
    'Thought: x\nAction: track_parcel\n**Parameters:** {"parcel_id": "PX1"}\nObservation: in Rome',
    "思考：x\n行動：track_parcel\n行動輸入：PX1\n觀察：羅馬",
    'Thought: I look. Final Answer: not yet\nAction: track_parcel\nAction Input: {"parcel_id": "PX1"}',
    "I look. Final Answer: not yet.\n\n- Action: track_parcel\n- Action Input: PX1",
    "Thought: x\nAction: track_parcel\nAction Input: " + json.dumps('{"parcel_id": "PX1"}'),
    'Action: track_parcel\nAction Input: [{"name": "track_parcel", "arguments": {"parcel_id": "PX1"}}]',
    '[{"name": "track_parcel", "arguments": {"parcel_id": "PX1"}}]',
    'Thought: x\nAnswer: I have to look.\nAction: track_parcel\nAction Input: {"parcel_id": "PX1"}',
    'Thought: x Action: track_parcel Action Input: {"parcel_id": "PX1"}',
    'Thought: x, **Action:** `track_parcel`, **Action Input:** `{"parcel_id": "PX1"}` Observation: in Rome',
    'Thought: Action: track_parcel\nAction Input: ```json\n{"parcel_id": "PX1"}\n```',
    'I look it up Action 1: track_parcel Action Input 1: {"parcel_id": "PX1"}',
    '思考：要查，行动：track_parcel，行动输入：{"parcel_id": "PX1"}',
]


@pytest.mark.parametrize("cut", [1, 4, 1_000])
@pytest.mark.parametrize("text", CALLED)
def test_a_call_in_another_form_is_read_as_it_was_meant(text: str, cut: int) -> None:
    assert arguments(text, cut) == [("track_parcel", {"parcel_id": "PX1"})]


@pytest.mark.parametrize("cut", [1, 1_000])
@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "track_parcel", "arguments": {"parcel_id": "PX1"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "find-it", "arguments": {"parcel_id": "PX2"}}\n</tool_call>',
        f'{BLOB}\n{{"action": "find-it", "action_input": "PX2"}}',
        "Tool: track_parcel\nInput: PX1\nTool: find-it\nInput: PX2",
    ],
)
def test_several_calls_in_another_form_are_several_calls(text: str, cut: int) -> None:
    expected = [("track_parcel", {"parcel_id": "PX1"}), ("find-it", {"parcel_id": "PX2"})]
    assert arguments(text, cut) == expected


def test_a_tool_that_is_not_there_is_told_by_its_name() -> None:
    assert arguments('<tool_call>{"name": "fly", "arguments": {}}</tool_call>', 3) == [("fly", {})]


ANSWERED = [
    ("Thought: x\nAnswer: 42", "x", "42"),
    ("Answer: 42", "", "42"),
    ("**Answer:** It is\n\n- 42", "", "It is\n\n- 42"),
    ("思考：x\n答案：42", "x", "42"),
    ("Thought: x\nAnswer: 42\nObservation: y", "x", "42"),
    ("Thought: x\nAnswer: maybe 41\nFinal Answer: 42", "x\n\nmaybe 41", "42"),
    ("Answer: Do this:\nAction: wait.", "", "Do this:\nAction: wait."),
    ("Action: Final Answer\nAction Input: 42", "", "42"),
    ('Thought: x\nAction: "Final Answer"\nAction Input: "42 \\"it\\" is"\nThought: done', "x", '42 "it" is'),
    ('Action: final_answer\nAction Input: {"answer": "42"}', "", "42"),
    ('Action: Final Answer\nAction Input: ```json\n{"answer": "42"}\n```', "", "42"),
    ('{"thought": "x", "action": "Final Answer", "action_input": "42"}', "", "42"),
    ("Action: Final Answer: 42", "", "42"),
    ("Action: Final Answer\n42", "", "42"),
    ("Action: Final Answer\nFinal Answer: 42", "", "42"),
    ('Thought: x\nAction:\n```json\n{"action": "Final Answer", "action_input": "42"}\n```', "x", "42"),
    ('{"action": "Final Answer", "action_input": "4\\n2"}', "", "4\n2"),
    ("Thought: x\nFinal Answer is 42", "x", "42"),
    ("Final Answer is: 42", "", "42"),
    ("**Final answer** is 42", "", "42"),
    ("最终答案是42", "", "42"),
    ("最終答案：42", "", "42"),
    ("- Thought: x\n- Final Answer: 42", "x", "42"),
    ("• Thought: x\n• Final Answer: Do:\n\n- this", "x", "Do:\n\n- this"),
    ("- Final Answer: 42", "", "42"),
    ("1. Thought: x\n2. Final Answer: 42", "x", "42"),
    ('Final Answer: 42\nAction: track_parcel\nAction Input: {"parcel_id": "PX1"}', "", "42"),
    (
        "Thought: x\nFinal Answer: 4\n2\n\n- **Action**: `track_parcel`\n\n- **Action Input**: PX1",
        "x",
        "4\n2",
    ),
    ("Thought: x. Final Answer: 42\nThat is all.", "x.", "42\nThat is all."),
    ("Thought: x. Final Answer: 42\nAction: wait", "x.", "42\nAction: wait"),
    (
        f"Thought: x. Final Answer: {'4' * 250}\nAction: track_parcel",
        "x.",
        f"{'4' * 250}\nAction: track_parcel",
    ),
    ("Thought: x\nThe final answer is: 42", "x", "42"),
    ("Thought: x. The final answer is: 42", "x.", "42"),
    ("Thought: x\nAction: Finish[42]", "x", "42"),
    ("Thought 1: x\nAction 1: Finish[42]\nObservation 1: done", "x", "42"),
    ("Thought: x\nFinish[see [1]]", "x", "see [1]"),
    ("**Finish[42]**", "", "42"),
]


@pytest.mark.parametrize("cut", [1, 4, 1_000])
@pytest.mark.parametrize(("text", "reasoning", "content"), ANSWERED)
def test_an_answer_in_another_form_is_the_answer(text: str, reasoning: str, content: str, cut: int) -> None:
    assert read(text, cut) == ([], reasoning, content)


PROSE = [
    "Take one:\nTool: hammer\nInput: a nail\nAnswer: a shelf",
    "Question: what is the capital of France?\nAnswer: Paris",
    "The tool call is written <tool_call> and then </tool_call>.",
    "The answer: it is in Rome. Answer: no.",
    'Send this:\n```json\n{"name": "Ada", "arguments": {}}\n```',
    '{"action": "track_parcel is what I would call"}',
    'I would send {"action": "track_parcel", "action_input": "PX1"} to it.',
    "Input: none.\nTools: many.",
    "I have two:\nTool: track_parcel tells where a parcel is\nInput: its number",
    "Final answers are given below.",
    "Answering takes time.",
    "Answer\nParis",
    "Notes:\n- Thought: it is late\n- Action: wait\n- Observation: none\n- Final Answer: no",
    "Notes:\n1. Thought: it is late\n2. Action: wait\n12) Observation: none",
    "(Thought: it is late)\n(Observation: it rained)",
    "Do it:\nArguments: none\nParameters: two",
    "It ends with\nFinish[42]",
    "Finish[42] is how it ends.",
    "I added them.\nThe final answer is: 42",
    "- Action: wait\n- Owner: Ada",
]


@pytest.mark.parametrize("cut", [1, 4, 1_000])
@pytest.mark.parametrize("text", PROSE)
def test_prose_that_mentions_such_words_has_no_label(text: str, cut: int) -> None:
    assert read(text, cut) == ([], "", text)
    assert read(f"Final Answer: See:\n{text}", cut) == ([], "", f"See:\n{text}")


@pytest.mark.parametrize("cut", [1, 1_000])
def test_a_thought_that_mentions_such_words_stays_one(cut: int) -> None:
    thought = 'the Tool: x\nTool: hammer\nInput: y\n{"name": "Ada", "arguments": 1}\n<tool_call> too'
    thought += " Action: track_parcel would do. I write Action: track_parcel Action Input: PX1 then"
    thought += ' or Action: wait Action Input: {"parcel_id": "PX1"}'
    thought += "\n- Thought: y\n- Action: wait\n- Observation: z\nFinish[1] later\nParameters: 2"
    final = "\nFinal answer is not known yet.\nFinal answer isn't here."
    call = "\nAction: track_parcel\nAction Input: PX1"
    calls, reasoning, content = read(f"Thought: {thought}{final}{call}", cut)
    assert (reasoning, content, len(calls)) == (f"{thought}{final}", "", 1)


@pytest.mark.parametrize(
    "text", ['{"parcel_id": "PX', '{"parcel_id": "PX1",', '{"parcel_id":', "{", "{'parcel_id'"]
)
def test_an_input_that_lacks_more_than_brackets_is_not_guessed(text: str) -> None:
    assert arguments(f"Action: track_parcel\nAction Input: {text}", 7) == [
        ("track_parcel", {UNREADABLE: text})
    ]


def test_a_turn_that_says_neither_is_unreadable() -> None:
    assert [call.name for call in read("Thought: x\nAction:", 3)[0]] == [NAMELESS]


BITS = ["Thought:", "Action:", "Action Input:", "Tool:", "Input:", "Answer:", "Final Answer", "Observation:"]
BITS += [
    "1. ",
    "2) ",
    "- ",
    "• ",
    "(",
    ")",
    "Parameters:",
    "The final answer is:",
    "Finish[4]",
    "Finish[",
    "行動：",
]
BITS += ["\n", "\n", " ", ".", " is 4", "track_parcel", '{"name": "track_parcel", "arguments": {}}', BLOB]
BITS += [
    "```json\n",
    "```",
    "<tool_call>",
    "</tool_call>",
    " Action: track_parcel Action Input: {",
    " Action: ",
    '{"action": "Final Answer", "action_input": "4"}',
    '{"',
]


@given(st.lists(st.sampled_from(BITS), max_size=12).map("".join))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_cuts_change_nothing(text: str) -> None:
    assert read(text, 1) == read(text, 3) == read(text, 1_000)


CALL = "Action: track_parcel\nAction Input: PX1"


@given(
    st.lists(
        st.sampled_from([*BITS, CALL, f"\n{CALL}", ". Final Answer: 4", "\nFinal Answer: 4"]), max_size=8
    )
)
@settings(max_examples=200, derandomize=True, deadline=None)
def test_cuts_change_nothing_around_a_call_and_an_answer(bits: list[str]) -> None:
    text = "".join(bits)
    assert read(text, 1) == read(text, 3) == read(text, 1_000)


def test_cuts_change_nothing_where_one_line_may_be_two_labels() -> None:
    text = "Thought: x\nFinish[. Final Answer: 4]\nThought:"
    assert read(text, 1) == read(text, 1_000)


def test_a_thought_on_the_line_of_its_call_stays_apart_from_it() -> None:
    text = 'Thought: I look it up Action: track_parcel Action Input: {"parcel_id": "PX1"}'
    for cut in (1, 4, 1_000):
        calls, reasoning, content = read(text, cut)
        assert (reasoning, content) == ("I look it up", "")
        assert [call.arguments for call in calls] == ['{"parcel_id": "PX1"}']


def test_an_answer_that_shows_a_call_in_a_fence_keeps_it() -> None:
    text = f"Write:\n```\n{CALL}\n```\nand stop."
    assert read(f"Final Answer: {text}", 1) == read(f"Final Answer: {text}", 1_000) == ([], "", text)
