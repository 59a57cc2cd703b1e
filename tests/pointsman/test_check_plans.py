"""`pointsman check` of what is asked: plans of `eval model` and of `data build`, read without a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pointsman.conftest import ROOT, Run

DEMO = ROOT / "deploy" / "demo"


def test_the_demos_plans_are_read_with_their_rows(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    ended = run("check", DEMO / "evaluations" / "support.yaml")
    assert ended.exit_code == 0, ended.stderr
    assert "support.yaml: measures general.base-mix, loss.support" in ended.stdout
    ended = run("check", DEMO / "builds" / "sums.yaml")
    assert ended.stdout == f"{DEMO / 'builds' / 'sums.yaml'}: asks math 50 questions: no problems\n"


def test_what_is_wrong_with_a_plan_is_said(run: Run, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"messages": 5}) + "\n", encoding="utf-8")
    plan = tmp_path / "plan.yaml"
    plan.write_text("loss: {a: {path: none.jsonl}}\nmax_token: 3\n", encoding="utf-8")
    ended = run("check", plan)
    assert ended.exit_code == 1
    assert f"{plan}:2: max_token: unknown key; did you mean 'max_tokens'?" in ended.stderr
    assert f"{plan}:1: loss.a: path and format go together" in ended.stderr
    held = f"{{path: {rows}, format: messages}}"
    plan.write_text(f"loss: {{a: {held}}}\nanswers: {{b: {{path: none.jsonl}}}}\n", encoding="utf-8")
    ended = run("check", plan)
    assert ended.exit_code == 1
    assert "none.jsonl: no such file" in ended.stderr
    assert "rows.jsonl:1: messages: must be a list; found 5" in ended.stderr

    text = (DEMO / "builds" / "sums.yaml").read_text("utf-8")
    plan.write_text(text.replace("form: cot", "form: react\ntools: [none]"), encoding="utf-8")
    assert "none" in run("check", plan).stderr
    plan.write_text(text.replace("tries: 2", "trie: 2"), encoding="utf-8")
    assert "trie: unknown key; did you mean 'tries'?" in run("check", plan).stderr


def test_a_list_is_none_of_them(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.yaml").write_text("- a\n", encoding="utf-8")
    assert "  list.yaml:1: must be a mapping, keys with values" in run("check", "list.yaml").stderr


@pytest.mark.parametrize(
    "text",
    [
        "model_name_or_path: Qwen/Qwen3-8B\nadapter_name_or_path: saves/a\nexport_dir: out\n",
        "model: {_component_: torchtune.models.llama3.llama3_8b}\nbatch_size: 2\nepochs: 1\n",
    ],
)
def test_a_recipe_of_another_program_is_told_of_stages_and_not_of_the_gateway(
    run: Run, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "theirs.yaml"
    path.write_text(text, encoding="utf-8")
    ended = run("check", path)
    assert ended.exit_code == 1
    assert "stage: must be one of cpt, sft, rm, dpo" in ended.stderr
    path.write_text(f"engine: {{}}\n{text}", encoding="utf-8")
    assert "engine.model: is required" in run("check", path).stderr  # settings with foreign keys stay such
