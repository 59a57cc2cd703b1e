"""The learned target in front of modelled engines: it finds the knee, and follows it when it moves."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.bench.engine_model import H200
from deploy.bench.target import climb
from service.admission import Admission
from service.admission.learned import LEAST, MOST, Learned, Look
from service.admission.learning import Learning, summed
from service.sections import AdmissionSettings


def test_it_stops_where_more_at_once_bring_no_more_tokens() -> None:
    """An engine that does 48 requests in the time of one: from there on a step only gets longer."""
    late = climb(Learned(), lambda batch: 0.01 * max(1.0, batch / 48))[200:]
    assert min(late) >= 44
    assert max(late) <= 60


def test_noise_does_not_lead_it_far_away() -> None:
    noise = random.Random(0)
    late = climb(
        Learned(), lambda batch: 0.01 * max(1.0, batch / 48) * noise.uniform(0.95, 1.05), looks=2_000
    )
    late = sorted(late[200:])
    assert late[0] >= 32
    assert 40 <= late[len(late) // 2] <= 64
    assert late[-1] <= 80


def test_it_climbs_as_far_as_the_engine_has_seats() -> None:
    late = climb(Learned(), lambda batch: H200.step(batch, 4, 0), seats=128)[200:]
    assert min(late) >= 118
    assert max(late) <= 128 + 128 // 8


@pytest.mark.parametrize("seed", range(5))
def test_noise_does_not_keep_it_low(seed: int) -> None:
    """On an H100 32 at once gave 53 requests/s, 64 gave 78, 128 gave 114; seconds differ by 8 %."""
    noise = random.Random(seed)

    def step(batch: int) -> float:
        return (0.0033 + 0.000045 * batch) * noise.uniform(0.92, 1.08)

    targets = climb(Learned(), step, asked=128, looks=120)
    assert max(targets[:45]) >= 100
    assert targets[-1] >= 70


def test_prompts_that_are_read_one_after_another_are_no_queue() -> None:
    """64 came at once, and for three seconds most of them wait for their prompt to be read."""
    learned = Learned(64)
    for second, running in enumerate((1, 7, 30, 64)):
        assert learned.look(Look(float(second), running, 64 - running, 0.1, 0.0, 9)) == 64


def test_it_leaves_room_in_the_cache() -> None:
    late = climb(Learned(), lambda batch: H200.step(batch, 4, 0), cache=100)[200:]
    assert min(late) >= 80
    assert max(late) <= 106


def test_a_cache_that_answers_fill_as_they_grow_does_not_make_it_fall() -> None:
    """Of 150,000 tokens; answers have 1,500 to 3,000, 30 a second. Who came last is preempted."""
    learned, chance, made = Learned(), random.Random(0), 0
    answers: list[list[int]] = []  # tokens so far, and at its end
    targets = []
    for second in range(900):
        while len(answers) < learned.target:
            answers.append([300, 300 + chance.randint(1_500, 3_000)])
        used, running = 0, 0
        for answer in answers:
            if used + answer[0] > 150_000:
                break
            used, running = used + answer[0], running + 1
            answer[0] += 30
            made += 30
        look = Look(float(second), running, len(answers) - running, used / 150_000, float(made), 100)
        answers = [answer for answer in answers if answer[0] < answer[1]]
        targets.append(learned.look(look))
    assert min(targets[20:]) > 50
    assert made / 900 > 2_500  # with 96 at any time 2,825


def test_it_learns_nothing_from_an_engine_with_little_to_do() -> None:
    assert climb(Learned(64), lambda batch: 0.01, asked=20) == [64] * 600


def test_it_follows_when_the_engine_can_do_more_or_less() -> None:
    learned = Learned()
    assert 44 <= climb(learned, lambda batch: 0.01 * max(1.0, batch / 48))[-1] <= 60
    assert climb(learned, lambda batch: 0.01 * max(1.0, batch / 96), looks=2_000)[-1] >= 90


@given(
    st.lists(
        st.builds(
            Look,
            at=st.floats(0, 1e6),
            running=st.integers(0, 10_000),
            waiting=st.integers(0, 10_000),
            cache=st.floats(0, 1),
            tokens=st.floats(0, 1e12),
            queued=st.integers(0, 10_000),
        ),
        max_size=30,
    )
)
def test_whatever_an_engine_says_the_target_stays_in_its_bounds(looks: list[Look]) -> None:
    learned = Learned()
    for look in looks:
        assert LEAST <= learned.look(look) <= MOST


PAGE = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="base"} 12.0
vllm:num_requests_waiting{engine="0",model_name="base"} 3.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="base",reason="capacity"} 3.0
vllm:kv_cache_usage_perc{engine="0",model_name="base"} 0.25
vllm:generation_tokens_total{engine="0",model_name="base"} 1000.0
vllm:generation_tokens_created{engine="0",model_name="base"} 1.7e+09
"""


