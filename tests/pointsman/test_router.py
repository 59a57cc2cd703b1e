"""`pointsman router suggest`: from the log of decisions to rows that can be corrected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pointsman.cli import local
from router.deciding.decision import Decision
from router.examples import RoutingExamples
from router.router import Router
from service.kept.decisions import DecisionLog
from tests.pointsman.conftest import Run
from tests.router.conftest import FRUIT, METAL, NONE, WordEncoder


def logged(text: str) -> Decision:
    return Decision(None, 0.4, True, (), 0.5, (), text)


@pytest.fixture
def unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration's router is one without a model, to which all is half metal and half fruit."""

    class Unsure(Router):
        def decide_many(self, conversations: object) -> list[Decision]:
            assert isinstance(conversations, list)
            top = (("metal", 0.5), ("fruit", 0.49))
            return [Decision("metal", 0.5, False, top, 0.5, (), said[0]["content"]) for said in conversations]

    fitted = Router.fit(RoutingExamples({"fruit": FRUIT, "metal": METAL}, NONE), WordEncoder())
    router = Unsure(fitted.model, fitted.report, fitted.encoder, "")
    monkeypatch.setattr(local, "local_router", lambda *_: (None, router))


@pytest.mark.usefixtures("unsure")
def test_suggestions_are_shown_and_added_to_a_file(run: Run, config: Path, tmp_path: Path) -> None:
    log = DecisionLog(tmp_path / "state", "texts")
    for text in ("an [old] apple of iron", "a golden spoon", "an [old] apple of iron"):
        log.write(logged(text))
    log.close()
    rows = tmp_path / "more.jsonl"
    shown = run("router", "suggest", "--config", config, "--out", rows)
    assert shown.exit_code == 0
    assert "an [old] apple of iron" in shown.stdout
    assert [json.loads(line) for line in rows.read_text("utf-8").splitlines()] == [
        {"text": "an [old] apple of iron", "intent": "metal"},
        {"text": "a golden spoon", "intent": "metal"},
    ]
    as_json = json.loads(run("router", "suggest", "--config", config, "--count", "1", "--json").stdout)
    assert as_json == [
        {
            "text": "an [old] apple of iron",
            "intent": "metal",
            "confidence": 0.5,
            "second": "fruit",
            "asked": 2,
        }
    ]


def test_what_is_missing_is_said_with_the_fix(run: Run, config: Path, tmp_path: Path) -> None:
    ended = run("router", "suggest", "--config", config)
    assert ended.exit_code == 1
    log_file = tmp_path / "state" / "decisions.jsonl"
    assert f"no decisions in {log_file}; set `router: {{decision_log: texts}}`" in ended.stderr
    log = DecisionLog(tmp_path / "state", "decisions")
    log.write(logged("kept from us"))
    log.close()
    assert "holds 1 decisions and no text" in run("router", "suggest", "--config", config).stderr
