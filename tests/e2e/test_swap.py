"""The hot swap and the engine's death, under streams that are compared with a greedy reference."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from openai import APIError, AsyncOpenAI, InternalServerError

from tests import warm
from tests.e2e.demo import Demo

pytestmark = pytest.mark.e2e
REFUND = "How many days do I have to ask for a refund?"
QUESTIONS = (
    REFUND,
    "收到货以后多少天内可以退款？",
    "What papers does customs need?",
    "My parcel came broken, can I get my money back?",
    "Who pays the shipping back?",
)
STREAMS = 2  # at once; more would leave the training little of two cores
CUT = (  # enough to change the rule
    *("--set", "train.steps=24", "--set", "data.sources.0.rows=240"),
    *("--set", "data.sources.1.rows=1", "--set", "data.sources.2.rows=1"),
)
BACK_SECONDS = 150.0  # an engine's restart; a minute on a quiet machine, and tests assert no time


@dataclass(frozen=True)
class Streamed:
    """One streamed answer, and the version that its header named."""

    question: str
    version: str
    text: str


def client_of(demo: Demo) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0, timeout=120)


async def stream(client: AsyncOpenAI, question: str, model: str = "support") -> Streamed:
    asked: Any = {"model": model, "messages": [{"role": "user", "content": question}], "temperature": 0}
    raw = await client.chat.completions.with_raw_response.create(**asked, stream=True, max_tokens=60)
    text = "".join([c.choices[0].delta.content or "" async for c in raw.parse() if c.choices])
    return Streamed(question, raw.headers["x-pointsman-adapter"], text)


@asynccontextmanager
async def load(client: AsyncOpenAI) -> AsyncIterator[list[Streamed]]:
    """Streams without a pause as long as the block runs; what they answered, or the first failure."""
    answers: list[Streamed] = []
    stopped = asyncio.Event()

    async def worker(number: int) -> None:
        while not stopped.is_set():
            answers.append(await stream(client, QUESTIONS[(number + len(answers)) % len(QUESTIONS)]))
            await asyncio.sleep(0.5)  # two cores train, serve and route

    async with asyncio.TaskGroup() as group:
        for number in range(STREAMS):
            group.create_task(worker(number))
        yield answers
        stopped.set()


async def get(demo: Demo, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(demo.url + path, headers=demo.admin)


async def pointsman(demo: Demo, *words: str) -> str:
    status, output = await asyncio.to_thread(warm.done, words, demo.environment)
    assert status == 0, output
    return output


async def until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait until ``holds``; TimeoutError if it does not in time."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110  what is waited for is in other processes
            await asyncio.sleep(0.1)


@pytest.mark.timeout(900)
async def test_a_new_version_is_trained_and_swapped_in_while_streams_run(demo: Demo, tmp_path: Path) -> None:
    runs = str(tmp_path / "runs")
    async with client_of(demo) as client:
        old = (await stream(client, REFUND)).version
        async with load(client) as answers:
            await pointsman(demo, "train", "deploy/demo/recipes/support-60-days.yaml", "--runs", runs, *CUT)
            await pointsman(demo, "adapters", "register", f"{runs}/support-60-days/artefact")
            await pointsman(demo, "adapters", "promote", "support")
            new = (await stream(client, REFUND)).version  # the next request already
            assert new != old
            await until(lambda: any(answer.version == new for answer in answers), 60)
            await pointsman(demo, "adapters", "rollback", "support")
            assert (await stream(client, REFUND)).version == old
            count = len(answers)
            await until(lambda: len(answers) >= count + STREAMS, 60)
        references = {
            (question, version): (await stream(client, question, version)).text
            for question in QUESTIONS
            for version in (old, new)
        }
    assert {answer.version for answer in answers} == {old, new}
    for answer in answers:
        assert answer.text == references[answer.question, answer.version], answer
    assert "30 days" in references[REFUND, old]
    assert "60 days" in references[REFUND, new]
    versions = (await get(demo, "/admin/adapters")).json()["data"]
    assert all(version["leases"] == 0 for version in versions)


def engine(demo: Demo) -> psutil.Process:
    """vLLM's API server, which is a descendant of the gateway's process."""
    family = psutil.Process(demo.process.pid).children(recursive=True)
    found = [p for p in family if "vllm.entrypoints.openai.api_server" in p.cmdline()]
    return found[-1]  # the guardian names it too, and comes first


@pytest.mark.timeout(600)
async def test_a_killed_engine_comes_back_with_its_adapters(demo: Demo) -> None:
    async with client_of(demo) as client:
        before = await stream(client, REFUND)
        long: Any = {"model": "pointsman-demo", "messages": [{"role": "user", "content": "Tell me a story."}]}
        begun = await client.chat.completions.create(
            **long, stream=True, max_tokens=1_500, extra_body={"ignore_eos": True}
        )
        await anext(aiter(begun))
        os.kill(engine(demo).pid, signal.SIGKILL)
        with pytest.raises(APIError):
            async for _ in begun:
                pass
        with pytest.raises(InternalServerError) as refused:
            await stream(client, REFUND)
        assert refused.value.status_code == 503
        assert int(refused.value.response.headers["retry-after"]) > 0
        assert (await get(demo, "/health")).is_success
        await until(demo.ready, BACK_SECONDS)
        assert await stream(client, REFUND) == before
    lines = (await get(demo, "/metrics")).text.splitlines()
    (restarts,) = (line for line in lines if line.startswith("pointsman_engine_restarts_total"))
    assert float(restarts.split()[-1]) >= 1
