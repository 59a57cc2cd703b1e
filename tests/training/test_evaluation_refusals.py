"""What is wrong with rows, plans and servers is said before a served model is measured, or named."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from pointsman import document
from pointsman.document import DocumentError
from tests.pointsman.canned import Reply, canned
from tests.training.evaluating import harness, held, measured, plan
from tests.training.rows import CONVERSATIONS, ROOT, TOOL_USE, write_rows
from tests.training.serving import every, message, server
from training.errors import BadRows, EndpointError, ModelUnknown, NothingToLearn, PackageMissing
from training.evaluation.load import load
from training.evaluation.plan import Plan
from training.models import base as bases
from training.served import streamed, transport
from training.served.endpoint import Endpoint


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_WAIT", 0.0)


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
        (every(math.nan), r"rows\.jsonl:1 \(\d+ tokens\): .* the log-probability nan for token 1 of"),
        (every(-math.inf), r"rows\.jsonl:1 \(\d+ tokens\): .* the log-probability -inf for token 1 of"),
        (every(None), r"the log-probability None for token 1 of"),
        (every(-1.0, top=None), "gives no `top_logprobs`"),
        (every(-1.0, top="none"), "gives no `top_logprobs`"),
    ],
)
def test_a_server_that_can_not_answer(tmp_path: Path, tokenizer: Any, reply: Reply, said: str) -> None:
    asked = plan(loss={"a": held(write_rows(tmp_path / "rows.jsonl", CONVERSATIONS[:1]))})
    with canned(server("tiny", completions=reply)) as gateway, pytest.raises(EndpointError, match=said):
        measured(asked, tokenizer, gateway.url, "tiny")


def test_a_server_whose_message_or_stream_is_of_odd_form(tmp_path: Path, tokenizer: Any) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [{"prompt": "red?", "expect": {"contains": ["blue"]}}])
    asked = plan(answers={"a": {"path": str(rows)}})
    answer = message("")
    answer["choices"][0]["message"]["content"] = [{"type": "image_url"}]
    with canned(server("tiny", chat=answer)) as gateway, pytest.raises(EndpointError, match="no text"):
        measured(asked, tokenizer, gateway.url, "tiny")
    for event, said in [
        ({"choices": [{"delta": {"tool_calls": ["hello"]}}]}, "of odd form: .*hello"),
        ({"choices": ["hello"]}, "of odd form"),
        ({"choices": [{"delta": "hello"}]}, "of odd form"),
        ({"choices": [{"delta": {"tool_calls": [{"index": "first"}]}}]}, "of odd form"),
    ]:
        with pytest.raises(EndpointError, match=said):
            streamed.choice(f"data: {json.dumps(event)}\n\ndata: [DONE]\n")


@pytest.mark.parametrize("form", ["prompt_completion", "text", "messages", "bfcl"])
def test_rows_without_two_answers_are_no_preferences(form: str) -> None:
    said = rf"preferences\.a\.format: must be pairs, alpaca or sharegpt, found '{form}'"
    with pytest.raises(ValidationError, match=said):
        plan(preferences={"a": {"path": "a.jsonl", "format": form}})


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
