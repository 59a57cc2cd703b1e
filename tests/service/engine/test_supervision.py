"""The child: started, killed in every way, started again, and never left behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import psutil
import pytest

from service.engine import EngineClient, EnginePool
from service.engine.process import EngineProcess
from service.errors import EngineUnavailable
from service.sections import EngineSettings
from tests.service.conftest import until

CHILD = Path(__file__).with_name("fake_child.py")
SETTINGS = EngineSettings(model="/models/base", model_name="demo")


def words(settings: EngineSettings, port: int) -> Sequence[str]:
    return [sys.executable, str(CHILD), str(port), *settings.arguments]


def processes(state: Path) -> list[psutil.Process]:
    """Everything that runs below the guardian of this pool."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TEST_STATE") == str(state):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def named(state: Path, word: str) -> psutil.Process:
    """The process whose first words hold ``word``."""
    return next(p for p in processes(state) if word in " ".join(p.cmdline()[:3]))


def make_pool(state: Path, *arguments: str) -> EnginePool:
    environment = {"TEST_STATE": str(state)}
    settings = SETTINGS.model_copy(update={"arguments": arguments, "environment": environment})
    return EnginePool(process=EngineProcess(settings, state, words))


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncGenerator[EnginePool, None]:
    found = make_pool(tmp_path)
    await found.start()
    await until(lambda: found.state == "ready")
    yield found
    await found.stop()
    assert processes(tmp_path) == []


@pytest.mark.parametrize("victim", ["fake_child.py", "VLLM::EngineCore", "guardian.py"])
async def test_any_dead_process_is_noticed_and_all_are_replaced(
    pool: EnginePool, tmp_path: Path, victim: str
) -> None:
    before, client = {process.pid for process in processes(tmp_path)}, pool.client()
    assert len(before) == 3
    gone: list[EngineClient] = []
    pool.on_down(gone.append)
    async with asyncio.timeout(60):
        named(tmp_path, victim).send_signal(signal.SIGKILL)
        await until(lambda: gone == [client])
        await until(lambda: pool.state == "ready")
    after = {process.pid for process in processes(tmp_path)}
    assert len(after) == 3
    assert not before & after
    assert pool.restarts == 1
    assert pool.client() is not client


@pytest.mark.parametrize("victim", ["fake_child.py", "VLLM::EngineCore"])
async def test_a_stream_under_way_fails_at_once(pool: EnginePool, tmp_path: Path, victim: str) -> None:
    stream = pool.bind("demo").stream({"messages": []})
    assert b"choices" in await anext(aiter(stream))
    named(tmp_path, victim).kill()
    with pytest.raises(EngineUnavailable):
        await anext(aiter(stream))


async def test_while_it_is_away_requests_are_told_so(pool: EnginePool, tmp_path: Path) -> None:
    named(tmp_path, "fake_child.py").kill()
    await until(lambda: pool.state != "ready")
    assert re.match(r"its \w+( server)? ended|\w.* \(\d+ s\)", pool.detail)
    with pytest.raises(EngineUnavailable, match="restarting") as away:
        await pool.bind("demo").complete({"messages": []})
    assert away.value.retry_after > 0


async def test_what_prepares_a_server_runs_before_it_is_ready_each_time(tmp_path: Path) -> None:
    pool, seen = make_pool(tmp_path), []

    async def prepare(client: EngineClient) -> None:
        seen.append((client.url, pool.state, pool.clients()))

    pool.on_up(prepare)
    await pool.start()
    try:
        await until(lambda: pool.state == "ready")
        named(tmp_path, "fake_child.py").kill()
        await until(lambda: len(seen) == 2 and pool.state == "ready")
    finally:
        await pool.stop()
    assert [(state, clients) for _, state, clients in seen] == [("starting", ()), ("restarting", ())]


async def test_a_server_that_can_not_be_prepared_is_replaced(tmp_path: Path) -> None:
    pool, urls = make_pool(tmp_path), []

    async def prepare(client: EngineClient) -> None:
        urls.append(client.url)
        if len(urls) == 1:
            raise EngineUnavailable("it went away")

    pool.on_up(prepare)
    await pool.start()
    try:
        await until(lambda: pool.state == "ready")
    finally:
        await pool.stop()
    assert len(urls) == 2
    assert pool.restarts == 0  # it never was up


