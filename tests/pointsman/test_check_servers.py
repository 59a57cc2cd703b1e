"""What `pointsman check` asks MCP servers, and what it says of their answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import chains.mcp_tools  # noqa: F401  mcp keeps the stderr of its import, and the runner's is no file
from service.errors import RoutesRejected
from service.routes import load_table
from service.sections import LimitSettings
from service.tool_servers import check_servers
from tests.pointsman.conftest import ROOT, Run

PIPES = ROOT / "tests" / "chains" / "mcp_pipes.py"
SPEAKING = [sys.executable, "-S", str(PIPES)]
SILENT = [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]
GONE = "http://127.0.0.1:1/mcp"
MEETING = """\
import runpy, sys, time
from pathlib import Path
Path(sys.argv[1]).touch()
while len(list(Path(sys.argv[1]).parent.glob("*.here"))) < 2:
    time.sleep(0.01)
runpy.run_path(sys.argv[2], run_name="__main__")
"""


def routes(folder: Path, *sources: dict[str, Any], fallback: tuple[dict[str, Any], ...] = ()) -> Path:
    """A routes file: a route for each of ``sources``, two without, and the fallback."""
    lines = ["version: 1"]
    options = json.dumps({"mcp": list(fallback)})
    lines += ["fallback:", "  chain: react", f"  options: {options}"] if fallback else ["fallback: {}"]
    lines.append("routes:")
    for index, source in enumerate((*sources, None, None)):
        lines += [f"  - intent: r{index}", "    examples: [one, two]"]
        if source is not None:
            lines += ["    chain: react", "    options:", "      mcp:", f"        - {json.dumps(source)}"]
    (folder / "routes.yaml").write_text("\n".join([*lines, ""]), encoding="utf-8")
    return folder / "routes.yaml"


def asked(path: Path, seconds: float = 30.0) -> list[str]:
    table = load_table(path, ROOT / "prompts" / "templates", LimitSettings())
    return check_servers(path, table, seconds)


def problems(path: Path) -> list[str]:
    with pytest.raises(RoutesRejected) as caught:
        asked(path)
    return [line.replace(str(path), "routes.yaml") for line in caught.value.problems]


def test_servers_that_have_what_is_named_are_fine(tmp_path: Path) -> None:
    here = {"command": SPEAKING, "tools": ["locate"]}
    assert asked(routes(tmp_path, here, {"command": SPEAKING}, fallback=(here,))) == []
    assert asked(routes(tmp_path)) == []


def test_a_tool_that_a_server_has_not_is_an_error_with_its_place_and_what_there_is(tmp_path: Path) -> None:
    wrong = {"command": SPEAKING, "tools": ["find"]}
    said = f"the MCP server {' '.join(SPEAKING)} has no tool 'find'; it has: locate"
    assert problems(routes(tmp_path, {"url": GONE}, wrong)) == [
        f"routes.yaml:15: routes.1.options.mcp.0: {said}"
    ]
    assert problems(routes(tmp_path, fallback=(wrong,))) == [
        f"routes.yaml:4: fallback.options.mcp.0: {said}",
    ]


def test_two_tools_of_one_name_are_an_error(tmp_path: Path) -> None:
    here = {"command": SPEAKING}
    assert problems(routes(tmp_path, fallback=(here, here))) == [
        "routes.yaml:4: fallback.options.mcp: two tools of the route are named 'locate'"
    ]


def test_a_server_that_does_not_answer_is_told_once(tmp_path: Path) -> None:
    silent, gone = {"command": SILENT, "tools": ["find"]}, {"url": GONE}
    late, away = asked(routes(tmp_path, silent, gone, fallback=(silent,)), seconds=1.0)
    assert late == (
        f"the MCP server {' '.join(SILENT)} did not list its tools within 1 s; the route 'r0' and the "
        "fallback route will wait for it"
    )
    assert away.startswith(f"the MCP server {GONE} can't be reached: ")
    assert away.endswith("; the route 'r1' will wait for it")


def test_they_are_asked_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "meeting.py").write_text(MEETING, encoding="utf-8")
    programs = [
        [sys.executable, "-S", str(tmp_path / "meeting.py"), str(tmp_path / f"{name}.here"), str(PIPES)]
        for name in ("one", "two")
    ]
    assert asked(routes(tmp_path, *({"command": program} for program in programs))) == []


def test_check_says_both(run: Run, config: Path, caplog: pytest.LogCaptureFixture) -> None:
    named = config.parent / "routes.yaml"
    text = named.read_text(encoding="utf-8")
    track = "fallback:\n  chain: react\n  options: {mcp: [%s]}\n"
    before = "fallback:\n  prompt: refusal\n  chain: direct\n"
    assert before in text

    def checked(source: dict[str, Any]) -> Any:
        named.write_text(text.replace(before, track % json.dumps(source)), encoding="utf-8")
        return run("check", config)

    shown = checked({"url": GONE})
    assert (shown.exit_code, "no problems" in shown.stdout) == (0, True)
    assert f"warning: the MCP server {GONE} can't be reached: " in shown.stderr
    shown = checked({"command": SPEAKING, "tools": ["find"]})
    assert shown.exit_code == 1
    assert "has no tool 'find'; it has: locate" in shown.stderr
    shown = checked({"command": [sys.executable, "-S", "-c", "print('hello')"]})
    assert shown.exit_code == 0
    assert "print('hello') can't be reached: Connection closed; the fallback route will wait" in shown.stderr
    assert "Traceback" not in caplog.text
