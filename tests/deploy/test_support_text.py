"""The desk's conversations: seeded, well formed, true to the tools, apart by split, and varied."""

import json
import re
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from deploy.demo import tools
from deploy.demo.text import acts, parcels, policy, support
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.sample import Expectation, Language, Sample, Split
from prompts.library import PromptLibrary
from service.routes import load_table
from service.sections import LimitSettings

REPOSITORY = Path(__file__).parents[2]
TEMPLATES = REPOSITORY / "prompts" / "templates"
SLOTS = (  # what the modules fill in; every other name in braces is a rule
    *("id", "id2", "address", "old", "np", "did", "said", "goods", "ordered", "br", "question"),
    *("parcel_id", "city", "expected", "reference", "ticket", "answer_within_days", "refund_days"),
    *("new", "part"),
)
LANGUAGES: tuple[Language, ...] = ("en", "zh")


@cache
def desk(language: Language, split: Split) -> tuple[Sample, ...]:
    rng = Random(f"{language} {split}")
    return tuple(support.sample(rng, language, split) for _ in range(2_000))


@cache
def rules(language: Language, split: Split) -> tuple[Sample, ...]:
    rng = Random(f"{language} {split}")
    return tuple(policy.sample(rng, language, split) for _ in range(2_000))


def in_one_line(text: str) -> str:
    """``text`` without what may part the lines of an address."""
    return re.sub(r"[\s,]", "", text)


def calls(sample: Sample) -> list[dict[str, Any]]:
    return [call for message in sample.messages for call in message.get("tool_calls", ())]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_seed_gives_the_same_conversations(language: Language) -> None:
    first, second = Random(7), Random(7)
    for _ in range(50):
        assert support.sample(first, language, "train") == support.sample(second, language, "train")
        assert policy.sample(first, language, "train") == policy.sample(second, language, "train")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("split", ["train", "held_out"])
def test_every_conversation_keeps_the_grammar_of_messages(language: Language, split: Split) -> None:
    for sample in desk(language, split) + rules(language, split):
        before, open_calls = "assistant", list[str]()
        for message in sample.messages:
            role = message["role"]
            if role == "tool":
                assert message["tool_call_id"] == open_calls.pop(0)
                assert message["content"]
            else:
                assert not open_calls
                assert before in ({"assistant"} if role == "user" else {"user", "tool"})
                open_calls = [call["id"] for call in message.get("tool_calls", ())]
                assert bool(message["content"]) != bool(open_calls)
            before = role
        assert before == "assistant"
        assert not open_calls
        assert "{" not in "".join(m["content"] for m in sample.messages if m["role"] == "user")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("split", ["train", "held_out"])
def test_every_tool_result_is_what_the_tool_says(language: Language, split: Split) -> None:
    for sample in desk(language, split):
        results = {m["tool_call_id"]: m["content"] for m in sample.messages if m["role"] == "tool"}
        for call in calls(sample):
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            try:
                said = json.dumps(getattr(tools, name)(**arguments), ensure_ascii=False)
            except ValueError as exc:
                said = f"error: {exc}"
            assert results[call["id"]] == said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("split", ["train", "held_out"])
def test_every_expectation_holds_on_its_own_answer(language: Language, split: Split) -> None:
    for sample in desk(language, split) + rules(language, split):
        answer = sample.messages[-1]["content"]
        assert all(part in answer for part in sample.expect.contains)
        if sample.expect.tool:
            [call] = calls(sample)
            assert call["function"]["name"] == sample.expect.tool
            assert call["function"]["arguments"] == sample.expect.arguments
            asked = sample.messages[0]["content"]
            copied = [value for key, value in call["function"]["arguments"].items() if key != "reason"]
            assert all(in_one_line(value) in in_one_line(asked) for value in copied)


