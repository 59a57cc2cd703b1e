"""``pointsman eval model`` and ``pointsman data build`` as typed, and what they say when it goes wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pointsman.canned import canned
from tests.pointsman.conftest import ROOT, Run
from tests.training.serving import every, message, server
from training.served import transport

DEMO = ROOT / "deploy" / "demo"
PLAN = """\
tools:
  desk: {generator: "deploy.demo.text.corpus:held_out_rows", arguments: {adapter: support}, rows: 9}
"""


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_WAIT", 0.0)


def test_a_report_is_printed_and_written(run: Run, tmp_path: Path) -> None:
    plan, out = tmp_path / "plan.yaml", tmp_path / "out"
    plan.write_text(PLAN, encoding="utf-8")
    words = ("--plan", plan, "--rows", "3", "--out", out, "--tokenizer", DEMO / "base")
    with canned(server("support", "base", chat=message("I can't say."))) as gateway:
        ended = run("eval", "model", "support", "--against", "base", "--url", gateway.url, *words)
    assert ended.exit_code == 0, ended.output
    assert "# support against base" in ended.stdout
    assert "| desk.trigger recall | 0.0" in ended.stdout
    assert f"written to {out}" in ended.stdout
    assert sorted(file.name for file in out.iterdir()) == [
        "report.json",
        "report.md",
        "report.png",
        "rows.jsonl",
    ]
    content = json.loads((out / "report.json").read_text("utf-8"))
    assert content["asked"]["tools"]["desk"]["rows"] == 3
    assert set(content["models"]) == {"support", "base"}


def test_what_was_measured_is_written_and_what_is_missing_ends_the_command(run: Run, tmp_path: Path) -> None:
    plan, out = tmp_path / "plan.yaml", tmp_path / "out"
    arguments = '{generator: "deploy.demo.text.corpus:held_out_rows", arguments: {adapter: support}, rows: 9}'
    plan.write_text(f"general:\n  desk: {arguments}\n{PLAN}", encoding="utf-8")
    words = ("--plan", plan, "--rows", "3", "--out", out, "--tokenizer", DEMO / "base")
    refused = {"error": {"message": "no such parser", "code": 400}}
    with canned(server("support", chat=refused, completions=every(-1.0))) as gateway:
        ended = run("eval", "model", "support", "--url", gateway.url, *words)
    assert ended.exit_code == 1
    assert "| desk.nats per token | 1.0000" in ended.stdout
    assert "not measured, and missing in the report; asked again, all parts are measured anew" in ended.stderr
    assert "tools.desk of support: " in ended.stderr
    content = json.loads((out / "report.json").read_text("utf-8"))["models"]["support"]
    assert list(content["missing"]) == ["tools.desk"]
    assert "general.desk.perplexity" in content["measures"]


def test_what_is_wrong_is_one_message(run: Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    ended = run("eval", "model", "support", "--plan", plan)
    assert ended.exit_code == 1
    assert "no such file" in ended.stderr
    plan.write_text(PLAN, encoding="utf-8")
    words = ("--plan", plan, "--tokenizer", DEMO / "base", "--url")
    assert (
        "nothing answers at http://127.0.0.1:9"
        in run("eval", "model", "a", *words, "http://127.0.0.1:9").stderr
    )
    with canned(server("support")) as gateway:
        assert (
            "serves no model 'suport'; it serves support"
            in run("eval", "model", "suport", *words, gateway.url).stderr
        )
    plan.write_text(PLAN.replace("adapter: support", "adapter: owls"), encoding="utf-8")
    assert "no adapter 'owls' in the demo" in run("eval", "model", "a", *words, "http://127.0.0.1:9").stderr


def test_a_build_says_its_yield(run: Run, tmp_path: Path) -> None:
    plan = (DEMO / "builds" / "sums.yaml").read_text("utf-8").replace("rows: 50", "rows: 3")
    (tmp_path / "sums.yaml").write_text(plan, encoding="utf-8")
    words = ("data", "build", tmp_path / "sums.yaml", "--runs", tmp_path, "--teacher")
    with canned(server("math", chat=message("<think>hm</think> it is none"))) as teacher:
        ended = run(*words, teacher.url)
    assert ended.exit_code == 0, ended.output
    assert "0 rows of 3 questions (0%), from 6 tries:\n      6 wrong final answer\n" in ended.stdout
    assert (tmp_path / "sums-rows" / "rows.jsonl").read_text("utf-8") == ""
    done = run(*words, "http://127.0.0.1:9")  # nothing is left to ask
    assert done.exit_code == 0, done.output


def test_a_build_needs_a_teacher_and_tools_that_are_there(run: Run, tmp_path: Path) -> None:
    words = ("--runs", tmp_path, "--teacher", "http://127.0.0.1:9")
    ended = run("data", "build", DEMO / "builds" / "parcels.yaml", *words)
    assert ended.exit_code == 1
    assert "nothing answers at http://127.0.0.1:9" in ended.stderr
    plan = (DEMO / "builds" / "parcels.yaml").read_text("utf-8").replace("tools: [", "tools: [find_owl, ")
    (tmp_path / "owl.yaml").write_text(plan, encoding="utf-8")
    assert "find_owl" in run("data", "build", tmp_path / "owl.yaml", *words).stderr
