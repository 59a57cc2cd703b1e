"""Rows that a teacher makes: what the rules keep, why the rest is not, and that a build can be stopped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman import document
from pointsman.document import DocumentError
from tests.pointsman.canned import Reply, canned
from tests.training.rows import ROOT, TOOL, write_rows
from tests.training.serving import message, server
from training.building.build import Yield, build
from training.building.expectation import Expectation, stated_number
from training.building.plan import BuildPlan
from training.building.questions import load
from training.data.formats import learned
from training.data.formats.conversations import FORMS
from training.data.reading import sources
from training.data.rendering import render
from training.errors import BadRows, EndpointError, RunConflict
from training.recipe import FileSource
from training.served import transport

ASKED = {"prompt": "Where is PX1?", "expect": {"calls": [{"name": "track", "arguments": {"id": "PX1"}}]}}
SUM = {"prompt": "34 + 28?", "expect": {"number": 62}}


@dataclass
class Track:
    """The tool, as whoever runs a build brings it."""

    schema: Mapping[str, Any] = field(default_factory=lambda: TOOL)

    async def call(self, arguments: Any, seconds: float, characters: int) -> Any:
        found = arguments["id"] != "PX0"
        return Result(json.dumps({"at": "Brno"}) if found else "error: no such parcel", not found)


@dataclass
class Result:
    text: str
    failed: bool


@dataclass
class Building:
    """``building(rows, chat)`` builds in a folder, with a teacher that ``chat`` speaks for."""

    folder: Path
    asked: list[dict[str, Any]] = field(default_factory=list)

    def plan(self, rows: list[dict[str, Any]], url: str = "http://127.0.0.1:9", **more: Any) -> BuildPlan:
        questions = [{"path": str(write_rows(self.folder / "questions.jsonl", rows)), "format": "expect"}]
        form = {"form": "react", "tools": ["track"]} if "tools" in more else {"form": "cot"}
        teacher = {"url": url, "model": "teacher", **more.pop("teacher", {})}
        whole = {"name": "rows", "questions": questions, "teacher": teacher, "tries": 1}
        return BuildPlan.model_validate(whole | form | more)

    def __call__(
        self, rows: list[dict[str, Any]], chat: Reply, *, concurrency: int = 1, **more: Any
    ) -> Yield:
        with canned(server("teacher", chat=chat)) as teacher:
            try:
                return self.run(self.plan(rows, teacher.url, **more), concurrency)
            finally:
                self.asked = [body for _, body in teacher.asked if body]

    def run(self, plan: BuildPlan, concurrency: int = 1) -> Yield:
        tools = {name: Track() for name in plan.tools}
        quiet: Callable[[str], None] = lambda _: None  # noqa: E731
        place = self.folder / "built"
        return build(plan, place, tools, concurrency=concurrency, api_key=None, report=quiet)

    @property
    def rows(self) -> list[dict[str, Any]]:
        lines = (self.folder / "built" / "rows.jsonl").read_text("utf-8").split("\n")
        return [json.loads(line) for line in lines if line]


@pytest.fixture
def building(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Building:
    monkeypatch.setattr(transport, "FIRST_WAIT", 0.0)
    return Building(tmp_path)


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


def test_a_question_is_tried_until_an_answer_is_right(building: Building) -> None:
    answers = iter(["<think>a</think> 61", "<think>b</think> 62", "<think>never asked</think> 62"])
    found = building([SUM], lambda _: message(next(answers)), tries=3)
    assert found.reasons == {"wrong final answer": 1, "kept": 1}
    seeds = [body["seed"] for body in building.asked]
    assert len(set(seeds)) == 2
    assert building.rows[0]["messages"][-1]["content"].startswith("<think>\nb\n")


def test_a_build_goes_on_where_the_teacher_went_away(building: Building) -> None:
    rows = [{"prompt": f"{i} + 1?", "expect": {"number": i + 1}} for i in range(8)]

    def solve(body: dict[str, Any]) -> dict[str, Any]:
        number = int(re.findall(r"\d+", body["messages"][-1]["content"])[0])
        return message(f"<think>one more, U+2028:\u2028</think> {number + 1}")

    left = iter(range(5))
    with pytest.raises(EndpointError, match=r"without choices"):
        building(rows, lambda body: solve(body) if next(left, None) is not None else {"choices": []})
    assert len(building.rows) == 5
    journal = building.folder / "built" / "journal.jsonl"
    with journal.open("a", encoding="utf-8") as file:
        file.write('{"question": 5, "tri')  # as a process that is killed leaves it
    found = building(rows, solve, concurrency=3)
    assert len(building.asked) == 3
    assert (found.rows, found.tries) == (8, 8)
    texts = [row["messages"][0]["content"] for row in building.rows]
    assert texts == [row["prompt"] for row in rows]  # in the questions' order, whoever was first
    assert building.run(building.plan(rows)) == found  # nothing is left to ask: the teacher may be away

    with pytest.raises(RunConflict, match="begun with another plan or other questions"):
        building.run(building.plan(rows[:7]))
    with pytest.raises(RunConflict, match="begun with another plan"):
        building.run(building.plan(rows, system="Be brief."))


def test_a_teacher_that_answers_nobody_costs_no_question(building: Building) -> None:
    with pytest.raises(EndpointError, match="401 whose key is this"):
        building([SUM], {"error": {"message": "whose key is this", "code": 401}})
    assert building([SUM], message("<think>so</think> 62")).rows == 1


def test_the_same_row_twice_is_one(building: Building) -> None:
    found = building([SUM, SUM], message("<think>so</think> 62"))
    assert (found.rows, found.duplicates, found.reasons) == (1, 1, {"kept": 2})


def test_bad_questions_are_named_with_their_field(building: Building, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"prompt": "a"},
        {"prompt": [], "expect": {"number": 1}},
        {"prompt": [{"role": "assistant", "content": "a"}], "expect": {"number": 1}},
        {"prompt": "a", "expect": {}},
        {"prompt": "a", "expect": {"calls": [{"nam": "track"}]}},
    ]
    with pytest.raises(BadRows) as caught:
        load(building.plan(rows))
    said = str(caught.value)
    assert "questions.jsonl:1: expect: is required" in said
    assert "questions.jsonl:2: prompt: must be a text" in said
    assert "questions.jsonl:3: prompt: must end with what is asked" in said
    assert "questions.jsonl:4: expect: Value error, holds no rule" in said
    assert "questions.jsonl:5: expect.calls.0.name: Field required; calls.0.nam: Extra inputs" in said


def test_gsm8ks_rows_are_questions(building: Building) -> None:
    rows = [{"question": "How much?", "answer": "It costs 1000 more.\n#### 1,018"}]
    given = building.plan([]).model_dump(mode="json")
    given["questions"] = [{"path": str(write_rows(building.folder / "g.jsonl", rows)), "format": "gsm8k"}]
    [question] = load(BuildPlan.model_validate(given))
    assert question.expect.number == 1018
    assert question.expect.misses((), "So it is 1018.") == ""


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("34 + 28 = 62 parcels in 3 vans", "62"),
        ("first 3, then 1,250.50", "1250.50"),
        ("= −6", "-6"),
        ("none", None),
    ],
)
def test_the_number_that_a_text_ends_with(text: str, number: str | None) -> None:
    assert stated_number(text) == (None if number is None else Decimal(number))


def test_every_rule_that_is_given_must_hold() -> None:
    rules = Expectation.model_validate({"contains": ["Brno"], "calls": []})
    assert rules.misses((), "In Brno.") == ""
    assert rules.misses((), "In Oslo.") == "wrong final answer"
    assert rules.misses([("track", {})], "In Brno.") == "wrong tool"
    assert Expectation.model_validate({"json": {"a": 1}}).misses((), '{"a": 1}') == ""
    assert Expectation.model_validate({"json": {"a": 1}}).misses((), "a: 1") == "wrong final answer"
    assert Expectation.model_validate({"equals": "yes"}).misses((), " yes\n") == ""


def test_everything_wrong_with_a_plan_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("form: tree\ntries: 0\nteacher: {url: here, model: a}\n", encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        document.load(BuildPlan, path)
    fields = {problem.field for problem in caught.value.problems}
    assert fields == {"name", "form", "tries", "questions", "teacher.url"}
    right = {
        "name": "a",
        "form": "react",
        "questions": [{"path": "a.jsonl"}],
        "teacher": {"url": "http://a", "model": "b"},
    }
    for wrong, said in (
        ({}, "tools: react needs at least one"),
        ({"form": "cot", "tools": ["track"]}, "cot calls none"),
        (
            {"tools": ["track"], "teacher": right["teacher"] | {"temperature": 0}},  # type: ignore[operator]
            "every try gives the same answer",
        ),
        (
            {"tools": ["track"], "teacher": right["teacher"] | {"parameters": {"seed": 1}}},  # type: ignore[operator]
            "seed is set by the plan itself",
        ),
    ):
        path.write_text(yaml.safe_dump(right | wrong), encoding="utf-8")
        with pytest.raises(DocumentError, match=said):
            document.load(BuildPlan, path)


def test_the_demos_plans_have_questions_with_rules() -> None:
    for name in ("sums", "parcels"):
        plan = document.load(BuildPlan, ROOT / "deploy" / "demo" / "builds" / f"{name}.yaml")
        questions = load(plan)
        assert all(question.messages[0]["role"] == "system" for question in questions)
        assert all(question.messages[-1]["role"] == "user" for question in questions)
        if name == "parcels":
            assert all(question.expect.calls for question in questions)
        else:
            assert all(question.expect.number is not None for question in questions)