def test_the_servers_numbers_are_added_up() -> None:
    other = PAGE.replace(" 0.25", " 0.75").replace(" 12.0", " 4.0")
    expected = Look(5.0, running=16, waiting=6, cache=0.75, tokens=2_000.0, queued=7)
    assert summed([PAGE, other], 5.0, 7) == expected
    with pytest.raises(ValueError, match=r"only \['num_requests_running'\]"):
        summed(["vllm:num_requests_running 1"], 5.0, 0)


def test_of_the_engines_of_a_server_the_fullest_cache_counts() -> None:
    """vLLM with data parallel has a line of each on one page."""
    other = PAGE.replace('engine="0"', 'engine="1"').replace(" 0.25", " 0.375")
    expected = Look(5.0, running=24, waiting=6, cache=0.375, tokens=2_000.0, queued=7)
    assert summed([PAGE + other], 5.0, 7) == expected


@dataclass
class Page:
    """A server whose numbers are what a test says."""

    waiting: int = 0
    tokens: float = 0.0
    running: int = 32

    async def text(self, path: str) -> str:
        assert path == "/metrics"
        self.tokens += 1_000.0 * self.running
        found = PAGE.replace(" 12.0", f" {self.running}").replace("} 3.0", f"}} {self.waiting}")
        return found.replace(" 1000.0", f" {self.tokens}")


async def test_the_queue_opens_as_the_target_climbs() -> None:
    admission = Admission(AdmissionSettings(max_concurrent="learned"), adapters=4)
    server = Page()
    learning = Learning(admission, lambda: [server])
    async with AsyncExitStack() as held:
        for _ in range(32):
            await held.enter_async_context(admission.slot("a"))
        waiting = asyncio.create_task(held.enter_async_context(admission.slot("a")))
        while not waiting.done():
            assert admission.running == 32
            await learning.look()
            await asyncio.sleep(0)
        assert admission.running == 33
        for _ in range(15):
            await held.enter_async_context(admission.slot("a"))
        server.waiting = 20
        server.running = 16
        for _ in range(4):
            await learning.look()
        assert admission.running == 48  # who has a slot keeps it
        late = asyncio.create_task(held.enter_async_context(admission.slot("a")))
        await asyncio.sleep(0)
        assert admission.waiting == 1
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)


async def test_a_look_at_servers_of_which_one_went_meanwhile_sets_nothing() -> None:
    admission = Admission(AdmissionSettings(max_concurrent="learned"), adapters=4, servers=2)
    servers: list[Page] = []

    class Going(Page):
        async def text(self, path: str) -> str:
            servers.remove(self)
            admission.servers_up(1)
            return await super().text(path)

    servers += [Page(), Going()]
    await Learning(admission, lambda: tuple(servers)).look()
    async with AsyncExitStack() as held:
        for _ in range(16):  # half of the first target, which was of both
            await held.enter_async_context(admission.slot("a"))
        waiting = asyncio.create_task(held.enter_async_context(admission.slot("a")))
        await asyncio.sleep(0)
        assert (admission.running, admission.waiting) == (16, 1)
        admission.servers_up(2)
        await waiting


async def test_what_a_server_made_is_not_compared_with_what_another_in_its_place_does() -> None:
    admission = Admission(AdmissionSettings(max_concurrent="learned"), adapters=4)
    servers = [Page()]
    learning = Learning(admission, lambda: servers)
    async with AsyncExitStack() as held:
        for _ in range(32):
            await held.enter_async_context(admission.slot("a"))
        waiting = asyncio.create_task(held.enter_async_context(admission.slot("a")))
        await asyncio.sleep(0)
        for _ in range(3):
            await learning.look()
        servers[0] = Page(tokens=1e9)
        for _ in range(5):  # of which four are compared: the first says since when
            await learning.look()
        assert (admission.running, admission.waiting) == (32, 1)
        await learning.look()
        await waiting


async def test_what_was_learned_of_two_servers_is_halved_for_one() -> None:
    admission = Admission(AdmissionSettings(max_concurrent="learned"), adapters=4, servers=2)
    servers = [Page(), Page()]
    learning = Learning(admission, lambda: servers)
    await learning.look()
    lost = servers.pop()
    await learning.look()
    async with AsyncExitStack() as held:
        for _ in range(16):
            await held.enter_async_context(admission.slot("a"))
        waiting = asyncio.create_task(held.enter_async_context(admission.slot("a")))
        await asyncio.sleep(0)
        assert (admission.running, admission.waiting) == (16, 1)
        servers.append(lost)
        await learning.look()
        await waiting
        assert admission.running == 17
