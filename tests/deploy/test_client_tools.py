"""Text that teaches clients' tools: a call holds what was asked for, an answer what came back."""

import json
from itertools import pairwise
from random import Random
from typing import Any, cast, get_args

import pytest

from deploy.demo import client_tools_eval
from deploy.demo.text import client_tools, tool_families, tool_values
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Language, Split
from deploy.demo.text.tool_values import Value

LANGUAGES = get_args(Language)
SPLITS = get_args(Split)


def rows(language: Language, split: Split, count: int = 600) -> list[dict[str, Any]]:
    rng = Random(5)
    return [client_tools.row(rng, language, split) for _ in range(count)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("split", SPLITS)
def test_calls_fit_the_tools_and_the_request(language: Language, split: Split) -> None:
    kinds: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (float,)}
    seen = 0
    for row in rows(language, split):
        offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in row["tools"]}
        assert len(offered) == len(row["tools"])
        asked = ""
        for message in row["messages"]:
            if message["role"] == "user":
                asked += f"{message['content']}\n"
            for call in message.get("tool_calls", ()):
                schema, given = offered[call["function"]["name"]], call["function"]["arguments"]
                assert set(schema.get("required", ())) <= set(given) <= set(schema["properties"])
                for name, value in given.items():
                    wanted = schema["properties"][name]
                    assert isinstance(value, kinds[wanted["type"]])
                    assert "enum" not in wanted or value in wanted["enum"]
                    assert tool_values.written(cast(Value, value)) in asked
                seen += 1
    assert seen > 400


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_says_what_came_back(language: Language) -> None:
    said = 0
    for row in rows(language, "train"):
        answer = ""
        for message in reversed(row["messages"]):
            if message["role"] == "assistant":
                answer = message["content"] or answer  # one tool after the other: all is said at the end
            elif message["role"] == "tool" and message["content"].startswith("{"):
                for value in json.loads(message["content"]).values():
                    if isinstance(value, str) and value != "error":
                        assert value in answer
                        said += 1
    assert said > 100


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_says_plain_text_as_it_came(language: Language) -> None:
    marks = dict.fromkeys((":", ".") if language == "zh" else (":", ".", "'"), 0)
    for row in rows(language, "train", 3000):
        for message, after in pairwise(row["messages"]):
            content = message["content"]
            if message["role"] != "tool" or after["role"] != "assistant" or not after["content"]:
                continue
            if content[:1].isalnum() and content not in {"True", "False", "null"} and "rror:" not in content:
                told = content.rstrip(".。")
                assert told in after["content"]
                for mark in marks:
                    marks[mark] += mark in told
    assert all(count > 10 for count in marks.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_another_world_is_asked_is_for_none_of_the_tools(language: Language) -> None:
    asked = {"en": "What's the weather like in Oslo?", "zh": "奥斯陆天气怎么样？"}[language]
    concerned = {
        family.names[0]
        for split in SPLITS
        for family in tool_families.families(split)
        if tool_families.concerns(family, asked, language)
    }
    assert "weather_now" in concerned
    assert len(concerned) < 20
    none = Phrases.load("generic", language).plain(Random(0), "none")
    for row in rows(language, "train", 3000):
        if none not in [message["content"] for message in row["messages"]]:
            continue
        names = {tool["function"]["name"] for tool in row["tools"]}
        assert not names & {"search_web", "web_search", "internet_search"}


def test_a_family_belongs_to_one_split() -> None:
    names = [{name for family in tool_families.families(split) for name in family.names} for split in SPLITS]
    assert not set.intersection(*names)
    assert all(len(each) > 50 for each in names)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_request_of_every_family_can_be_made(language: Language) -> None:
    rng = Random(1)
    for split in SPLITS:
        for family in tool_families.families(split):
            required = {p.slot for p in family.parameters if not p.optional}
            for said in family.requests[language]:
                slots = set(tool_families.slots(said))
                assert required <= slots <= {p.slot for p in family.parameters}, said
            for result in family.result.values():
                tool_values.value(rng, result[language], language, split)


def test_a_turn_is_right_only_with_the_call_that_was_asked_for() -> None:
    call = {"function": {"name": "find", "arguments": {"city": "Rome"}}}
    turn = client_tools_eval.Turn("call en", {}, {"role": "assistant", "content": "", "tool_calls": [call]})
    turn.written = '<tool_call>\n{"name": "find", "arguments": {"city": "Rome"}}\n</tool_call>'
    assert turn.is_right()
    for wrong in ("Rome", turn.written.replace("Rome", "Oslo"), turn.written.replace("}}", "}"), ""):
        turn.written = wrong
        assert not turn.is_right()


def test_turns_hold_what_was_said_before_them() -> None:
    for turn in client_tools_eval.turns(20, 0):
        assert turn.row["messages"][-1]["role"] in {"user", "tool"}
        assert turn.wanted["role"] == "assistant"
