"""``pointsman check`` on installed chains: those that no route names may be named by a request."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from chains.direct import Direct
from chains.registry import GROUP, chain_by_name
from tests.pointsman.conftest import Run


class NeverWarm:
    run = Direct.run


def test_a_chain_that_no_route_names_is_looked_at(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "warning: the chain" not in run("check", config).stderr
    points = [*entry_points(group=GROUP), EntryPoint("mine", f"{__name__}:NeverWarm", GROUP)]
    monkeypatch.setattr("chains.registry.entry_points", lambda group: points)
    chain_by_name.cache_clear()
    shown = run("check", config)
    assert shown.exit_code == 0
    assert f"warning: the chain 'mine', installed as '{__name__}:NeverWarm', can't be used" in shown.stderr
    assert shown.stdout.rstrip().endswith("no problems, 1 warning")
    assert "no method 'warm'" in shown.stderr
    assert "x-pointsman-chain" in shown.stderr


def test_a_name_of_ours_is_not_another_packages_in_silence(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, told in (("retrieve", (0, "warning: the chain 'retrieve'")), ("direct", (1, "fallback.chain"))):
        points = [*entry_points(group=GROUP), EntryPoint(name, f"{__name__}:NeverWarm", GROUP)]
        monkeypatch.setattr("chains.registry.entry_points", lambda group, points=points: points)
        chain_by_name.cache_clear()
        shown = run("check", config)
        assert (shown.exit_code, told[1] in shown.stderr) == (told[0], True), shown.stderr
        assert "is installed under this name too; rename one" in shown.stderr
    chain_by_name.cache_clear()


def test_a_value_that_two_versions_of_yaml_read_in_two_ways_is_told_once(run: Run, config: Path) -> None:
    routes = config.parent / "routes.yaml"
    text = routes.read_text(encoding="utf-8")
    before = "fallback:\n  prompt: refusal\n  chain: direct\n"
    assert before in text
    routes.write_text(
        text.replace(before, "fallback:\n  chain: cot\n  options: {samples: 1_000}\n"), encoding="utf-8"
    )
    shown = run("check", config)
    assert shown.exit_code == 1
    assert shown.stderr.count("options.samples") == 1
    assert "1_000 is 1000 by YAML 1.1 and a text by 1.2" in shown.stderr
