"""Slots are never lost and never given twice, whoever gives up when."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from service.admission import Admission
from service.admission.first_come import FirstCome
from service.admission.gate import policy_of
from service.errors import TooManyRequests
from service.sections import AdmissionSettings
from tests.service.conftest import Start, until


def gate(**settings: object) -> Admission:
    return Admission(AdmissionSettings.model_validate(settings), adapters=8)


async def hold(admission: Admission, entered: list[str], name: str, leave: asyncio.Event) -> None:
    async with admission.slot(name):
        entered.append(name)
        await leave.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_first_come_first_served_and_a_full_queue_refuses() -> None:
    admission = gate(max_concurrent=1, max_queue=2)
    entered: list[str] = []
    leave = [asyncio.Event() for _ in range(3)]
    tasks = [asyncio.create_task(hold(admission, entered, str(i), leave[i])) for i in range(3)]
    await settle()
    assert (admission.running, admission.waiting, entered) == (1, 2, ["0"])
    with pytest.raises(TooManyRequests):
        admission.check("")
    with pytest.raises(TooManyRequests) as caught:
        await admission.slot("late").__aenter__()
    assert caught.value.retry_after >= 1
    for event in leave:
        event.set()
    await asyncio.gather(*tasks)
    assert (admission.running, admission.waiting, entered) == (0, 0, ["0", "1", "2"])


async def test_who_gives_up_waiting_is_passed_over() -> None:
    admission = gate(max_concurrent=1, max_queue=2)
    entered: list[str] = []
    leave = asyncio.Event()
    first = asyncio.create_task(hold(admission, entered, "first", leave))
    await settle()
    second = asyncio.create_task(hold(admission, entered, "second", leave))
    third = asyncio.create_task(hold(admission, entered, "third", leave))
    await settle()
    second.cancel()
    leave.set()
    await asyncio.gather(first, second, third, return_exceptions=True)
    assert entered == ["first", "third"]
    assert (admission.running, admission.waiting) == (0, 0)


async def test_a_turn_that_comes_as_its_owner_leaves_is_handed_on() -> None:
    admission = gate(max_concurrent=1, max_queue=2)
    entered: list[str] = []
    leave = asyncio.Event()
    holder = admission.slot("holder")
    await holder.__aenter__()
    second = asyncio.create_task(hold(admission, entered, "second", leave))
    third = asyncio.create_task(hold(admission, entered, "third", leave))
    await settle()
    await holder.__aexit__(None, None, None)  # second's turn is set, but it has not run yet
    second.cancel()
    await settle()
    assert entered == ["third"]
    leave.set()
    await third
    assert admission.running == 0


async def test_a_turn_that_is_handed_on_is_of_the_slots_that_there_still_are() -> None:
    """Of two servers one is gone; what was left on it ends, and its request goes on at the other."""
    left: list[tuple[int, set[str]]] = [(1, set())]
    settings = AdmissionSettings(max_concurrent=2)
    admission = Admission(settings, adapters=8, servers=2, left=lambda: left[0])
    admission.servers_up(1)
    moving, other = admission.slot(None), admission.slot(None)
    await moving.__aenter__()
    await other.__aenter__()
    waiting = [asyncio.create_task(admission.slot(None).__aenter__()) for _ in range(2)]
    await settle()
    await other.__aexit__(None, None, None)  # the turn of the first is set, but it has not run yet
    left[0] = (0, set())
    waiting[0].cancel()
    await settle()
    assert (admission.running, admission.waiting) == (1, 1)
    await moving.__aexit__(None, None, None)
    await waiting[1]


async def test_who_waited_in_vain_leaves_those_behind_only_the_slots_that_there_still_are() -> None:
    """As above; by first come he held up the second, since no place was free for his adapter."""
    left: list[tuple[int, set[str]]] = [(1, set())]
    settings = AdmissionSettings(policy="first_come", max_concurrent=4, max_wait_seconds=0.02)
    admission = Admission(settings, adapters=1, servers=2, left=lambda: left[0])
    admission.servers_up(1)
    async with admission.slot("a"), admission.slot("a"):
        waiting = [asyncio.create_task(admission.slot(adapter).__aenter__()) for adapter in ("b", "a")]
        await settle()
        assert (admission.running, admission.waiting) == (2, 2)
        left[0] = (0, set())
        with pytest.raises(TooManyRequests, match="waited"):
            await waiting[0]
        assert admission.running == 2
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_wait_has_an_end() -> None:
    admission = gate(max_concurrent=1, max_queue=2, max_wait_seconds=0.02)
    async with admission.slot("holder"):
        with pytest.raises(TooManyRequests, match="waited") as caught:
            await admission.slot("other").__aenter__()
        assert caught.value.retry_after > 0
        assert admission.waiting == 0
    assert admission.running == 0


async def test_who_gets_his_slot_as_the_wait_ends_has_it() -> None:
    admission = gate(max_concurrent=1, max_queue=2, max_wait_seconds=0.02)
    entered: list[str] = []
    leave = asyncio.Event()
    tasks = [asyncio.create_task(hold(admission, entered, name, leave)) for name in ("first", "second")]
    await settle()
    leave.set()
    time.sleep(0.03)  # noqa: ASYNC251 - the loop sees both at once: the free slot, and the end of the wait
    await asyncio.gather(*tasks)
    assert entered == ["first", "second"]
    assert (admission.running, admission.waiting) == (0, 0)


async def test_a_quiet_caller_pushes_the_last_of_a_loud_one_out_of_a_full_queue() -> None:
    admission = gate(max_concurrent=1, max_queue=2)
    holder = admission.slot("a", "loud")
    await holder.__aenter__()
    loud = [admission.slot("a", "loud") for _ in range(2)]
    waiting = [asyncio.create_task(slot.__aenter__()) for slot in loud]
    await settle()
    admission.check("quiet")
    with pytest.raises(TooManyRequests):
        admission.check("loud")
    quiet = asyncio.create_task(admission.slot("b", "quiet").__aenter__())
    await settle()
    with pytest.raises(TooManyRequests):
        await waiting[1]
    assert (admission.running, admission.waiting) == (1, 2)
    quiet.cancel()
    await holder.__aexit__(None, None, None)
    await waiting[0]
    await loud[0].__aexit__(None, None, None)
    assert (admission.running, admission.waiting) == (0, 0)


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_lost_whoever_is_cancelled_when(seed: int) -> None:
    chance = random.Random(seed)
    admission = gate(max_concurrent=3, max_queue=20, extra_wait_seconds=0.001)
    served = 0

    async def one() -> None:
        nonlocal served
        async with admission.slot(f"adapter-{chance.randrange(12)}", f"caller-{chance.randrange(3)}"):
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            served += 1

    tasks = [asyncio.create_task(one()) for _ in range(200)]
    while pending := [task for task in tasks if not task.done()]:
        if chance.random() < 0.5:
            chance.choice(pending).cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert served > 0
    assert (admission.running, admission.waiting, admission.adapters) == (0, 0, 0)
    async with admission.slot("after"):
        assert admission.running == 1


def test_the_settings_name_the_policy() -> None:
    assert isinstance(policy_of(AdmissionSettings(policy="first_come")), FirstCome)
    assert not isinstance(policy_of(AdmissionSettings()), FirstCome)


async def test_priority_refusals_and_waits_are_seen_from_outside(start: Start) -> None:
    async with start("admission: {max_concurrent: 1, max_queue: 1}\n") as running:
        running.vllm.gate = asyncio.Event()
        body = {"model": "support", "messages": [{"role": "user", "content": "hi"}]}

        async def ask(priority: str) -> int:
            headers = {"x-pointsman-priority": priority}
            answer = await running.http.post("/v1/chat/completions", json=body, headers=headers)
            return answer.status_code

        assert await ask("urgent") == 400
        first = asyncio.create_task(ask("interactive"))
        await until(lambda: running.gateway.admission.running == 1)
        second = asyncio.create_task(ask("batch"))
        await until(lambda: running.gateway.admission.waiting == 1)
        assert await ask("batch") == 429
        third = asyncio.create_task(ask("interactive"))  # goes before batch, and takes its place in the queue
        assert await second == 429
        running.vllm.gate.set()
        assert [await first, await third] == [200, 200]
        text = (await running.http.get("/metrics")).text
    assert 'pointsman_queue_refused_total{reason="queue"} 2.0' in text
    assert 'pointsman_queue_wait_seconds_count{priority="interactive"} 2.0' in text
    assert "pointsman_queue_adapters 0.0" in text
