"""The estimate of a wait: what it goes by, and what is told to who is to come again."""

from __future__ import annotations

import asyncio

import pytest

from service.admission import Admission
from service.admission.affinity import Affinity
from service.admission.first_come import FirstCome
from service.admission.scheduler import Scheduler
from service.admission.ticket import State, Ticket
from service.errors import TooManyRequests
from service.sections import AdmissionSettings
from tests.service.admission.clock import ANSWER, EXTRA, LONGEST, SLOTS, play


def test_who_is_the_first_to_wait_for_a_place_for_his_adapter_is_later_than_who_joins_another() -> None:
    policy = Affinity(EXTRA)
    scheduler = Scheduler(policy, slots=9, places=1, max_queue=9, max_wait=LONGEST)
    for adapter in ("a", "b", "a"):  # the second a by the turn of b
        scheduler.arrive(Ticket(adapter), 0.0)
    assert [policy.allowance(Ticket(adapter), 1.0) for adapter in (None, "b", "c")] == [EXTRA, EXTRA, EXTRA]
    assert [policy.allowance(Ticket(adapter), 5.0) for adapter in (None, "b", "c")] == [EXTRA, EXTRA, 5.0]


def test_who_is_to_come_again_hears_how_late_the_latest_is_too() -> None:
    scheduler = Scheduler(Affinity(EXTRA), slots=4, places=1, max_queue=9, max_wait=60.0)
    scheduler.arrive(Ticket("a"), 0.0)
    scheduler.arrive(latest := Ticket("b", "other"), 0.1)
    for now in (0.2, 0.3, 0.4):  # the first by the turn of b
        scheduler.arrive(Ticket("a"), now)
    scheduler.arrive(first := Ticket("c", "third"), 55.2)  # to wait for its adapter
    assert (latest.due, first.state, first.retry_after) == (0.2, State.SHED, 55.0)
    scheduler.leave(latest, 58.2)  # in vain, and so long after its turn
    assert latest.retry_after == 58.0


def test_who_asks_the_base_hears_how_late_the_latest_of_the_base_is() -> None:
    scheduler = Scheduler(Affinity(EXTRA), slots=4, places=1, max_queue=1, max_wait=60.0)
    scheduler.arrive(Ticket("a"), 0.0)
    scheduler.arrive(Ticket("b", "other"), 0.1)
    for now in (0.2, 0.3, 0.4):  # the first by the turn of b
        scheduler.arrive(Ticket("a"), now)
    asked = Ticket(None, "third"), Ticket("a", "third")
    for ticket in asked:
        assert scheduler.would_refuse(ticket, 55.2)
    assert [ticket.retry_after for ticket in asked] == [1.0, 55.0]


@pytest.mark.parametrize("adapter", ["b", None])
def test_who_gives_up_after_his_turn_needs_another(adapter: str | None) -> None:
    scheduler = Scheduler(Affinity(EXTRA), slots=1, places=9, max_queue=9, max_wait=60.0)
    scheduler.arrive(first := Ticket("a"), 0.0)
    scheduler.finish(first, 4.0)
    scheduler.arrive(second := Ticket("a"), 4.0)
    scheduler.arrive(due := Ticket(adapter, "other"), 4.0)
    for _ in range(2):
        scheduler.arrive(Ticket("a"), 4.0)
    scheduler.finish(second, 8.0)  # a goes in, by the turn of the other
    scheduler.leave(due, 8.5)
    assert (due.due, due.retry_after) == (8.0, 5.0)  # an answer of 4 s, and half a second


def test_what_is_known_stays_known_while_somebody_waits_whose_turn_has_gone_by() -> None:
    """One place and an adapter for each request, so that a turn comes every ten seconds, on four slots."""
    scheduler = Scheduler(Affinity(EXTRA), slots=4, places=1, max_queue=99, max_wait=60.0)
    now, running = 0.0, Ticket("0")
    scheduler.arrive(running, now)
    scheduler.arrive(waiting := Ticket("1"), now)
    for number in range(2, 30):
        scheduler.arrive(more := Ticket(f"{number}"), now)
        now += 10.0
        scheduler.finish(running, now)
        running, waiting = waiting, more
        assert (running.state, waiting.state) == (State.RUNNING, State.WAITING)
    for _ in range(2):  # the second by the turn of who waits
        scheduler.arrive(Ticket(running.adapter, "", "batch"), now)
    assert waiting.due == now
    last = [Ticket("x") for _ in range(6)]
    for ticket in last:
        scheduler.arrive(ticket, now)
    assert [ticket.state for ticket in last] == 5 * [State.WAITING] + [State.SHED]  # the sixth turn: in 60 s


def test_a_burst_after_a_long_calm_is_not_measured_by_the_queue_before_it() -> None:
    clock = play(Affinity(EXTRA), 1, 2.0, people=1.0)
    clock.until(clock.now + 10_000)
    burst = [Ticket("a0", "c") for _ in range(2 * SLOTS)]
    for ticket in burst:
        clock.arrive(ticket, ANSWER)
    assert {ticket.state for ticket in burst} == {State.RUNNING, State.WAITING}


def test_one_turn_that_was_long_in_coming_is_no_pace() -> None:
    scheduler = Scheduler(Affinity(EXTRA), slots=20, places=1, max_queue=100, max_wait=LONGEST)
    scheduler.arrive(first := Ticket("a"), 0.0)
    scheduler.finish(first, 10.0)  # so a turn comes every half second
    running = [Ticket("a") for _ in range(20)]
    for ticket in [*running, *(Ticket("a") for _ in range(10))]:
        scheduler.arrive(ticket, 10.0)
    scheduler.finish(running[0], 18.0)
    last = Ticket("a")
    scheduler.arrive(last, 18.0)
    assert last.state is State.WAITING


def test_as_many_slots_as_before_leave_known_what_is_known() -> None:
    clock = play(Affinity(EXTRA), 1, 2.0, people=0.5)
    asked = [Ticket(None, "interactive 0"), Ticket(None, "batch 0", "batch")]
    before = [clock.scheduler.would_refuse(ticket, clock.now) for ticket in asked]
    clock.resize(SLOTS)
    assert [clock.scheduler.would_refuse(ticket, clock.now) for ticket in asked] == before


def test_what_failed_says_nothing_of_how_long_an_answer_takes() -> None:
    scheduler = Scheduler(FirstCome(), slots=1, places=1, max_queue=100, max_wait=10.0)
    first = Ticket("a")
    scheduler.arrive(first, 0.0)
    scheduler.finish(first, 4.0)
    for _ in range(50):
        ticket = Ticket("a")
        scheduler.arrive(ticket, 4.0)
        scheduler.leave(ticket, 4.0)
    for _ in range(2):
        scheduler.arrive(Ticket("a"), 4.0)
    last = Ticket("a")
    scheduler.arrive(last, 4.0)
    scheduler.leave(last, 4.0)
    assert last.retry_after == 8.0  # two turns of 4 s


async def test_a_request_that_fails_in_the_engine_is_not_averaged_in() -> None:
    admission = Admission(AdmissionSettings(max_concurrent=1, max_wait_seconds=0.5), adapters=1)
    async with admission.slot("a"):
        await asyncio.sleep(0.2)
    for _ in range(100):
        with pytest.raises(ConnectionError):
            async with admission.slot("a"):
                raise ConnectionError
    async with admission.slot("a"):
        waiting = [asyncio.create_task(admission.slot("a").__aenter__()) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequests):  # three answers of 0.2 s are before it
            admission.check("")
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
