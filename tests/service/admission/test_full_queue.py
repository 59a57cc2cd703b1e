"""Who is refused where the queue is full, or can't be served in time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.admission.affinity import Affinity
from service.admission.first_come import FirstCome
from service.admission.queue import Queue
from service.admission.scheduler import Scheduler
from service.admission.ticket import State, Ticket
from tests.service.admission.world import EVENTS, EXTRA, POLICIES, QUICK, Event, World


def test_a_queue_that_cannot_be_served_in_time_sheds_with_the_time_to_come_back() -> None:
    scheduler = Scheduler(FirstCome(), slots=2, places=2, max_queue=100, max_wait=10.0)
    for second in range(4):  # a request holds its slot for 4 s, so one is let in every 2 s
        ticket = Ticket("a")
        scheduler.arrive(ticket, 4.0 * second)
        scheduler.finish(ticket, 4.0 * (second + 1))
    tickets = [Ticket("a") for _ in range(20)]
    for ticket in tickets:
        scheduler.arrive(ticket, 16.0)
    states = Counter(ticket.state for ticket in tickets)
    assert states == {
        State.RUNNING: 2,
        State.WAITING: 4,
        State.SHED: 14,
    }  # the 4th turn comes after 8 s; the 5th, 10
    assert tickets[-1].retry_after == 10.0
    assert scheduler.would_refuse(Ticket("a", "anybody"), 16.0) == 10.0


def test_a_queue_for_nobody_refuses_who_finds_no_place_for_his_adapter() -> None:
    scheduler = Scheduler(Affinity(EXTRA), slots=2, places=1, max_queue=0, max_wait=10.0)
    first, second = Ticket("a"), Ticket("b")
    assert scheduler.arrive(first, 0.0) == [first]
    assert scheduler.arrive(second, 0.0) == [second]
    assert (first.state, second.state) == (State.RUNNING, State.SHED)


@pytest.mark.parametrize("kind", POLICIES)
def test_a_queue_for_places_keeps_nobody_from_a_slot_who_needs_none(kind: str) -> None:
    world = World(POLICIES[kind](), slots=4, places=1, queue=3)
    world.arrive("a")
    waiting = [world.arrive("b") for _ in range(3)]
    assert world.scheduler.would_refuse(Ticket(None), world.now) is None
    last = world.arrive("b")
    assert last.state is State.SHED
    assert world.arrive(None).state is (State.RUNNING if kind == "affinity" else State.SHED)
    assert all(ticket.state is State.WAITING for ticket in waiting)


def test_a_full_queue_pushes_out_the_last_of_who_has_most_waiting_whatever_turns_are_left() -> None:
    """All that is left of 'loud' in its line of batch is the turn of one that was let in."""
    world = World(Affinity(EXTRA), slots=4, places=1, queue=5)
    world.arrive("a", "loud")
    due = world.arrive("b", "loud")
    assert world.arrive("a", "loud", "batch").state is State.RUNNING
    loud = [world.arrive("b", "loud") for _ in range(4)]
    quiet = world.arrive("b", "quiet")
    assert (quiet.state, loud[-1].state) == (State.WAITING, State.SHED)
    assert {ticket.state for ticket in (due, *loud[:-1])} == {State.WAITING}


def test_who_is_due_counts_among_those_that_his_caller_has_waiting() -> None:
    world = World(Affinity(EXTRA), slots=9, places=1, queue=4)
    world.arrive("a")
    loud = [world.arrive("b", "loud") for _ in range(3)]
    for _ in range(3):
        world.arrive("a", "loud")  # let in, by a turn of those who wait; its own is left
    assert [ticket.due for ticket in loud] == [world.now] * 3
    others = [world.arrive("b", caller) for caller in ("quiet", "shy")]
    assert loud.pop().state is State.SHED
    assert {ticket.state for ticket in (*loud, *others)} == {State.WAITING}


def test_an_adapter_that_drained_for_one_who_is_pushed_out_is_entered_at_once() -> None:
    world = World(Affinity(EXTRA), slots=9, places=1, queue=2)
    world.arrive("a")
    job = world.arrive("b", "jobs", "batch")
    world.arrive("a", "jobs", "batch")  # by the turn of the job
    world.now = EXTRA
    waiting = world.arrive("a")
    assert (job.due, waiting.state) == (0.0, State.WAITING)  # a drains for the job
    last = world.arrive("b")
    assert [one.state for one in (job, waiting, last)] == [State.SHED, State.RUNNING, State.WAITING]


def test_the_last_is_that_of_whoever_has_most_in_the_class_that_has_more_than_its_share() -> None:
    def pushed_out(*callers: str) -> str | None:
        """Whose request has to go as the last of these comes, where one more waits than may; j: batch."""
        queue = Queue(Affinity(EXTRA), slots=1, max_queue=len(callers) - 1, max_wait=1e9)
        for number, caller in enumerate(callers):
            ticket = Ticket(f"{number}", caller, "batch" if caller.startswith("j") else "interactive")
            queue.add(ticket)
        refused = queue.refused(ticket, 0.0)
        return refused.adapter if refused else None

    assert pushed_out(*(12 * ["loud"]), "quiet") == "11"
    assert pushed_out(*(12 * ["loud"]), "quiet", "job") == "11"  # one of batch is less than a tenth of 13
    assert pushed_out(*(12 * ["loud"]), "quiet", "job", "j2") == "14"
    assert pushed_out(*(9 * ["loud"]), "quiet", "job") == "10"  # a tenth
    assert pushed_out("loud", "quiet") == "1"  # who came last, of two with one each


@pytest.mark.parametrize("policy", POLICIES)
@given(events=EVENTS, queue=st.sampled_from([0, 3, 30]))
@QUICK
def test_who_asks_whether_he_would_be_refused_leaves_no_trace(
    policy: str, events: list[Event], queue: int
) -> None:
    class Asking(World):
        def seen(self, moved: Sequence[Ticket]) -> None:
            super().seen(moved)
            for priority in ("interactive", "batch"):
                self.scheduler.would_refuse(Ticket("a1", "anybody", priority), self.now)
            super().seen(moved)

    asked, plain = (kind(POLICIES[policy](), queue=queue) for kind in (Asking, World))
    for world in (asked, plain):
        world.play(events)
    assert [ticket.state for ticket in asked.tickets] == [ticket.state for ticket in plain.tickets]
