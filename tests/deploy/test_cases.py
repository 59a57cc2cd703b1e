"""The hand-written cases: complete, in form, and with expectations that are true."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest

from deploy.demo import tools
from deploy.demo.cases.cases import HANDWRITTEN, load
from deploy.demo.text.acts import CHINESE_CITIES
from deploy.demo.text.phrasing import Phrases
from deploy.demo.text.policy import STATED
from deploy.demo.text.sample import Intent, Language, Sample

CASES = load()
STRANGERS = load(HANDWRITTEN.with_name("strangers.jsonl"))  # their writer had seen nothing of the demo's text
DIALOGUES = load(HANDWRITTEN.with_name("dialogues.jsonl"))  # of two to four requests; counted by the last
TOOLS: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "track_parcel": ("track_parcel", tools.track_parcel),
    "change_address": ("change_address", tools.change_address),
    "complaint": ("open_complaint", tools.open_complaint),
}
GOOD = (
    '{"intent": "smalltalk", "language": "en", "messages": [{"role": "user", "content": "hi"}], "expect": {}}'
)
NUMERALS = {9: "九", 2: "俩"}
WORDS = {"twenty-one": 21, "thirty-nine": 39, "三十四": 34, "三十六": 36}
LESS = re.compile(
    r"take away|gave|empty|minus|older|sold|rotten|-|减|送给|空着|大几岁|卖出去|坏的", re.IGNORECASE
)


def of(*intents: str, cases: Sequence[Sample] = CASES) -> list[Sample]:
    return [case for case in cases if case.intent in intents]


def called() -> list[Sample]:
    """The dialogues whose last request needs a tool."""
    return [case for case in DIALOGUES if case.expect.tool is not None]


def said(case: Sample) -> str:
    return " ".join(message["content"] for message in case.messages)


def arguments(case: Sample) -> dict[str, str]:
    return dict(case.expect.arguments or {})


def asked(case: Sample) -> str:
    return str(case.messages[-1]["content"])


def test_every_intent_and_language_has_sixteen_different_cases() -> None:
    counted = Counter((case.intent, case.language) for case in CASES)
    assert counted == {(i, lang): 16 for i in get_args(Intent) for lang in get_args(Language)}
    assert len({said(case) for case in CASES}) == len(CASES)


def test_strangers_asked_twenty_of_each_and_nothing_twice() -> None:
    counted = Counter((case.intent, case.language) for case in STRANGERS)
    assert counted == {(i, lang): 20 for i in get_args(Intent) for lang in get_args(Language)}
    assert len({said(case) for case in (*CASES, *STRANGERS)}) == len(CASES) + len(STRANGERS)


def test_dialogues_have_two_to_four_requests_and_every_intent_comes_last() -> None:
    assert Counter(case.language for case in DIALOGUES) == {"en": 70, "zh": 50}
    last = {(case.intent, case.language) for case in DIALOGUES}
    assert last == {(i, lang) for i in get_args(Intent) for lang in get_args(Language)}
    for case in DIALOGUES:
        roles = [message["role"] for message in case.messages]
        assert roles in [["user", *["assistant", "user"] * going_on] for going_on in (1, 2, 3)]
    files = (*CASES, *STRANGERS, *DIALOGUES)
    assert len({said(case) for case in files}) == len(files)


def test_about_a_tenth_are_follow_ups() -> None:
    follow_ups = [case for case in CASES if len(case.messages) > 1]
    assert 0.08 <= len(follow_ups) / len(CASES) <= 0.12
    for case in follow_ups:
        assert [message["role"] for message in case.messages] == ["user", "assistant", "user"]


@pytest.mark.parametrize("case", [*of(*TOOLS), *of(*TOOLS, cases=STRANGERS), *called()], ids=said)
def test_a_tool_case_expects_what_the_tool_gives(case: Sample) -> None:
    name, tool = TOOLS[case.intent]
    given = arguments(case)
    assert case.expect.tool == name
    assert all(value in said(case) for key, value in given.items() if key != "reason")
    if name == "change_address" and tools.track_parcel(given["parcel_id"])["status"] == "delivered":
        stated = "already delivered" if case.language == "en" else "已经签收"
        assert case.expect.contains == (given["parcel_id"], stated)
        return
    result = tool(**given)
    if name == "track_parcel":
        city = result["city"] if case.language == "en" else CHINESE_CITIES[result["city"]]
        told: tuple[str, ...] = (city, result["expected"])
    elif name == "change_address":
        told = (given["address"], result["reference"])
    else:
        told = (result["ticket"],)
    assert case.expect.contains == (given["parcel_id"], *told)


def test_every_status_and_reason_occurs_in_both_languages() -> None:
    for language in get_args(Language):
        tracked = [arguments(case)["parcel_id"] for case in of("track_parcel") if case.language == language]
        assert {tools.track_parcel(number)["status"] for number in tracked} == set(tools.STATUSES)
        reasons = {arguments(case)["reason"] for case in of("complaint") if case.language == language}
        assert reasons == set(tools.REASONS)


@pytest.mark.parametrize(
    "case",
    [case for file in (CASES, STRANGERS, DIALOGUES) for case in of("refund", "customs", cases=file)],
    ids=said,
)
def test_a_policy_case_expects_one_fact_of_its_intent(case: Sample) -> None:
    facts = [
        tuple(part.format(refund_days=30) for part in stated[case.language])
        for fact, stated in STATED.items()
        if fact.startswith(case.intent)
    ]
    assert case.expect.contains in facts


@pytest.mark.parametrize("case", of("arithmetic"), ids=said)
def test_the_result_of_a_sum_is_right(case: Sample) -> None:
    text = " ".join(message["content"] for message in case.messages if message["role"] == "user")
    for word, value in WORDS.items():
        text = text.replace(word, str(value))
    first, *rest = (int(found) for found in re.findall(r"\d+", text))
    assert rest
    assert case.expect.number == first + (-sum(rest) if LESS.search(text) else sum(rest))


@pytest.mark.parametrize("case", of("order_json"), ids=said)
def test_an_order_names_only_what_its_mail_says(case: Sample) -> None:
    order = dict(case.expect.json or {})
    assert list(order) == ["customer", "items", "city", "date"]
    assert order["items"]
    for text in (order["customer"], order["city"], *(item["product"] for item in order["items"])):
        assert text in asked(case)
    assert all(isinstance(item["quantity"], int) and item["quantity"] > 0 for item in order["items"])
    full_date = re.search(r"2026", asked(case)) is not None
    assert full_date == (order["date"] is not None)
    if full_date:
        assert str(date.fromisoformat(order["date"]).day) in re.findall(
            r"(?<!\d)0?(\d{1,2})(?!\d)", asked(case)
        )


def test_talk_and_refusals_expect_no_call() -> None:
    for case in (*of("smalltalk", "out_of_scope"), *of("smalltalk", "out_of_scope", cases=DIALOGUES)):
        assert case.expect.tool is None
    for case in of("out_of_scope"):
        opening = "Sorry, I can't help with that" if case.language == "en" else "抱歉"
        assert case.expect.contains == (opening,)


@pytest.mark.parametrize("case", DIALOGUES, ids=said)
def test_what_the_desk_said_before_is_what_it_says_and_true(case: Sample) -> None:
    for message in case.messages:
        if message["role"] == "assistant":
            assert _true(message["content"], case.language), message["content"]


def test_a_dialogue_of_the_desk_without_a_call_expects_what_was_said_or_is_asked_for() -> None:
    values = {"parcel_id": "PX123456"}
    for case in of(*TOOLS, cases=DIALOGUES):
        if case.expect.tool is None:
            phrases = Phrases.load("support", case.language)
            asks = [phrases.plain(Random(0), rule, **values) for rule in ("answer_no_number", "ask_reason")]
            assert case.expect.contains
            for part in case.expect.contains:
                assert part in " ".join([*asks, *(message["content"] for message in case.messages)])


@pytest.mark.parametrize("case", of("order_json", cases=DIALOGUES), ids=said)
def test_an_order_as_corrected_names_only_what_was_said(case: Sample) -> None:
    order = dict(case.expect.json or {})
    text = " ".join(message["content"] for message in case.messages if message["role"] == "user")
    assert list(order) == ["customer", "items", "city", "date"]
    for part in (order["customer"], order["city"], *(item["product"] for item in order["items"])):
        assert part in text
    for item in order["items"]:
        assert {str(item["quantity"]), NUMERALS.get(item["quantity"], "")} & set(
            re.findall(r"\d+|[九俩]", text)
        )
    assert (order["date"] is not None) == ("2026" in text)


def _true(answer: str, language: Language) -> bool:
    """Whether ``answer`` is one that the desk gives, with the facts that the tools give."""
    if answer.startswith("{"):
        return list(json.loads(answer)) == ["customer", "items", "city", "date"]
    if sums := re.fullmatch(r"(\d+) ([-+×]) (\d+) = (-?\d+)", answer):
        a, b, result = int(sums[1]), int(sums[3]), int(sums[4])
        return result == {"+": a + b, "-": a - b, "×": a * b}[sums[2]]
    return any(_stated(rule, answer, language) for rule in _ANSWERS[language])


def _stated(rule: tuple[str, re.Pattern[str]], answer: str, language: Language) -> bool:
    name, pattern = rule
    found = pattern.fullmatch(answer)
    if found is None:
        return False
    values, kind = found.groupdict(), name.removeprefix("answer_")
    if kind in tools.STATUSES:
        result = tools.track_parcel(values["parcel_id"])
        city = result["city"] if language == "en" else CHINESE_CITIES[result["city"]]
        return (kind, values["city"], values["expected"]) == (result["status"], city, result["expected"])
    if kind in tools.REASONS:
        return bool(values["ticket"] == tools.open_complaint(values["parcel_id"], kind)["ticket"])
    if kind == "redirected":
        changed = tools.change_address(values["parcel_id"], values["address"])
        return bool(values["reference"] == changed["reference"])
    if kind == "not_found":
        return not tools.is_parcel_id(values["parcel_id"])
    return True


def _answers(language: Language) -> list[tuple[str, re.Pattern[str]]]:
    """Every fixed answer of the desk: its rule, and what it looks like with any values."""
    names = ("parcel_id", "city", "expected", "address", "reference", "ticket")
    values = {name: f"<{name}>" for name in names} | {"answer_within_days": "2", "refund_days": "30"}
    made = []
    for task in ("support", "policy", "smalltalk", "refusal"):
        phrases = Phrases.load(task, language)
        for rule in phrases.rules:
            if rule.startswith("answer") or (task == "support" and rule.startswith("ask_")):
                text = re.escape(phrases.plain(Random(0), rule, **values))
                made.append((rule, re.compile(re.sub("<([a-z_]+)>", "(?P<\\1>.+)", text))))
    return made


_ANSWERS: dict[Language, list[tuple[str, re.Pattern[str]]]] = {
    language: _answers(language) for language in get_args(Language)
}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (GOOD.replace("smalltalk", "small_talk"), "intent"),
        (GOOD.replace('"user"', '"assistant"'), "the last message must be the user's"),
        (GOOD.replace('"expect": {}', '"expect": {"number": "3"}'), "expect.number"),
        (GOOD.replace('"expect": {}', '"expect": {"nmber": 3}'), "expect.nmber"),
        ("{", "Invalid JSON"),
        ("", "Invalid JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(f"{GOOD}\n{line}\n{GOOD}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(f"{path}:2: ") + ".*" + re.escape(message)):
        load(path)


def test_every_bad_line_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("{\n" + GOOD + "\n{\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r":1: .*\n.*:3: "):
        load(path)
