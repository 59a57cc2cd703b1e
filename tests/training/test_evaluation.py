"""A served model is measured as training measures it, and shown in every form of report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.pointsman.canned import Canned, canned
from tests.training.evaluating import harness, held, measured, plan, value
from tests.training.rows import CONVERSATIONS, TOOL, TOOL_USE, write_rows
from tests.training.serving import echoing, message, server
from training.data.tokens.token_rows import TokenRows
from training.errors import SourceError
from training.evaluation import report
from training.evaluation.calls import Call, alike, read
from training.evaluation.evaluate import evaluate
from training.evaluation.load import load
from training.evaluation.measures import Measure
from training.models import base as bases
from training.models import logprobs
from training.served import said

TASK = """\
task: colours
dataset_path: json
dataset_kwargs: {data_files: {test: %s}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: choices
doc_to_target: answer
metric_list: [{metric: acc}]
"""

GENERATED = """\
task: sums
dataset_path: json
dataset_kwargs: {data_files: {test: %s}}
test_split: test
output_type: generate_until
generation_kwargs: {until: ["."], max_gen_toks: 8}
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
metric_list: [{metric: exact_match}]
"""


@pytest.fixture
def tiny_server(base: Path) -> Iterator[Canned]:
    """The tiny base, served under two names; it never calls a tool."""
    model: Any = bases.load_model(str(base))
    with canned(server("tiny", "other", completions=echoing(model), chat=message("In Brno."))) as found:
        yield found


def test_the_loss_is_what_training_measures(
    tmp_path: Path, base: Path, tokenizer: Any, tiny_server: Canned
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [*CONVERSATIONS[:5], TOOL_USE])
    asked = plan(loss={"a": held(rows)}, general={"b": held(rows, rows=2)})
    [found] = measured(asked, tokenizer, tiny_server.url, "tiny")

    from training.data.formats import learned
    from training.data.reading import sources
    from training.data.rendering import render

    ids: list[int] = []
    mask: list[int] = []
    lengths: list[int] = []
    for row in learned.read(sources.Part(asked.loss["a"].source, 0, 0, None), "sft"):
        tokens, trained = render.tokens(tokenizer, row, "sft")
        ids, mask, lengths = [*ids, *tokens], [*mask, *trained], [*lengths, len(tokens)]
    import numpy as np

    whole = TokenRows(np.array(ids, np.int32), np.array(mask, np.bool_), np.array(lengths))
    model: Any = bases.load_model(str(base))
    right = -logprobs.answers(model, whole, int(tokenizer.pad_token_id)).sum() / sum(mask)
    assert value(found, "loss.a.nats_per_token") == pytest.approx(right, abs=1e-4)
    assert found.measures["loss.a.nats_per_token"].count == sum(mask)
    assert value(found, "loss.a.perplexity") == pytest.approx(np.exp(right), rel=1e-4)
    assert [row["row"] for row in found.details if row["part"] == "general.b"] == [f"{rows}:1", f"{rows}:2"]
    assert set(tiny_server.keys) == {"Bearer k"}


def test_a_whole_text_is_measured_but_for_its_first_token(
    tmp_path: Path, tokenizer: Any, tiny_server: Canned
) -> None:
    rows = write_rows(tmp_path / "texts.jsonl", [{"text": "red green"}])
    [found] = measured(plan(general={"t": held(rows, "text")}), tokenizer, tiny_server.url, "tiny")
    ids = [*tokenizer("red green")["input_ids"], tokenizer.get_vocab()["<|endoftext|>"]]
    assert tiny_server.asked[-1][1]["prompt"] == ids
    assert found.measures["general.t.nats_per_token"].count == len(ids) - 1


def test_rows_are_called_and_parted_as_in_a_recipe(
    tmp_path: Path, tokenizer: Any, tiny_server: Canned
) -> None:
    asked = write_rows(tmp_path / "asked.jsonl", [{"query": "red?", "reply": "blue"}])
    lines = tmp_path / "lines.txt"
    lines.write_text("red\ngreen\nblue\n", encoding="utf-8")
    named = held(asked, "alpaca", columns={"instruction": "query", "output": "reply"})
    parts = plan(loss={"g": named}, general={"w": held(lines, "text", documents="line")})
    [found] = measured(parts, tokenizer, tiny_server.url, "tiny")
    assert [row["row"] for row in found.details] == [f"{asked}:1", *(f"{lines}:{i}" for i in (1, 2, 3))]
    with pytest.raises(ValidationError, match=r"documents: only a \.txt file is parted"):
        plan(general={"w": held(asked, documents="line")})


def test_preferences_are_the_log_probabilities_of_answers(
    tmp_path: Path, tokenizer: Any, tiny_server: Canned
) -> None:
    pairs = [
        {"prompt": "red?", "chosen": "blue", "rejected": "blue " * 9},  # shorter is likelier ...
        {"prompt": "red?", "chosen": "late " * 9, "rejected": "late"},  # ... whichever is chosen
    ]
    rows = write_rows(tmp_path / "pairs.jsonl", pairs)
    asked = plan(preferences={"p": held(rows, "pairs")})
    [found] = measured(asked, tokenizer, tiny_server.url, "tiny")
    assert value(found, "preferences.p.accuracy") == 0.5
    details = list(found.details)
    margins = [row["rejected_nats"] - row["chosen_nats"] for row in details]
    assert margins[0] > 0 > margins[1]
    assert value(found, "preferences.p.margin_nats") == pytest.approx(sum(margins) / 2, abs=1e-3)
    assert details[0]["row"] == f"{rows}:1"
    by_token = [
        row["rejected_nats"] / row["tokens"][1] > row["chosen_nats"] / row["tokens"][0] for row in details
    ]
    assert value(found, "preferences.p.token_accuracy") == sum(by_token) / 2


def test_tool_calls_are_counted_by_hand(tmp_path: Path, tokenizer: Any) -> None:
    """Six turns: four should call. Right; wrong argument; unknown tool; none at all; then a call that
    should not be, and words where words should be."""
    schema = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    tool = {"type": "function", "function": {**TOOL["function"], "parameters": schema}}
    called = {"function": {"name": "track", "arguments": {"id": "PX1"}}}
    wants = [True, True, True, True, False, False]
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"turn {i}"},
                {"role": "assistant", "content": "" if want else "No.", "tool_calls": [called] * want},
            ],
            "tools": [tool],
        }
        for i, want in enumerate(wants)
    ]
    answers = {
        "turn 0": message("", ("track", '{"id": "PX1"}')),
        "turn 1": message("", ("track", '{"id": 7}')),
        "turn 2": message("", ("find", "{}")),
        "turn 3": message("It is in Brno."),
        "turn 4": message('<tool_call>{"name": "track"'),
        "turn 5": message("No."),
    }

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        assert body["temperature"] == 0
        assert body["tools"] == [tool]
        return answers[body["messages"][-1]["content"]]

    asked = plan(tools={"t": held(write_rows(tmp_path / "rows.jsonl", rows))})
    with canned(server("tiny", chat=answer)) as gateway:
        [found] = measured(asked, tokenizer, gateway.url, "tiny")
    assert {name.removeprefix("tools.t."): measure.value for name, measure in found.measures.items()} == {
        "trigger_precision": 3 / 4,
        "trigger_recall": 3 / 4,
        "trigger_f1": 6 / 8,
        "form_accuracy": 3 / 4,
        "schema_accuracy": 1 / 4,
        "tool_accuracy": 2 / 4,
        "argument_accuracy": 1 / 4,
        "irrelevance_accuracy": 1 / 2,
    }
    assert found.details[2]["faults"] == ["there is no tool 'find'"]
    assert "7 is not of type 'string'" in found.details[1]["faults"][0]


def test_a_conversation_is_asked_turn_by_turn_in_openais_form(tmp_path: Path, tokenizer: Any) -> None:
    asked = plan(tools={"t": held(write_rows(tmp_path / "rows.jsonl", [TOOL_USE, *CONVERSATIONS[:2]]))})
    with canned(server("tiny", chat=message("In Brno."))) as gateway:
        [found] = measured(asked, tokenizer, gateway.url, "tiny")
    bodies = sorted((body for _, body in gateway.asked if body), key=lambda body: len(body["messages"]))
    assert [len(body["messages"]) for body in bodies] == [2, 4]
    call, result = bodies[1]["messages"][2]["tool_calls"][0], bodies[1]["messages"][3]
    assert call["function"]["arguments"] == '{"id": "PX1"}'
    assert result["tool_call_id"] == call["id"]
    [part] = load(asked, tokenizer)
    assert part.dropped == {"no tools, or no turn of an assistant": 2}
    assert value(found, "tools.t.trigger_recall") == 0


def odd_calls(calls: Any) -> dict[str, Any]:
    """An answer with these ``tool_calls``."""
    said = message("", finish="tool_calls")
    said["choices"][0]["message"]["tool_calls"] = calls
    return said


@pytest.mark.parametrize(
    ("choice", "fault"),
    [
        (message("", ("track", "{")), "arguments must be the JSON text of an object, found '{'"),
        (message("", ("track", "[1]")), "arguments must be the JSON text of an object, found '[1]'"),
        (odd_calls(["hello"]), "a call must be an object, found 'hello'"),
        (odd_calls("hello"), "a call must be an object, found 'hello'"),
        (
            odd_calls([{"type": "function", "id": "c0", "function": "hello"}]),
            "arguments must be the JSON text of an object, found None",
        ),
        (message("", ("track", "{}"), finish="stop"), "finish_reason must be tool_calls, found 'stop'"),
    ],
)
def test_a_call_of_bad_form(choice: Mapping[str, Any], fault: str) -> None:
    assert read(choice["choices"][0], [TOOL]).faults == [fault]


@pytest.mark.parametrize(
    ("wanted", "made", "same"),
    [
        ([("a", {"x": 1}), ("b", {})], [("b", {}), ("a", {"x": 1})], True),
        ([("a", {"x": [1, 2]}), ("a", {"x": [2, 1]})], [("a", {"x": [2, 1]}), ("a", {"x": [1, 2]})], True),
        ([("a", {}), ("a", {}), ("b", {})], [("a", {}), ("b", {}), ("b", {})], False),
        ([("a", {})], [("a", {}), ("a", {})], False),
        ([("a", {}), ("b", {})], [("a", {})], False),
        ([("a", {"x": 1}), ("b", {"x": 2})], [("a", {"x": 2}), ("b", {"x": 1})], False),
        ([], [], True),
    ],
)
def test_parallel_calls_have_no_order(wanted: list[Call], made: list[Call], same: bool) -> None:
    assert alike(wanted, made) == same


def test_two_parallel_calls_in_another_order_are_right(tmp_path: Path, tokenizer: Any) -> None:
    calls = [{"type": "function", "function": {"name": "track", "arguments": {"id": i}}} for i in "ab"]
    turns = [{"role": "user", "content": "Where?"}, {"role": "assistant", "tool_calls": calls}]
    rows = write_rows(tmp_path / "rows.jsonl", [{"messages": turns, "tools": [TOOL]}])
    answer = message("", ("track", '{"id": "b"}'), ("track", '{"id": "a"}'))
    with canned(server("tiny", chat=answer)) as found:
        [shown] = measured(plan(tools={"t": held(rows)}), tokenizer, found.url, "tiny")
    assert value(shown, "tools.t.tool_accuracy") == value(shown, "tools.t.argument_accuracy") == 1.0


def test_two_models_side_by_side_in_every_form_of_report(
    tmp_path: Path, tokenizer: Any, tiny_server: Canned
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [TOOL_USE, *CONVERSATIONS[:4]])
    asked = plan(general={"g": held(rows)}, tools={"t": held(rows)})
    tiny_server.headers["x-pointsman-adapter"] = "tiny@0123456789ab"
    parts = load(asked, tokenizer)
    lines: list[str] = []
    models = ("tiny", "other")
    found = evaluate(parts, models, url=tiny_server.url, api_key=None, concurrency=2, report=lines.append)
    report.write(tmp_path / "report", found, parts, {"server": "here", "asked": {}})
    assert "other, general.g: 5 of 5 requests" in lines

    content = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))
    loss = content["models"]["tiny"]["measures"]["general.g.nats_per_token"]
    assert loss["value"] == pytest.approx(value(found[0], "general.g.nats_per_token"))
    assert content["models"]["tiny"]["versions"] == ["tiny@0123456789ab"]
    same = content["differences"]["tiny - other"]["general.g.nats_per_token"]
    assert same == {"value": 0.0, "standard_error": 0.0}
    assert content["dropped_rows"] == {"tools.t": {"no tools, or no turn of an assistant": 4}}

    text = (tmp_path / "report" / "report.md").read_text("utf-8")
    assert text.startswith("# tiny against other\n")
    assert f"| g.nats per token | {loss['value']:.4f} ± {loss['standard_error']:.4f} |" in text
    assert "| t.trigger recall | 0.0 ± 0.0 % |" in text  # one turn of two should call, and none does
    assert report.FORGETTING in text
    assert (tmp_path / "report" / "report.png").read_bytes().startswith(b"\x89PNG")
    details = (tmp_path / "report" / "rows.jsonl").read_text("utf-8").splitlines()
    assert len(details) == 2 * (5 + 2)


def test_a_report_shows_what_could_not_be_measured() -> None:
    import numpy as np

    none = Measure(None, None, 0.0, np.zeros(0))
    assert report.shown("tools.t.form_accuracy", none) == "none"
    assert (
        report.shown("lm_eval.sums.exact_match.result", Measure(0.5, 0.1, 4, np.zeros(0))) == "50.0 ± 10.0 %"
    )
    assert report.shown("lm_eval.sums.word_perplexity", Measure(9.5, None, 4, np.zeros(0))) == "9.5000"


def test_a_task_of_the_harness_from_a_file(tmp_path: Path, tokenizer: Any, tiny_server: Canned) -> None:
    pytest.importorskip("lm_eval", reason="the extra lm-eval is not installed")
    documents = [
        {"question": "red", "choices": ["blue", "blue blue blue blue"], "answer": i} for i in (0, 1, 0)
    ]
    (tmp_path / "colours.yaml").write_text(TASK % write_rows(tmp_path / "colours.jsonl", documents), "utf-8")
    [found] = measured(harness(tmp_path, "colours"), tokenizer, tiny_server.url, "tiny")
    assert value(found, "lm_eval.colours.acc") == pytest.approx(2 / 3)  # the shorter one is likelier
    assert found.measures["lm_eval.colours.acc"].error is not None
    with pytest.raises(SourceError, match=r"numbers: no such task in .*; it has colours"):
        load(harness(tmp_path, "numbers"), tokenizer)


@pytest.mark.parametrize(
    ("text", "right"), [("<think>12?</think>\n\n7", 1), ("7", 1), ("<think>7", 0), ("<think></think>12", 0)]
)
def test_a_task_judges_what_follows_a_thought(
    tmp_path: Path, tokenizer: Any, text: str, right: float
) -> None:
    pytest.importorskip("lm_eval", reason="the extra lm-eval is not installed")
    path = write_rows(tmp_path / "sums.jsonl", [{"question": "3 + 4 =", "answer": "7"}])
    (tmp_path / "sums.yaml").write_text(GENERATED % path, "utf-8")
    with canned(server("tiny", completions={"choices": [{"text": text}]})) as found:
        [shown] = measured(harness(tmp_path, "sums"), tokenizer, found.url, "tiny")
    assert value(shown, "lm_eval.sums.exact_match") == right


@pytest.mark.parametrize(
    ("whole", "left"),
    [
        (" 7\n", " 7\n"),
        ("<think>a</think>\n 7\n", "7"),
        ("a</think>7", "7"),
        ("<think>7", ""),
        ("<think></think>\n", ""),
    ],
)
def test_what_follows_a_thought(whole: str, left: str) -> None:
    assert said.behind_thought(whole) == left
