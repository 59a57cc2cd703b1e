"""A served model is measured as training measures it, and what is wrong is said before, or named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman import document
from pointsman.document import DocumentError
from tests.pointsman.canned import Canned, Reply, canned
from tests.training.rows import CONVERSATIONS, ROOT, TOOL, TOOL_USE, write_rows
from tests.training.serving import echoing, message, server
from training import base as bases
from training import endpoint, logprobs
from training.endpoint import Endpoint
from training.errors import BadRows, EndpointError, ModelUnknown, NothingToLearn, PackageMissing, SourceError
from training.evaluation import report
from training.evaluation.calls import read
from training.evaluation.evaluate import Findings, evaluate
from training.evaluation.load import load
from training.evaluation.measures import Measure
from training.evaluation.plan import Plan
from training.token_rows import TokenRows


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "FIRST_WAIT", 0.0)


@pytest.fixture
def tiny_server(base: Path) -> Iterator[Canned]:
    """The tiny base, served under two names; it never calls a tool."""
    model: Any = bases.load_model(str(base))
    with canned(server("tiny", "other", completions=echoing(model), chat=message("In Brno."))) as found:
        yield found


def plan(**parts: Any) -> Plan:
    return Plan.model_validate(parts)


def held(path: Path, form: str = "messages", **more: Any) -> dict[str, Any]:
    return {"path": str(path), "format": form, **more}


def measured(asked: Plan, tokenizer: Any, url: str, *models: str) -> list[Findings]:
    parts = load(asked, tokenizer)
    return evaluate(parts, models, url=url, api_key="k", concurrency=4, report=lambda _: None)


def value(found: Findings, name: str) -> float:
    number = found.measures[name].value
    assert number is not None
    return number


def test_the_loss_is_what_training_measures(
    tmp_path: Path, base: Path, tokenizer: Any, tiny_server: Canned
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [*CONVERSATIONS[:5], TOOL_USE])
    asked = plan(loss={"a": held(rows)}, general={"b": held(rows, rows=2)})
    [found] = measured(asked, tokenizer, tiny_server.url, "tiny")

    from training import render, sources

    ids: list[int] = []
    mask: list[int] = []
    lengths: list[int] = []
    for row in sources.read(sources.Part(asked.loss["a"].source, 0, 0, None), "sft"):
        tokens, learned = render.tokens(tokenizer, row, "sft")
        ids, mask, lengths = [*ids, *tokens], [*mask, *learned], [*lengths, len(tokens)]
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


@pytest.mark.parametrize(
    ("choice", "fault"),
    [
        (message("", ("track", "{")), "arguments must be the JSON text of an object, found '{'"),
        (message("", ("track", "[1]")), "arguments must be the JSON text of an object, found '[1]'"),
        (message("", ("track", "{}"), finish="stop"), "finish_reason must be tool_calls, found 'stop'"),
    ],
)
def test_a_call_of_bad_form(choice: Mapping[str, Any], fault: str) -> None:
    assert read(choice["choices"][0], [TOOL]).faults == [fault]


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


def test_all_bad_rows_of_all_parts_are_named_before_anything_is_asked(tmp_path: Path, tokenizer: Any) -> None:
    first = write_rows(tmp_path / "first.jsonl", [CONVERSATIONS[0], {"messages": [{"role": "owl"}]}])
    second = write_rows(tmp_path / "second.jsonl", [{"prompt": "red?", "chosen": "blue"}])
    broken = TOOL_USE | {"tools": [{"function": {"name": "track", "parameters": {"type": "thing"}}}]}
    third = write_rows(tmp_path / "third.jsonl", [broken])
    asked = plan(loss={"a": held(first)}, preferences={"b": held(second, "pairs")}, tools={"c": held(third)})
    with pytest.raises(BadRows) as caught:
        load(asked, tokenizer)
    said = str(caught.value)
    assert f"{first}:2: messages.0.role: must be one of system" in said
    assert f"{second}:1: rejected: must be a text" in said
    assert f"{third}:1: tools.0.parameters: is no JSON schema" in said
    assert said.startswith("3 bad rows")


def test_rows_that_can_not_be_measured_are_counted(tmp_path: Path, tokenizer: Any) -> None:
    rows = write_rows(
        tmp_path / "rows.jsonl", [*CONVERSATIONS[:2], {"messages": [{"role": "user", "content": "a"}]}]
    )
    [part] = load(plan(loss={"a": held(rows)}), tokenizer)
    assert part.requests == 2
    [(why, count)] = part.dropped.items()
    assert (why.partition(":")[0], count) == ("nothing to measure", 1)
    with pytest.raises(
        NothingToLearn, match=r"loss\.a: no row is left to measure \(2 rows: longer than max_tokens"
    ):
        load(plan(max_tokens=16, loss={"a": held(rows)}), tokenizer)


def test_a_server_that_is_away_or_knows_no_such_model(tmp_path: Path, tokenizer: Any) -> None:
    asked = plan(loss={"a": held(write_rows(tmp_path / "rows.jsonl", CONVERSATIONS[:2]))})
    with pytest.raises(EndpointError, match=r"nothing answers at http://127\.0\.0\.1:9/v1/models"):
        measured(asked, tokenizer, "http://127.0.0.1:9", "tiny")
    with pytest.raises(EndpointError, match="is no address of a server"):
        measured(asked, tokenizer, "nowhere", "tiny")
    with canned(server("tiny", "late")) as gateway:
        with pytest.raises(ModelUnknown, match=r"serves no model 'tony'; it serves late, tiny"):
            measured(asked, tokenizer, gateway.url, "tiny", "tony")
        assert not any(name.startswith("POST") for name, _ in gateway.asked)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"error": {"message": "too long", "code": 400}}, r"rows\.jsonl:1 \(\d+ tokens\): .* 400 too long"),
        ({"error": {"message": "no key", "code": 401}}, r"401 no key"),
        ({"choices": [{"text": "a"}]}, "gives no log-probabilities of a prompt"),
        (
            {"choices": [{"logprobs": {"token_logprobs": [None, -1.0], "top_logprobs": [None, {}]}}]},
            "tokenizer",
        ),
        ({"choices": []}, "without choices"),
    ],
)
def test_a_server_that_can_not_answer(tmp_path: Path, tokenizer: Any, reply: Reply, said: str) -> None:
    asked = plan(loss={"a": held(write_rows(tmp_path / "rows.jsonl", CONVERSATIONS[:1]))})
    with canned(server("tiny", completions=reply)) as gateway, pytest.raises(EndpointError, match=said):
        measured(asked, tokenizer, gateway.url, "tiny")


def test_what_passes_is_asked_again() -> None:
    answers = iter([{"error": {"message": "busy", "code": 503}}, message("yes")])

    async def ask(url: str) -> Any:
        async with Endpoint(f"{url}/v1/", "tiny") as found:
            await found.check()
            return await found.chat({"messages": []})

    with canned(server("tiny", chat=lambda _: next(answers))) as gateway:
        assert asyncio.run(ask(gateway.url))["message"]["content"] == "yes"
        assert [name for name, _ in gateway.asked] == ["GET /v1/models", *["POST /v1/chat/completions"] * 2]


def test_a_version_is_a_model_that_is_not_in_the_list() -> None:
    async def check(url: str, model: str) -> None:
        async with Endpoint(url, model) as found:
            await found.check()

    with canned({**server("tiny"), "GET /v1/models/tiny@01": {"id": "tiny@01"}}) as gateway:
        asyncio.run(check(gateway.url, "tiny@01"))
        with pytest.raises(ModelUnknown):
            asyncio.run(check(gateway.url, "tiny@02"))


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


def harness(folder: Path, *tasks: str) -> Plan:
    return plan(lm_eval={"folder": str(folder), "tasks": list(tasks)})


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


def test_the_harness_is_asked_for_and_not_installed(
    tmp_path: Path, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("lm_eval", "lm_eval.api", "lm_eval.tasks"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(
        PackageMissing, match=r"uv pip install --constraint deploy/env/cpu\.txt 'lm-eval\[api\]'"
    ):
        load(harness(tmp_path, "colours"), tokenizer)


def test_everything_wrong_with_a_plan_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    both = {"path": "a.jsonl", "generator": "a:b"}
    content = {"loss": {"a": both, "b": {"path": "b.jsonl"}, "c": {"generator": "a:b", "row": 3}}}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        document.load(Plan, path)
    assert [problem.field for problem in caught.value.problems] == ["loss.a", "loss.b", "loss.c.row"]
    path.write_text("seed: 1\n", encoding="utf-8")
    with pytest.raises(DocumentError, match="asks for nothing"):
        document.load(Plan, path)
    path.write_text("loss: {a: {path: a.jsonl, format: pairs}}\n", encoding="utf-8")
    with pytest.raises(DocumentError, match=r"loss\.a\.format: pairs are for preferences"):
        document.load(Plan, path)


@pytest.mark.parametrize("name", ["support", "sums"])
def test_the_demos_plans_can_be_asked(name: str) -> None:
    found = document.load(Plan, ROOT / "deploy" / "demo" / "evaluations" / f"{name}.yaml")
    shorter = {
        kind: {key: part.model_copy(update={"rows": 2}) for key, part in getattr(found, kind).items()}
        for kind in ("loss", "general", "tools", "preferences")
    }
    tokenizer = bases.load_tokenizer(str(ROOT / "deploy" / "demo" / "base"))
    few = found.model_copy(update=shorter | {"lm_eval": None})
    for part in load(few, tokenizer):
        assert part.requests >= 2