async def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    pool = make_pool(tmp_path, "fail")
    await pool.start()
    try:
        await until(lambda: pool.state == "failed")
        assert "ValueError: the model is not there" in pool.detail
        assert "engine.log" in pool.detail
        pool.progress("importing vLLM (1 s)")  # of the next try, which does not hide it
        assert "ValueError: the model is not there" in pool.detail
        with pytest.raises(EngineUnavailable) as down:
            pool.client()
        assert "ValueError" not in str(down.value)
    finally:
        await pool.stop()
    assert pool.state == "stopped"
    assert processes(tmp_path) == []


async def test_the_log_is_for_this_user_only(pool: EnginePool, tmp_path: Path) -> None:
    assert (tmp_path / "engine.log").stat().st_mode & 0o077 == 0


async def test_a_log_that_grew_large_is_put_aside_at_the_next_start(tmp_path: Path) -> None:
    grown = tmp_path / "engine.log"
    with grown.open("wb") as file:
        file.truncate(32 << 20)
    pool = make_pool(tmp_path)
    await pool.start()
    await until(lambda: pool.state == "ready")
    await pool.stop()
    assert (tmp_path / "engine.log.1").stat().st_size == 32 << 20
    assert grown.stat().st_size < 1 << 20


async def test_stopping_in_the_middle_of_a_start_leaves_nothing(tmp_path: Path) -> None:
    pool = make_pool(tmp_path)
    await pool.start()
    await until(lambda: bool(processes(tmp_path)))
    await pool.stop()
    assert processes(tmp_path) == []


async def test_a_kill_that_is_cancelled_halfway_is_done_by_the_next(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"environment": {"TEST_STATE": str(tmp_path)}})
    process = EngineProcess(settings, tmp_path, words)
    await process.start()
    guardian = named(tmp_path, "guardian.py")
    guardian.suspend()  # it can not end what is below it
    halfway = asyncio.create_task(process.kill())
    await asyncio.sleep(0)
    halfway.cancel()
    with pytest.raises(asyncio.CancelledError):
        await halfway
    assert len(processes(tmp_path)) == 3
    await process.kill()
    assert processes(tmp_path) == []


GATEWAY = """
import asyncio, sys
from pathlib import Path
from tests.service.engine.test_supervision import make_pool

async def main():
    pool = make_pool(Path(sys.argv[1]))
    await pool.start()
    while pool.state != "ready":
        await asyncio.sleep(0.02)
    print("ready", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""


async def test_a_gateway_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    gateway = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", GATEWAY, str(tmp_path)),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert gateway.stdout is not None
    assert await gateway.stdout.readline() == b"ready\n"
    assert len(processes(tmp_path)) == 3
    gateway.kill()
    await gateway.wait()
    async with asyncio.timeout(30):
        await until(lambda: not processes(tmp_path))


def test_a_start_is_told_in_steps_and_not_in_vllms_words(tmp_path: Path) -> None:
    process = EngineProcess(SETTINGS, tmp_path, words)
    assert process.step() == "importing vLLM"
    log = [
        (
            "(APIServer pid=7) INFO 11-25 19:06:00 [model.py:733] Resolved architecture: Qwen3ForCausalLM",
            True,
        ),
        ("(APIServer pid=7) INFO 11-25 19:06:00 [kernel.py:467] Final IR op priority after setting", False),
        ("(APIServer pid=7) WARNING 11-25 19:06:30 [vllm.py:725] Model Runner V2 requires Triton", False),
        ("Loading safetensors checkpoint shards:  50% Completed | 1/2 [00:00<00:00, 10.26it/s]", True),
        ("(EngineCore pid=8) INFO 11-25 19:06:32 [utils.py:347] Using LBHNC KV cache layout.", False),
        ("(EngineCore pid=8) INFO 11-25 19:06:32 [kv.py:2] GPU KV cache size: 52,352 tokens, Maximum", True),
        ("(APIServer pid=7) INFO 11-25 19:06:33 [launcher.py:195] Route: /v1/models, Methods: GET", False),
    ]
    told = []
    with process.log_path.open("w", encoding="utf-8") as file:
        for line, _ in log:
            print(line, file=file, flush=True)
            told.append(process.step())
    new = [step for before, step in zip(["importing vLLM", *told], told, strict=False) if step != before]
    assert new == [
        "preparing the engine for a Qwen3ForCausalLM",
        "loading the base (50 %)",
        "making room for 52,352 tokens",
    ]
    assert [step != before for before, step in zip(["importing vLLM", *told], told, strict=False)] == [
        is_new for _, is_new in log
    ]
