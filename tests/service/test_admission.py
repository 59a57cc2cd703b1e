"""Slots are never lost and never given twice, whoever gives up when."""

from __future__ import annotations

import asyncio

import pytest

from service.admission import Admission, Ticket
from service.errors import TooManyRequests
from service.settings import AdmissionSettings


async def hold(admission: Admission, entered: list[str], name: str, leave: asyncio.Event) -> None:
    async with admission.slot(name):
        entered.append(name)
        await leave.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_first_come_first_served() -> None:
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=2))
    entered: list[str] = []
    leave = [asyncio.Event() for _ in range(3)]
    tasks = [asyncio.create_task(hold(admission, entered, str(i), leave[i])) for i in range(3)]
    await settle()
    assert (admission.running, admission.waiting, entered) == (1, 2, ["0"])
    with pytest.raises(TooManyRequests):
        admission.check()
    with pytest.raises(TooManyRequests):
        await admission.slot("late").__aenter__()
    for event in leave:
        event.set()
    await asyncio.gather(*tasks)
    assert (admission.running, admission.waiting, entered) == (0, 0, ["0", "1", "2"])


async def test_who_gives_up_waiting_is_passed_over() -> None:
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=2))
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
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=2))
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


async def test_a_wait_has_an_end() -> None:
    admission = Admission(AdmissionSettings(max_concurrent=1, max_queue=2, max_wait_seconds=0.02))
    async with admission.slot("holder"):
        with pytest.raises(TooManyRequests) as caught:
            await admission.slot("other").__aenter__()
        assert caught.value.retry_after > 0
        assert admission.waiting == 0
    assert admission.running == 0


async def test_a_policy_may_choose() -> None:
    class LastComesFirst:
        def __init__(self) -> None:
            self.tickets: list[Ticket] = []

        def __len__(self) -> int:
            return len(self.tickets)

        def add(self, ticket: Ticket) -> None:
            self.tickets.append(ticket)

        def remove(self, ticket: Ticket) -> None:
            self.tickets.remove(ticket)

        def next(self) -> Ticket | None:
            return self.tickets.pop() if self.tickets else None

    admission = Admission(AdmissionSettings(max_concurrent=1), LastComesFirst())
    entered: list[str] = []
    leave = asyncio.Event()
    tasks = [asyncio.create_task(hold(admission, entered, name, leave)) for name in "abc"]
    await settle()
    leave.set()
    await asyncio.gather(*tasks)
    assert entered == ["a", "c", "b"]
