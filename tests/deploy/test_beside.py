"""The bench beside plain vLLM: what it serves can be served, and its rows say what was measured."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from deploy.bench.beside import __main__, engine, first, page, peers, rows, world
from deploy.bench.beside.asking import Ends, Row, Sizes
from deploy.bench.serving.stub import serve
from service.adapters.base import read_base
from service.adapters.checks import check
from service.configuration import load_configuration
from service.sections import EngineSettings

SIZES = Sizes(
    words=3,
    tokens=5,
    clients=2,
    requests=8,
    rounds=2,
    few=2,
    all=3,
    many_clients=4,
    crowd=8,
    seconds=0.1,
    overload=0.1,
    learning=0.1,
    narrow=1,
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> world.World:
    made = world.named(tmp_path_factory.mktemp("beside"), world.DEMO / "base", 2, rank=8)
    world.draw(made)
    return made


def test_drawn_adapters_differ_and_pass_every_check_of_the_gateway(drawn: world.World) -> None:
    settings = EngineSettings(model=str(drawn.base), model_name=world.BASE)
    base = read_base(settings, drawn.folder / "state")
    found = [check(drawn.folder / "adapters", alias, base, 8) for alias in drawn.adapters]
    assert [one.rank for one in found] == [8, 8]
    assert len({one.version for one in found}) == 2


def test_help_says_what_each_option_is_without_it_and_where_else_to_go() -> None:
    shown = " ".join(__main__._parser().format_help().split())
    assert "pointsman bench --against" in shown
    for action in __main__._parser()._actions:
        if action.option_strings != ["-h", "--help"]:
            assert action.help, action.option_strings
            assert action.required or "default: " in action.help, action.option_strings
    assert "(default: 8 for demo, 64 else)" in shown
    assert "random weights" in shown


def test_the_configuration_loads_and_routes_to_an_adapter(drawn: world.World) -> None:
    path = world.write_gateway(drawn, "http://127.0.0.1:1", 2, {"max_concurrent": 3})
    settings, table = load_configuration(path)
    assert (settings.engine.max_loras, settings.engine.loaded_loras) == (2, 10)
    assert settings.admission.max_concurrent == 3
    assert {route.adapter for route in (*table.routes.values(), table.fallback)} == {"a00"}


async def test_rows_say_what_both_endpoints_did() -> None:
    server = await serve(("a",), tokens=5, every=0.002, port=0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ends = Ends(url, url, SIZES, lambda _: None)
        row, pair = await asyncio.to_thread(rows.mixed, ends, ["a", "b"], None, ", as it is")
        throughput = await asyncio.to_thread(rows.one_adapter, ends, "a")
        token, between = await asyncio.to_thread(first.added, ends, url, "a", "a", 300.0)
        many = await asyncio.to_thread(rows.many, ends, ", learned", 0.1)
        plain, through = await asyncio.to_thread(rows.proxies, ends, url, {"a proxy": url})
        over = await asyncio.to_thread(rows.overload, ends, "a", 100.0)
    assert row.name == "2 adapters alike, 2 clients, as it is"
    assert pair.ours.requests == pair.plain.requests == SIZES.requests * SIZES.rounds
    assert row.ratio == pair.shown() != "-"
    assert set(pair.plain.by_model) == {"a", "b"}
    assert throughput.numbers["ours"]["errors"] == {}
    assert token.ratio.endswith("ms")
    assert [one.name for one in (plain, through)] == [
        "base, 2 clients, beside plain vLLM",
        "base, 2 clients, beside a proxy",
    ]
    assert through.numbers["plain"]["errors"] == {}
    assert "; first token" in through.ratio
    assert between.ratio.endswith("%")
    assert many.numbers["plain"]["requests"] == 2 * SIZES.many_clients * SIZES.rounds
    assert over.numbers["refused"] == over.numbers["others"] == 0


def test_the_rows_that_may_be_named_are_those_that_there_are() -> None:
    sources = [Path(module.__file__ or "").read_text(encoding="utf-8") for module in (__main__, engine)]
    assert sorted(re.findall(r'add\("([^"]+)"', "".join(sources))) == sorted(__main__.ROWS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--parts", "alone", "--rows", "base"), "'base' would not be measured: add 'engine' to --parts"),
        (("--parts", "engine", "--rows", "base", "alone"), "'alone' would not be measured: add 'alone' to"),
        (("--rows", "routed", "--no-routed"), "'routed' would not be measured: leave out --no-routed"),
        (("--rows", "proxies"), "'proxies' would not be measured: give --nginx or --litellm"),
    ],
)
def test_rows_that_would_not_be_measured_are_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["beside", "--out", str(tmp_path), *words])
    monkeypatch.setattr(page, "write", lambda *_: pytest.fail("a table"))
    for begun in ("_draw", "_world"):
        monkeypatch.setattr(__main__, begun, lambda *_: pytest.fail("something was begun"))
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_page_has_every_row_so_far(tmp_path: Path) -> None:
    found = [Row("a row", "1.5", "10/s", "20/s", "2.00 (1.90 to 2.10)", {"raw": [1]})]
    page.write(found, {"shape": "demo"}, tmp_path)
    assert "| a row | 1.5 | 10/s | 20/s | 2.00 (1.90 to 2.10) |" in (tmp_path / "beside.md").read_text()
    assert json.loads((tmp_path / "beside.json").read_text())["rows"][0]["numbers"] == {"raw": [1]}


def test_nginx_passes_streams_on_as_they_come(tmp_path: Path) -> None:
    command = tmp_path / "nginx"
    command.write_text(
        "#!/bin/sh\n"
        'port=$(sed -n "s/.*listen 127.0.0.1:\\([0-9]*\\).*/\\1/p" "$4")\n'
        f'exec {sys.executable} -m deploy.bench.serving.stub --model a --port "$port"\n'
    )
    command.chmod(0o755)
    start = peers.named(command, None)["nginx"]
    with start("http://127.0.0.1:1", "a", tmp_path / "peer.log", None) as peer:
        assert httpx.get(f"{peer.url}/v1/models", trust_env=False).json()["data"][0]["id"] == "a"
    config = (tmp_path / "peer" / "nginx.conf").read_text()
    assert "upstream engine { server 127.0.0.1:1;" in config
    assert "proxy_buffering off;" in config


def test_a_peer_gets_its_configuration_and_is_there_for_its_block(tmp_path: Path) -> None:
    command = tmp_path / "litellm"
    command.write_text(
        "#!/bin/sh\n"
        'while [ $# -gt 0 ]; do [ "$1" = --port ] && port=$2; shift; done\n'
        f'exec {sys.executable} -m deploy.bench.serving.stub --model a --port "$port"\n'
    )
    command.chmod(0o755)
    with peers.litellm(command, "http://127.0.0.1:1", "a", tmp_path / "peer.log", None) as peer:
        assert httpx.get(f"{peer.url}/v1/models", trust_env=False).json()["data"][0]["id"] == "a"
        assert peer.memory_mb() > 1
    assert not peer.process.is_running()
    (model,) = yaml.safe_load((tmp_path / "peer.yaml").read_text())["model_list"]
    assert (model["model_name"], model["litellm_params"]["api_base"]) == ("a", "http://127.0.0.1:1/v1")
