"""The written form of ReAct, with the slips that models make, whatever the cuts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.actions import Action
from chains.turn import TurnReader

TOOLS = ["track_parcel", "change_address"]
LOOK = Action("track_parcel", '{"parcel_id": "PX1"}')


def read(text: str, cut: int) -> tuple[TurnReader, str, str]:
    """The turn, what it reasons and what it answers."""
    turn = TurnReader(TOOLS)
    parts = [part for at in range(0, len(text), cut) for part in turn.feed(text[at : at + cut])]
    parts += turn.end()
    texts = ["".join(part.text for part in parts if part.kind == kind) for kind in ("reasoning", "content")]
    return turn, texts[0], texts[1]


CALLED = [
    'Thought: I look.\nAction: track_parcel\nAction Input: {"parcel_id": "PX1"}',
    'Thought: I look.\nAction: track_parcel\nAction Input: {"parcel_id": "PX1"}\nObservation: it is in Rome',
    'Thought: I look.\nAction: track_parcel\nAction Input: {"parcel_id": "PX1"}\nObservation\nIn Rome.',
    'Thought 1: I look.\nAction 1: track_parcel\nAction Input 1: {"parcel_id": "PX1"}\nObservation 1: ?',
    '**Thought:** I look.\n**Action:** track_parcel\n**Action Input:** {"parcel_id": "PX1"}',
    '**Thought**: I look.\n> **Action**: track_parcel\n> **Action Input**: {"parcel_id": "PX1"}',
    'thought: I look.\naction: track_parcel\naction_input: {"parcel_id": "PX1"}',
    'Thought: I look.\nAction track_parcel\nAction Input {"parcel_id": "PX1"}',
    'Thought\nI look.\nAction\ntrack_parcel\nAction Input\n{"parcel_id": "PX1"}',
    'Thought: I look. Action: track_parcel\nAction Input: {"parcel_id": "PX1"}',
    'I look.\nAction: track_parcel\nAction Input: {"parcel_id": "PX1"}',
    'Thought: I look.\n\nAction: track_parcel\n\nAction Input: {"parcel_id": "PX1"}\n\nThought: it came.',
    'Thought: I look.\nAction: track_parcel\nAction Input: {"parcel_id": "PX1"}\nFinal Answer: in Rome',
    '思考：I look.\n行动：track_parcel\n行动输入：{"parcel_id": "PX1"}\n观察：罗马',
    'Thought：I look.\nAction： track_parcel\nAction Input： {"parcel_id": "PX1"}',
    '思考: I look.\n动作: track_parcel\n动作输入: {"parcel_id": "PX1"}\n观察结果: 罗马\n最终答案: 罗马',
]


@pytest.mark.parametrize("cut", [1, 7, 1_000])
@pytest.mark.parametrize("text", CALLED)
def test_a_call_is_read_as_it_was_meant(text: str, cut: int) -> None:
    turn, reasoning, content = read(text, cut)
    assert turn.actions == [LOOK]
    assert (reasoning, content, turn.answered) == ("I look.", "", False)
    assert "bservation" not in turn.said
    assert "观察" not in turn.said


ANSWERED = [
    ("Thought: I know.\nFinal Answer: It is in Rome.", "I know.", "It is in Rome."),
    ("Thought: I know.\nFinal Answer\nIt is in Rome.", "I know.", "It is in Rome."),
    ("**Final Answer:** It is in Rome.", "", "It is in Rome."),
    ("Thought: I know. Final Answer: It is in Rome.", "I know.", "It is in Rome."),
    ("Final Answer: It is in Rome.\nObservation: done\nThought: next", "", "It is in Rome."),
    ("Thought: no tool.\nAction: None\nFinal Answer: Hello!", "no tool.", "Hello!"),
    ("思考：知道了\n最终答案：在罗马。", "知道了", "在罗马。"),
    ("It is in Rome.", "", "It is in Rome."),
    ("Actions speak louder than words.", "", "Actions speak louder than words."),
    ("The plan:\nAction is needed, and thought.", "", "The plan:\nAction is needed, and thought."),
    (
        "Final Answer: Do this:\n\nAction: wait\nFinal answer: no",
        "",
        "Do this:\n\nAction: wait\nFinal answer: no",
    ),
    ("Final Answer: see 12:30. Thought: none", "", "see 12:30. Thought: none"),
    ("Thought: a\n\nThought: b\nFinal Answer: c\n\nd", "a\n\nb", "c\n\nd"),
]


@pytest.mark.parametrize("cut", [1, 7, 1_000])
@pytest.mark.parametrize(("text", "reasoning", "content"), ANSWERED)
def test_an_answer_is_apart_from_what_led_to_it(text: str, reasoning: str, content: str, cut: int) -> None:
    turn, reasoned, answered = read(text, cut)
    assert (reasoned, answered) == (reasoning, content)
    assert (turn.answered, turn.actions) == (True, [])


@pytest.mark.parametrize("cut", [1, 7, 1_000])
def test_several_actions_are_several_calls(cut: int) -> None:
    text = (
        'Thought: both\nAction: track_parcel\nAction Input: {"parcel_id": "PX1"}\n'
        'Action: change_address\nAction Input:\n```json\n{\n "to": "Rome"\n}\n```\nThat is all.'
    )
    turn, _, _ = read(text, cut)
    assert turn.actions[0] == LOOK
    assert turn.actions[1].name == "change_address"
    assert '"to": "Rome"' in (turn.actions[1].written or "")


def test_words_come_as_they_are_made_and_nothing_after_the_end() -> None:
    turn = TurnReader(TOOLS)
    found = [turn.feed(word) for word in ("Thought:", " I", " look", ".\nFinal", " Answer: In", " Rome")]
    assert [[part.text for part in parts] for parts in found] == [
        [],
        ["I"],
        [" look"],
        ["."],
        ["In"],
        [" Rome"],
    ]
    turn.feed("\nObservation: no")
    assert turn.done
    assert turn.feed("more") == []
    assert turn.said == "Thought: I look.\nFinal Answer: In Rome"


def test_a_thought_alone_is_no_answer() -> None:
    turn, reasoning, _ = read("Thought: hm", 3)
    assert (reasoning, turn.answered, turn.actions) == ("hm", False, [])


LABELS = ["Thought", "Action", "Action Input", "Final Answer", "Observation", "思考", "最终答案"]
BETWEEN = [":", "：", "\n", " ", ".", "**", "> ", "1", "a", "track_parcel", "{}", "None", "。"]


@given(st.lists(st.sampled_from([*LABELS, *BETWEEN]), max_size=14).map("".join))
@settings(max_examples=150, derandomize=True, deadline=None)
def test_cuts_change_nothing(text: str) -> None:
    whole, *said = read(text, 1_000)
    for cut in (1, 3):
        turn, *pieces = read(text, cut)
        assert pieces == said
        assert (turn.actions, turn.said, turn.answered) == (whole.actions, whole.said, whole.answered)
