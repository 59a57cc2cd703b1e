"""The command as a whole: it starts light, explains itself, and never shows a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

from pointsman.cli import main, route, terminal
from tests.pointsman.conftest import Run

HEAVY = (
    "torch",
    "transformers",
    "pydantic",
    "yaml",
    "numpy",
    "httpx",
    "fastapi",
    "sqlalchemy",
    "openai",
    "asyncio",
)
COMMANDS = [
    ["serve"],
    ["check"],
    ["bench"],
    ["route"],
    ["train"],
    ["convert"],
    ["data", "preview"],
    ["data", "build"],
    ["adapters", "list"],
    ["adapters", "check"],
    ["adapters", "register"],
    ["adapters", "promote"],
    ["adapters", "rollback"],
    ["adapters", "retire"],
    ["router", "suggest"],
    ["eval", "demo"],
    ["eval", "model"],
    ["eval", "router"],
]


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, pointsman.cli.main; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_teaches_by_example(run: Run, words: list[str]) -> None:
    shown = run(*words, "--help")
    assert shown.exit_code == 0
    assert f"pointsman {' '.join(words)}" in shown.output.split("Example", 1)[1]


@pytest.mark.parametrize("words", [[], ["adapters"], ["router"], ["eval"]])
def test_a_group_alone_lists_its_commands(run: Run, words: list[str]) -> None:
    shown = run(*words)
    for command in COMMANDS:
        if command[: len(words)] == words:
            assert command[len(words)] in shown.output


def test_the_package_is_the_command_too() -> None:
    for module in ("pointsman", "pointsman.cli"):
        words = [sys.executable, "-m", module, "--version"]
        assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.startswith(
            "pointsman "
        )


@pytest.mark.parametrize(
    "text",
    [
        "name: a\nalias: a\nbase: b\ndata: {sources: []}\n",
        "name: a\nalias: a\ntrain: {learning_rate: 1}\n",
    ],
    ids=["data", "training"],
)
def test_a_recipe_without_a_stage_is_a_recipe(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "r.yaml").write_text(text, encoding="utf-8")
    ended = run("check", tmp_path / "r.yaml")
    assert ended.exit_code == 1
    assert "r.yaml: 1 problem\n" in ended.stderr
    assert "stage: must be one of cpt, sft, rm, dpo, ppo, grpo, quantize, router" in ended.stderr


def test_version(run: Run) -> None:
    assert run("--version").output == "pointsman 0.1.0\n"


def test_an_unexpected_error_is_one_line_and_its_traceback_is_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(route, "_ask", broken)
    monkeypatch.setattr(sys, "argv", ["pointsman", "route", "hello"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 70
    assert capsys.readouterr().err.splitlines() == [
        "error: KeyError: 'lost'",
        "this is a fault in Pointsman; POINTSMAN_TRACEBACK=1 shows where",
    ]
    monkeypatch.setenv("POINTSMAN_TRACEBACK", "1")
    with pytest.raises(KeyError):
        main.main()


def test_a_line_number_is_no_emoji(capsys: pytest.CaptureFixture[str]) -> None:
    line = "rows.jsonl:100: instruction: is missing"
    terminal.say(line)
    terminal.say(line, markup=True)
    terminal.out().print(line)
    with pytest.raises(typer.Exit):
        terminal.fail_with([line, line])
    with terminal.Progress() as report:
        report(line)
    shown = capsys.readouterr()
    assert shown.out == f"{line}\n" * 3
    assert shown.err.count(":100:") == 3


def test_in_a_log_what_is_new_is_told_at_once_and_what_goes_on_seldom(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with terminal.Progress() as report:
        for url in ("http://127.0.0.1:1", "http://127.0.0.1:2"):
            for done in (5, 10):
                report(f"round 1 of 2 on {url}: {done} of 10")
    lines = [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]
    assert lines == [f"round 1 of 2 on http://127.0.0.1:{port}: 5 of 10" for port in (1, 2)]


def test_what_stumbles_after_ctrl_c_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stumbles() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            [].pop()

    monkeypatch.setattr(main, "app", stumbles)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == ""


def test_a_long_line_is_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    line = "served by vLLM with " + "/a/deep/folder" * 20 + ": no problems [1]"
    terminal.say(line)
    assert capsys.readouterr().out == line + "\n"
