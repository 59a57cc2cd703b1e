"""What `pointsman serve` looks at before anything starts; the rest of it is tested on the real demo."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chains.daemon import in_daemon
from pointsman import memory
from pointsman.cli import preflight
from tests.pointsman.conftest import SETTINGS, Run

NOT_STARTED = 2


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.fixture
def child(config: Path) -> Path:
    """The settings with an engine that would be started here."""
    config.write_text(SETTINGS.replace(', urls: ["http://127.0.0.1:9"]', ""), encoding="utf-8")
    return config


def test_a_port_in_use_is_named_with_its_holder_and_a_free_one(run: Run, config: Path, taken: int) -> None:
    ended = run("serve", "--config", config, "--port", taken)
    assert ended.exit_code == NOT_STARTED
    assert ended.stderr.startswith(f"error: port {taken} on 127.0.0.1 is in use by ")
    assert f"(process {os.getpid()})" in ended.stderr
    other = int(ended.stderr.split("--port ")[1].split()[0])
    assert other > taken
    assert list(preflight.port_problems("127.0.0.1", other)) == []
    assert f"make up PORT={other}" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_what_a_child_engine_needs_is_said_at_once(
    run: Run, child: Path, taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(preflight, "available_memory", lambda: 3 * preflight.GIB)
    ended = run("serve", "--config", child, "--port", taken)
    assert ended.exit_code == NOT_STARTED
    port, compiler, memory = ended.stderr.splitlines()
    assert "is in use" in port
    assert compiler.startswith("no gcc and no g++ on PATH")
    assert memory.startswith(
        "4 GiB of memory are needed for the engine and the gateway, 3.0 GiB are available"
    )


def test_no_compiler_is_asked_for_where_none_is_needed(
    run: Run, child: Path, taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "gcc" in run("serve", "--config", child, "--port", taken).stderr
    uncompiled = 'model_name: demo, environment: {TORCH_COMPILE_DISABLE: "1"}'
    for changed in (SETTINGS, child.read_text("utf-8").replace("model_name: demo", uncompiled)):
        child.write_text(changed, encoding="utf-8")
        refusal = run("serve", "--config", child, "--port", taken).stderr
        assert "is in use" in refusal
        assert "gcc" not in refusal


def test_settings_and_routes_are_read_before_the_port_is_touched(run: Run, config: Path) -> None:
    config.write_text(SETTINGS.replace("state: state", "stat: state"), encoding="utf-8")
    ended = run("serve", "--config", config)
    assert ended.exit_code == NOT_STARTED
    assert f"{config}:2: stat: unknown key; did you mean 'state'?" in ended.stderr
    config.write_text(SETTINGS, encoding="utf-8")
    routes = config.parent / "routes.yaml"
    routes.write_text(routes.read_text("utf-8").replace("chain: react", "chain: raect"), encoding="utf-8")
    ended = run("serve", "--config", config)
    assert ended.exit_code == NOT_STARTED
    assert "raect" in ended.stderr
    assert str(routes) in ended.stderr


def test_warnings_stand_above_what_to_try(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ready_with_a_warning(_: object, report: Callable[[str], None]) -> int:
        for line in ("warning: [a] is like b", "ready: http://127.0.0.1:9/v1"):
            report(line)
        return 0

    monkeypatch.setattr("service.server.serve", ready_with_a_warning)
    ended = run("serve", "--config", config)
    assert ended.exit_code == 0
    assert ended.output.index("warning: [a] is like b\n") < ended.output.index("ready at")


@pytest.mark.parametrize("said", ["problem: routes.yaml:3: no prompt 'x'", "warning: it waits for 'x'"])
def test_what_has_to_be_mended_is_said_at_once(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    def broken(_: object, report: Callable[[str], None]) -> int:
        report("ready: http://127.0.0.1:9/v1")
        report(said)
        return 0

    monkeypatch.setattr("service.server.serve", broken)
    assert f"{said}\n" in run("serve", "--config", config).stderr


def test_a_thread_that_still_works_keeps_pythons_own_end_from_coming(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr("os._exit", ended.append)
    done = threading.Event()

    def stopped_early(_: object, report: Callable[[str], None]) -> int:
        async def start() -> None:
            fit = asyncio.create_task(in_daemon(done.wait, "fit"))
            await asyncio.sleep(0)
            fit.cancel()

        asyncio.run(start())
        return 0

    monkeypatch.setattr("service.server.serve", stopped_early)
    assert "stopped" in run("serve", "--config", config).stderr
    assert ended == [0]
    done.set()
    for thread in threading.enumerate():
        if thread.name == "fit":
            thread.join()
    monkeypatch.setattr("service.server.serve", lambda *_: 0)
    run("serve", "--config", config)
    assert ended == [0]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_free_port_is_no_problem(host: str) -> None:
    assert list(preflight.port_problems(host, 0)) == []


def test_an_address_that_is_not_ours_is_one_sentence() -> None:
    (problem,) = preflight.port_problems("192.0.2.1", 8000)
    assert problem.startswith("can't listen on 192.0.2.1, port 8000: ")


@pytest.mark.parametrize(
    ("limit", "used", "dropped"),
    [
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ],
)
def test_memory_is_what_the_container_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, used: str, dropped: str
) -> None:
    """8 GiB are free on the machine; 5 allowed, 4 in use, 1 of those file cache that can be dropped: 2."""
    gib = preflight.GIB
    (tmp_path / "memory").mkdir()
    for name, text in (
        ("meminfo", f"MemTotal: 9 kB\nMemAvailable:   {8 << 20} kB\n"),
        (limit, str(5 * gib)),
        (used, str(4 * gib)),
        (f"{limit.rpartition('memory.')[0]}memory.stat", f"anon {3 * gib}\n{dropped} {gib}\n"),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(memory, "PROC", tmp_path)
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.available_memory() == 2 * gib
    (tmp_path / limit).write_text("max\n", encoding="utf-8")
    assert memory.available_memory() == 8 * gib