@pytest.mark.parametrize("language", LANGUAGES)
def test_held_out_is_single_requests_with_an_expectation(language: Language) -> None:
    for sample in desk(language, "held_out"):
        assert [m["role"] for m in sample.messages] == ["user", "assistant", "tool", "assistant"]
        assert sample.expect.tool
    for sample in rules(language, "held_out"):
        assert len(sample.messages) == 2
        assert sample.expect.contains


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_and_addresses_of_the_splits_never_meet(language: Language) -> None:
    drawn: dict[Split, set[str]] = {"train": set(), "held_out": set()}
    for split, values in drawn.items():
        for sample in desk(language, split):
            for call in calls(sample):
                arguments = call["function"]["arguments"]
                if tools.is_parcel_id(arguments["parcel_id"]):
                    values.add(tools.plain_id(arguments["parcel_id"]))
                if "address" in arguments:
                    values.add(arguments["address"])
    assert not drawn["train"] & drawn["held_out"]
    assert all(parcels.split_of(value) == split for split, values in drawn.items() for value in values)
    assert min(len(values) for values in drawn.values()) > 1_500


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_without_its_call_is_shown_and_not_learned(language: Language) -> None:
    """What is learned stands after its call, or repeats facts that the history tells."""
    fact = re.compile(r"CH-\d{6}|TK\d{7}|20\d\d-\d\d-\d\d")
    hidden = repeated = 0
    for sample in desk(language, "train"):
        before, told = "", ""
        for message in sample.messages:
            if message.get("weight") == 0:
                hidden += 1
                assert before == "user"
            elif message["role"] == "assistant" and before == "user":
                facts = fact.findall(message["content"])
                assert all(each in told for each in facts)
                repeated += bool(facts)
            before, told = message["role"], told + message["content"]
    assert hidden > 100
    assert repeated > 20


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_ways_to_ask_are_many(language: Language) -> None:
    for intent in acts.INTENTS:
        rng = Random(1)
        seen = set()
        for _ in range(3_000):
            sample = support.sample(rng, language, "held_out", intent)
            text = sample.messages[0]["content"]
            for value in (sample.expect.arguments or {}).values():
                text = text.replace(value, "#")
            seen.add(text)
        assert len(seen) > 2_200, intent
    for intent in policy.INTENTS:
        rng = Random(1)
        asked = {
            policy.sample(rng, language, "held_out", intent=intent).messages[0]["content"]
            for _ in range(3_000)
        }
        assert len(asked) > 2_000, intent


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_of_the_phrase_files_can_be_said(language: Language) -> None:
    given = dict.fromkeys(SLOTS, "#")
    for task in ("support", "desk_on", "policy"):
        phrases = Phrases.load(task, language)
        for rule in phrases.rules:
            for seed in range(40):
                phrases.plain(Random(seed), rule, **given)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_refund_window_is_the_one_asked_for(language: Language) -> None:
    rng = Random(3)
    answers = {
        policy.sample(rng, language, "held_out", refund_days=60, intent="refund").messages[-1]["content"]
        for _ in range(300)
    }
    assert any("60" in answer for answer in answers)
    assert not any("30" in answer for answer in answers)


def test_one_fact_has_one_answer_in_each_language() -> None:
    for language in LANGUAGES:
        answers = {sample.messages[-1]["content"] for sample in rules(language, "held_out")}
        assert len(answers) == len(policy.STATED)


def test_small_talk_in_between_expects_nothing() -> None:
    ending = [s for s in desk("en", "train") if s.messages[-1]["content"].startswith("You are welcome")]
    assert ending
    assert all(sample.expect == Expectation() for sample in ending)


def test_every_template_renders_with_its_defaults() -> None:
    library = PromptLibrary.load(TEMPLATES)
    for name in ("parcel-support", "parcel-policy", "arithmetic", "order-json", "smalltalk", "refusal"):
        system, user = library.get(name).render([{"role": "user", "content": "hello"}], {})
        assert system["role"] == "system"
        assert 40 < len(system["content"]) < 320
        assert "{{" not in system["content"]
        assert user == {"role": "user", "content": "hello"}


def test_the_routes_name_what_exists_and_have_examples_in_both_languages() -> None:
    table = load_table(REPOSITORY / "deploy" / "demo" / "routes.yaml", TEMPLATES, LimitSettings())
    assert {route.adapter for route in table.all()} == {"support", "math", "extract", "chat", "tools"}
    assert all(hasattr(tools, name) for route in table.all() for name in route.tools)
    document = (REPOSITORY / "deploy" / "demo" / "routes.yaml").read_text(encoding="utf-8")
    for block in document.split("  - intent: ")[1:]:
        examples = block.split("examples:\n")[1].strip().split("\n")
        chinese = [line for line in examples if re.search(r"[\u4e00-\u9fff]", line)]
        assert len(chinese) >= 25
        assert len(examples) - len(chinese) >= 40
        assert len(set(examples)) == len(examples)
