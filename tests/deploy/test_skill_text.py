"""Text that teaches skills: made-up tools are called with what is asked, JSON has the keys that are named."""

import json
import unicodedata
from collections.abc import Iterator
from random import Random
from typing import Any, get_args

import jsonschema
import pytest

from deploy.demo.text import corpus, introduced, json_asked, made_calls, made_tools
from deploy.demo.text.sample import Language

LANGUAGES = get_args(Language)
BOOL = {"no", "off", "false", "yes", "on", "true", "否", "关", "是", "开"}


def rows(module: Any, language: Language, count: int = 1500) -> Iterator[dict[str, Any]]:
    rng = Random(8)
    return (module.row(rng, language) for _ in range(count))


def leaves(value: Any) -> Iterator[Any]:
    """What stands inside of lists and objects."""
    if isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)
    else:
        yield value


@pytest.mark.parametrize("language", LANGUAGES)
def test_made_calls_fit_their_schema_and_hold_what_was_said(language: Language) -> None:
    seen = without = 0
    for row in rows(made_calls, language):
        offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in row["tools"]}
        assert len(offered) == len(row["tools"])
        said = ""
        for message in row["messages"]:
            if message["role"] != "assistant":
                said += f"{message['content']}\n"
            for call in message.get("tool_calls", ()):
                given = call["function"]["arguments"]
                jsonschema.validate(given, offered[call["function"]["name"]])
                for value in leaves(given):
                    if isinstance(value, bool):
                        assert any(word in said for word in BOOL)
                    else:
                        assert str(value) in said
                seen += 1
                without += not given
    assert seen > 1000
    assert without > 50


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_no_tool_does_is_not_called(language: Language) -> None:
    declined = 0
    for row in rows(made_calls, language):
        for asked, answer in zip(row["messages"], row["messages"][1:], strict=False):
            if asked["role"] == "user" and answer["content"]:
                declined += 1
                assert all(f"{tool['function']['name']}(" not in asked["content"] for tool in row["tools"])
    assert 200 < declined < 600


@pytest.mark.parametrize("language", LANGUAGES)
def test_results_and_calls_belong_together(language: Language) -> None:
    in_turn = 0
    for row in rows(made_calls, language):
        ids = [call["id"] for m in row["messages"] for call in m.get("tool_calls", ())]
        answered = [m["tool_call_id"] for m in row["messages"] if m["role"] == "tool"]
        assert answered == ids[: len(answered)]
        in_turn += any(
            first["role"] == "tool" and "tool_calls" in then
            for first, then in zip(row["messages"], row["messages"][1:], strict=False)
        )
    assert in_turn > 20


@pytest.mark.parametrize("language", LANGUAGES)
def test_json_has_the_keys_that_are_named_and_what_was_said(language: Language) -> None:
    copied = 0
    for row in rows(json_asked, language):
        question, answer = (message["content"] for message in row["messages"])
        found = json.loads(answer)
        for key in found if isinstance(found, dict) else ():
            assert key.casefold() in question.casefold()
        for value in leaves(found):
            copied += str(value) in question
    assert copied > 1000


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_in_another_script_are_copied_and_not_what_is_said_of_them(language: Language) -> None:
    rng = Random(5)
    named = [introduced.something(rng, language, "told") for _ in range(800)]
    assert len({each.name for each in named}) > 780
    for each in named:
        assert 2 <= len(each.name) <= 14
        assert each.name in each.sentence
        assert each.about in each.sentence
    repeating = sum(len(set(each.name.lower())) < len(each.name) for each in named)
    assert 240 < repeating < 700
    kinds = {unicodedata.name(each.name[0], "").split()[0] for each in named}
    assert {"HIRAGANA", "KATAKANA", "HANGUL", "CYRILLIC", "GREEK", "ARABIC", "DEVANAGARI", "LATIN"} <= kinds


def test_a_sixth_of_made_calls_are_about_such_names() -> None:
    rng, found = Random(6), 0
    for _ in range(600):
        tool = made_tools.tool(rng, "en")
        found += any(parameter.native for parameter in tool.parameters)
    assert 90 < found < 200


def test_tools_beside_each_other_are_asked_for_differently() -> None:
    rng = Random(3)
    alike = 0
    for _ in range(300):
        tools = made_tools.several(rng, "en", 4)
        assert len({(tool.verb, tool.noun) for tool in tools}) == len({tool.name for tool in tools}) == 4
        alike += any(tool.verb == tools[0].verb or tool.noun == tools[0].noun for tool in tools[1:])
    assert alike > 150


def test_skills_stand_under_the_prompts_that_are_named() -> None:
    own = corpus.conversation(corpus.held_out("smalltalk", "en", 1, 0)[0])["messages"][0]
    found = list(corpus.skill_rows(600, 1, prompts=["smalltalk"]))
    under = [row for row in found if row["messages"][0] == own]
    assert 60 < len(under) < 220
    assert all("tools" not in row for row in under)
    assert sum("tools" in row for row in found) > 300
    assert found != list(corpus.skill_rows(600, 1))
