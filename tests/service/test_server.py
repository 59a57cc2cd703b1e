"""The gateway as a process: it says how far it is, stops in order, and names what keeps it from starting."""

from __future__ import annotations

import asyncio
import fcntl
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from service.server import CLAIM
from tests.service.conftest import until
from tests.service.fake_vllm import FakeVLLM
from tests.service.loopback import serving
from tests.service.parts import ROUTES, write_settings
from tests.service.wire import exchanged

ON_BASE = "\n".join(line for line in ROUTES.splitlines() if "adapter: " not in line or "fallback" in line)
ON_BASE = ON_BASE.replace(", adapter: chat", "") + "\n"

SCRIPT = """
import gc
import sys
from service import live
from service.server import serve
from service.settings import Settings
from tests.service.parts import SpellingEncoder

live.Encoder = SpellingEncoder
freeze, times = gc.freeze, []
gc.freeze = lambda: (times.append(1), freeze())
status = serve(Settings.load(sys.argv[1]), lambda line: print(line, flush=True))
if spared := gc.get_freeze_count():
    turn = sys.getswitchinterval()
    print(f"{spared} objects for good, of {len(times)} looks, {turn:g} s", file=sys.stderr)
sys.exit(status)
"""


@asynccontextmanager
async def started(folder: Path) -> AsyncGenerator[Process, None]:
    """The gateway of ``folder`` in a process of its own, killed if it is still there at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SCRIPT,
        str(folder / "pointsman.yaml"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_with(process: Process, words: str) -> str:
    """The first line of progress that holds ``words``."""
    assert process.stdout is not None
    while line := (await process.stdout.readline()).decode():
        if words in line:
            return line.strip()
    raise AssertionError(f"the gateway ended without saying {words!r}")


async def test_from_start_to_an_orderly_stop(tmp_path: Path) -> None:
    vllm = FakeVLLM(gate=asyncio.Event())
    assert vllm.gate is not None
    async with serving(vllm.app) as engine_url:
        rule = "rules: [{name: sums, intent: track_parcel, keywords: [plus]}]\n"
        write_settings(tmp_path, engine_url, "gateway: {port: 0}\n", ON_BASE + rule)
        async with started(tmp_path) as process, httpx.AsyncClient(timeout=30) as http:
            assert "the rule 'sums' leads 2 of 7" in await line_with(process, "warning: ")
            url = (await line_with(process, "ready: ")).removeprefix("ready: ")
            (tmp_path / "routes.yaml").write_text(ON_BASE.replace("chain: cot", "chain: cott"), "utf-8")
            assert f"{tmp_path / 'routes.yaml'}:" in await line_with(process, "problem: ")
            await line_with(process, "problem: the routes of before stay live")
            waits = ON_BASE.replace("intent: arithmetic", "intent: arithmetic\n    adapter: mathx")
            (tmp_path / "routes.yaml").write_text(waits, "utf-8")
            await line_with(process, "warning: the route 'arithmetic' is refused: it waits for the adapter")
            await line_with(process, "ready: ")
            status, _, error = await exchanged(url.removesuffix("/v1"), b"no request\r\n\r\n")
            assert (status, error["code"]) == (400, "invalid_http")
            body = {
                "model": "auto",
                "stream": True,
                "messages": [{"role": "user", "content": "where is my parcel"}],
            }
            async with http.stream("POST", f"{url}/chat/completions", json=body) as response:
                assert response.headers["x-pointsman-intent"] == "track_parcel"
                process.send_signal(signal.SIGINT)
                await line_with(process, "stopping")
                vllm.healthy, looks = False, vllm.looks
                await until(lambda: vllm.looks > looks + 1)  # the engine went away, and that was seen
                vllm.gate.set()
                text = (await response.aread()).decode()
            assert text.endswith("data: [DONE]\n\n")  # what had begun was finished
            assert process.stdout is not None
            assert await process.stdout.read() == b""  # and nothing more was said
            assert process.stderr is not None
            spared, _, rest = (await process.stderr.read()).partition(b" objects for good, of ")
            times, _, turn = rest.partition(b", ")
            assert int(spared.split()[-1]) > 10_000  # which Python's garbage collector does not look at while
            assert times == b"1 looks"  # requests wait; looking again would keep those requests too
            assert turn == b"0.0005 s\n"  # and no thread that computes holds the loop up for longer
            assert await process.wait() == 0
    lines = [orjson.loads(line) for line in (tmp_path / "state" / "gateway.log").read_bytes().splitlines()]
    (request,) = [line for line in lines if line["logger"] == "pointsman.requests"]
    assert request["status"] == 200
    assert request["adapter"] == "pointsman-demo"


async def test_answers_that_a_second_ctrl_c_cuts_end_with_an_error(tmp_path: Path) -> None:
    vllm = FakeVLLM(gate=(gate := asyncio.Event()))
    async with serving(vllm.app) as engine_url:
        write_settings(tmp_path, engine_url, "gateway: {port: 0}\n", ON_BASE)
        async with started(tmp_path) as process, httpx.AsyncClient(timeout=30) as http:
            url = (await line_with(process, "ready: ")).removeprefix("ready: ")
            body = {"model": "auto", "messages": [{"role": "user", "content": "where is my parcel"}]}
            whole = asyncio.create_task(http.post(f"{url}/chat/completions", json=body))
            async with http.stream("POST", f"{url}/chat/completions", json={**body, "stream": True}) as cut:
                await until(lambda: len(vllm.requests) == 2)
                process.send_signal(signal.SIGINT)
                await line_with(process, "stopping")
                process.send_signal(signal.SIGINT)
                last = (await cut.aread()).decode().strip().rpartition("data: ")[2]
            assert (await whole).status_code == 503
            assert orjson.loads(last) == (await whole).json()
            error = orjson.loads(last)["error"]
            assert (error["type"], error["code"]) == ("server_error", "service_unavailable")
            assert "the gateway is stopping" in error["message"]
            assert await process.wait() == 0
            gate.set()


async def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        write_settings(tmp_path, "http://127.0.0.1:1", f"gateway: {{port: {port}}}\n", ON_BASE)
        async with started(tmp_path) as process:
            said, stderr = await process.communicate()
    assert process.returncode == 1
    assert said.decode().count("\n") == 1
    assert f"127.0.0.1:{port}" in said.decode()
    assert stderr == b""


@pytest.mark.parametrize(
    ("extra", "routes", "says"),
    [
        ("", ON_BASE.replace("chain: cot", "chain: none"), "no chain 'none'"),
        ("database: sqlite:////proc/nowhere/registry.db\n", ON_BASE, "/proc/nowhere"),
    ],
)
async def test_what_keeps_it_from_starting_is_named(
    tmp_path: Path, extra: str, routes: str, says: str
) -> None:
    write_settings(tmp_path, "http://127.0.0.1:1", "gateway: {port: 0}\n" + extra, routes)
    async with started(tmp_path) as process:
        said, stderr = await process.communicate()
    assert process.returncode == 1
    assert says in said.decode()
    assert b"Traceback" not in said + stderr


async def test_a_state_that_another_gateway_has_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with (tmp_path / "state" / CLAIM).open("w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4711")
        held.flush()
        write_settings(tmp_path, "http://127.0.0.1:1", "gateway: {port: 0}\n", ON_BASE)
        async with started(tmp_path) as process:
            await line_with(process, "the gateway of process 4711 has it")
            assert await process.wait() == 1
