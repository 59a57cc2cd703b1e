"""What shows releases, against a gateway that answers as it is told: who is live, and what differs."""

from __future__ import annotations

import json
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pointsman.cli.provenance import flat
from pointsman.cli.releases import rates_of, table
from tests.pointsman.canned import ALIAS, LIVE, OLD, Reply, canned
from tests.pointsman.conftest import Run

LINE = {"alias": "support", "aborted": 0, "down": 0, "failed": 0, "first_token": None, "seconds": None}
SINCE = ["11-24", "22:01"]
BOARD: dict[str, Any] = {
    "engine": "ready",
    "running": 3,
    "waiting": 1,
    "data": [
        {
            **LINE,
            **{"version": OLD, "role": "live", "weight": 90, "requests": 1_210, "failed": 2},
            **{"first_token": 0.123, "seconds": 0.5, "since": "2026-11-24T22:01:00Z"},
        },
        {
            **LINE,
            **{"version": "1" * 12, "role": "canary", "weight": 10, "requests": 0},
            "since": "2026-11-24T22:01:00Z",
        },
    ],
}


def test_releases_show_live_and_canary_with_what_was_counted(run: Run, config: Path) -> None:
    with canned({"GET /admin/releases": BOARD}) as gateway:
        where = ("--url", gateway.url, "--config", config)
        shown = run("releases", *where)
        told = run("releases", "--json", *where)
    assert gateway.keys == ["Bearer the-key"] * 2
    live, canary = (line.split() for line in shown.stdout.splitlines() if "support" in line)
    assert live == ["support", OLD, "90", "%", "1,210", "2", "0.12", "0.50", *SINCE]
    assert canary == ["support", "1" * 12, "canary", "10", "%", "0", "0", *SINCE]
    assert json.loads(told.stdout) == BOARD["data"]


def test_top_counts_requests_a_second_also_of_a_gateway_that_began_anew() -> None:
    def board(live: int, canary: int) -> dict[str, Any]:
        [one, other] = BOARD["data"]
        return {**BOARD, "data": [{**one, "requests": live}, {**other, "requests": canary}]}

    name, new = f"support@{OLD}", f"support@{'1' * 12}"
    assert rates_of(board(10, 0), board(30, 5), 2.0) == {name: 10.0, new: 2.5}
    assert rates_of(board(10, 0), board(4, 0), 2.0) == {name: 2.0, new: 0.0}
    drawn = Console(width=80, file=StringIO())
    drawn.print(table(BOARD, {name: 10.0}))
    assert isinstance(drawn.file, StringIO)
    [line] = [line for line in drawn.file.getvalue().splitlines() if OLD in line]
    assert line.split()[4:7] == ["1,210", "10.0", "2"]


def test_top_looks_until_it_is_stopped(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", stop)
    with canned({"GET /admin/releases": BOARD}) as gateway:
        ended = run("top", "--url", gateway.url, "--config", config)
    assert ended.exit_code == 0
    assert "engine ready, 3 running, 1 waiting" in ended.stdout
    assert OLD in ended.stdout


def test_show_and_diff_tell_manifests_apart(run: Run, config: Path) -> None:
    def shown(seed: int, libraries: dict[str, str]) -> dict[str, Any]:
        manifest = {"seed": seed, "libraries": libraries, "recipe": {"lora": {"rank": 8, "targets": []}}}
        return {"version": LIVE, "manifest": manifest, "verdict": None, "promotions": [{"by": "anna"}]}

    one, other = "a" * 12, "b" * 12
    replies: dict[str, Reply] = {
        f"GET {ALIAS}/{one}": shown(1, {"torch": "2.1"}),
        f"GET {ALIAS}/{other}": shown(2, {"torch": "2.1", "peft": "0.9"}),
    }
    with canned(replies) as gateway:
        where = ("--url", gateway.url, "--config", config)
        apart = run("adapters", "diff", f"support@{one}", f"support@{other}", *where)
        same = run("adapters", "diff", f"support@{one}", f"support@{one}", *where)
        found = run("adapters", "show", f"support@{one}", *where)
        unnamed = run("adapters", "show", "support", *where)
    assert apart.stdout.splitlines() == [
        "- manifest.seed: 1",
        "+ manifest.seed: 2",
        "+ manifest.libraries.peft: 0.9",
    ]
    assert same.stdout == "their manifests are the same, and so is what moves with them\n"
    assert "manifest.recipe.lora.targets: []" in found.stdout.splitlines()
    assert "promotions.0.by: anna" in found.stdout.splitlines()
    assert unnamed.exit_code == 2
    assert flat({"a": [{"b": None}], "c": {}}) == {"a.0.b": None, "c": {}}
