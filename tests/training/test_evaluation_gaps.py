"""A part that can't be measured takes no other with it: it is missing in the report, by name and reason."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.pointsman.canned import canned
from tests.training.evaluating import held, measured, plan, value
from tests.training.rows import CONVERSATIONS, TOOL_USE, write_rows
from tests.training.serving import every, message, models, server
from training.errors import EndpointError, PartsMissing
from training.evaluation import report
from training.evaluation.evaluate import refuse_gaps
from training.evaluation.load import load
from training.served import transport


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_WAIT", 0.0)


def test_what_was_measured_is_in_every_form_of_report(tmp_path: Path, tokenizer: Any) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [TOOL_USE, *CONVERSATIONS[:4]])
    pairs = write_rows(
        tmp_path / "pairs.jsonl", [{"prompt": "red?", "chosen": "blue", "rejected": "b " * 400}]
    )
    asked = plan(general={"g": held(rows)}, tools={"t": held(rows)}, preferences={"p": held(pairs, "pairs")})

    def chat(body: dict[str, Any]) -> dict[str, Any]:
        if body["model"] == "other":
            return {"error": {"message": "no such parser", "code": 400}}
        return message("blue")

    def complete(body: dict[str, Any]) -> dict[str, Any]:
        if len(body["prompt"]) > 400:
            return {"error": {"message": "too long", "code": 400}}
        return every(-1.0)(body)

    parts = load(asked, tokenizer)
    with canned(server("tiny", "other", chat=chat, completions=complete)) as gateway:
        found = measured(asked, tokenizer, gateway.url, "tiny", "other")
    assert [list(one.missing) for one in found] == [["preferences.p"], ["tools.t", "preferences.p"]]
    with pytest.raises(PartsMissing, match=rf"tools\.t of other: {rows}:1 messages\.\d: .* 400") as caught:
        refuse_gaps(found)
    assert [gap.partition(":")[0] for gap in caught.value.gaps] == [
        "preferences.p of tiny",
        "tools.t of other",
        "preferences.p of other",
    ]
    for ordered, row in [
        (found, "| t.trigger recall | 0.0 ± 0.0 % | none | none |"),
        (found[::-1], "| t.trigger recall | none | 0.0 ± 0.0 % | none |"),
    ]:
        report.write(tmp_path / "report", ordered, parts, {"server": "here", "asked": {}})
        text = (tmp_path / "report" / "report.md").read_text("utf-8")
        assert row in text
        assert "| g.nats per token | 1.0000 ± 0.0000 |" in text
        assert f"- **not measured**: tools.t of other: {rows}:1 messages." in text
        assert "## Preferences" not in text
        told = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))["models"]
        assert "400 no such parser" in told["other"]["missing"]["tools.t"]
        assert list(told["tiny"]["missing"]) == ["preferences.p"]
        assert told["tiny"]["measures"]["tools.t.trigger_recall"]["value"] == 0
        assert (tmp_path / "report" / "report.png").read_bytes().startswith(b"\x89PNG")


def test_a_server_that_went_away_is_asked_for_no_more_parts(tmp_path: Path, tokenizer: Any) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", CONVERSATIONS[:2])
    asked = plan(loss={name: held(rows) for name in ("a", "b", "c")})
    counted = iter(range(100))

    def two(body: dict[str, Any]) -> dict[str, Any]:
        if next(counted) < 2:
            return every(-1.0)(body)
        gateway.answers = {"GET /v1/models": models("late")}
        return {"error": {"message": "gone", "code": 404}}

    with canned(server("tiny", completions=two)) as gateway:
        [found] = measured(asked, tokenizer, gateway.url, "tiny")
    assert value(found, "loss.a.nats_per_token") == 1
    assert list(found.missing) == ["loss.b", "loss.c"]
    assert "404" in str(found.missing["loss.b"])
    assert str(found.missing["loss.c"]).startswith("not asked any more: ")
    assert sum(name.startswith("POST") for name, _ in gateway.asked) == 4


def test_a_server_that_ends_at_a_request_is_told_of_with_what_may_end_it(
    tmp_path: Path, tokenizer: Any
) -> None:
    """As vLLM's CPU build does at a prompt's log-probabilities where lm_head may have an adapter."""
    rows = write_rows(tmp_path / "rows.jsonl", CONVERSATIONS[:1])

    def ends(_: dict[str, Any]) -> dict[str, Any]:
        gateway.answers = {}
        gateway.broken = True
        return {}

    with (
        canned(server("tiny", completions=ends)) as gateway,
        pytest.raises(EndpointError) as caught,
    ):
        measured(plan(loss={"a": held(rows)}), tokenizer, gateway.url, "tiny")
    assert re.search(
        r"nothing answers at http://.*/v1/completions \(.*running\? It answered until", str(caught.value)
    )
    assert "--lora-target-modules" in str(caught.value)


def test_where_nothing_was_measured_the_first_reason_is_the_error(tmp_path: Path, tokenizer: Any) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", CONVERSATIONS[:1])
    asked = plan(loss={"a": held(rows), "b": held(rows)})
    nothing = server("tiny", completions={"choices": []})
    with canned(nothing) as gateway, pytest.raises(EndpointError, match="without choices"):
        measured(asked, tokenizer, gateway.url, "tiny")
