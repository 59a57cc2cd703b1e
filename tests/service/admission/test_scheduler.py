"""What holds of the scheduler for any order of events: hypothesis looks for one where it does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.admission.affinity import Affinity
from service.admission.places import Places
from service.admission.scheduler import Scheduler
from service.admission.ticket import State, Ticket
from service.admission.turns import Turns
from tests.service.admission.world import EVENTS, EXTRA, POLICIES, QUICK, Event, World


@pytest.mark.parametrize("policy", POLICIES)
@given(events=EVENTS, queue=st.sampled_from([0, 3, 30]))
@QUICK
def test_nothing_is_lost_bounds_hold_and_everybody_gets_in(
    policy: str, events: list[Event], queue: int
) -> None:
    world = World(POLICIES[policy](), queue=queue)
    world.play(events)
    for _ in range(len(world.tickets) + 1):  # nobody else comes; those in the engine end one by one
        world.now += 0.5
        for ticket in world.of(State.RUNNING):
            world.finish(ticket)
    assert {ticket.state for ticket in world.tickets} <= {State.GONE, State.SHED}


@pytest.mark.parametrize("policy", POLICIES)
@given(events=EVENTS)
@QUICK
def test_no_slot_is_free_while_somebody_waits_where_adapters_have_places(
    policy: str, events: list[Event]
) -> None:
    class Working(World):
        def seen(self, moved: Sequence[Ticket]) -> None:
            super().seen(moved)
            assert len(self.of(State.RUNNING)) == self.slots or not self.of(State.WAITING)

    Working(POLICIES[policy](), places=9).play(events)


@given(events=EVENTS)
@QUICK
def test_who_is_late_by_half_goes_before_everybody_else(events: list[Event]) -> None:
    class Strict(World):
        def seen(self, moved: Sequence[Ticket]) -> None:
            super().seen(moved)
            let_in = [ticket for ticket in moved if ticket.state is State.RUNNING]
            for ticket in self.of(State.WAITING):
                if self.now - ticket.due >= EXTRA / 2:  # only who has been due for as long
                    assert all(other.due <= ticket.due for other in let_in)

    Strict(Affinity(EXTRA), places=9).play(events)


def test_who_moves_up_by_another_who_gives_up_goes_first_of_his_adapter() -> None:
    world = World(Affinity(EXTRA), slots=1, places=9)
    running = world.arrive("held")
    given_up = [world.arrive("y", "a") for _ in range(2)]
    mine = world.arrive("x", "a")  # a's third
    theirs = [world.arrive("x", "b") for _ in range(2)]
    for ticket in given_up:
        world.seen(world.scheduler.leave(ticket, world.now))
    world.finish(running)
    assert mine.state is State.RUNNING  # its first now, and before b's
    assert {ticket.state for ticket in theirs} == {State.WAITING}


@pytest.mark.parametrize("seed", range(5))
def test_callers_who_give_up_get_as_much_as_those_who_do_not(seed: int) -> None:
    """Two callers ask for more than there is; one of them gives up what has waited for ten seconds."""
    random = Random(seed)
    world = World(Affinity(EXTRA), slots=4, queue=200)
    answered: Counter[str] = Counter()
    ends: dict[Ticket, float] = {}
    for tick in range(4_000):
        world.now = tick / 10
        for ticket in [
            one for one in world.of(State.RUNNING) if ends.setdefault(one, world.now + 1) <= world.now
        ]:
            answered[ticket.caller] += 1
            world.finish(ticket)
        for ticket in world.of(State.WAITING):
            if ticket.caller == "hasty" and world.now - ticket.arrived > 10:
                world.seen(world.scheduler.leave(ticket, world.now))
        if tick < 3_900:
            for caller in ("hasty", "patient"):
                if random.random() < 0.32:
                    world.arrive("a", caller)
        world.tickets = [one for one in world.tickets if one.state in (State.RUNNING, State.WAITING)]
    assert abs(answered["hasty"] - answered["patient"]) < 0.1 * answered.total()


@given(events=EVENTS)
@QUICK
def test_with_one_adapter_and_one_caller_it_is_first_come_first_served(events: list[Event]) -> None:
    class InOrder(World):
        def seen(self, moved: Sequence[Ticket]) -> None:
            super().seen(moved)
            last = max((self.tickets.index(ticket) for ticket in self.of(State.RUNNING)), default=0)
            assert all(self.tickets.index(ticket) > last for ticket in self.of(State.WAITING))

    world = InOrder(Affinity(EXTRA))
    world.play([(what, 1, 0, "interactive", later) for what, _, _, _, later in events])


@given(loads=st.lists(st.integers(1, 20), min_size=2, max_size=4), chance=st.randoms(use_true_random=False))
@QUICK
def test_in_the_fair_order_nobody_who_waits_gets_two_turns_more_than_another(
    loads: list[int], chance: Random
) -> None:
    turns = Turns()
    callers = [f"c{caller}" for caller, count in enumerate(loads) for _ in range(count)]
    chance.shuffle(callers)
    for caller in callers:
        turns.add(Ticket("a", caller))
    had = dict.fromkeys(callers, 0)
    left = Counter(callers)
    for _ in callers:
        caller = turns.next().caller
        had[caller] += 1
        left[caller] -= 1
        waiting = [had[one] for one in had if left[one]]
        assert not waiting or max(had.values()) - min(waiting) <= 1


def test_in_the_fair_order_ten_interactive_turns_go_with_one_of_batch() -> None:
    turns = Turns()
    for _ in range(40):
        turns.add(Ticket("a", "jobs", "batch"))
        turns.add(Ticket("a", "people"))
    first = Counter(turns.next().priority for _ in range(22))
    assert first == {"interactive": 20, "batch": 2}


def test_the_adapters_that_drain_are_those_that_nobody_entered_for_longest_half_of_them_at_most() -> None:
    places = Places(4)
    for now, adapter in enumerate(("a", "b", "c", "d", "a")):
        places.enter(adapter, float(now))
    assert places.draining(set(), 9.0) == set()
    assert places.draining({"a", None}, 9.0) == set()  # they have what they need
    assert places.draining({"x"}, 9.0) == {"b"}
    assert places.draining({"x"}, 1.0) == {"a"}  # b got its place later than that
    assert places.draining({"x", "y", "z"}, 9.0) == {"b", "c"}
    places.leave("b")
    assert places.draining({"x", "y"}, 9.0) == {"c"}  # one place is free
    places.total = 2  # a server is gone, and one adapter has no place any more
    assert places.draining({"x", "y"}, 9.0) == {"c", "d"}  # that one, and half of two
    assert places.draining(set(), 9.0) == places.draining({"a"}, 9.0) == set()  # nobody is late for one


def test_with_one_place_for_four_adapters_the_slots_are_used() -> None:
    """160 requests of a second, 16 at once: ten seconds, and some that begin as one adapter drains."""
    world = World(Affinity(2.0), slots=16, places=1, queue=200)
    for number in range(160):
        world.arrive(f"a{number % 4}")
    while running := world.of(State.RUNNING):
        world.now += 1.0
        for ticket in running:
            world.finish(ticket)
    assert world.now <= 13.0


def test_where_places_are_lost_nobody_waits_for_a_slot_because_of_it_until_somebody_is_late() -> None:
    scheduler = Scheduler(Affinity(2.0), slots=8, places=2, max_queue=9, max_wait=60.0)
    scheduler.arrive(Ticket("a"), 0.0)
    scheduler.arrive(Ticket("b"), 0.0)
    scheduler.resize(8, 1, 0.0)
    scheduler.arrive(new := Ticket("new"), 0.0)
    for adapter in ("a", "b"):
        scheduler.arrive(more := Ticket(adapter), 1.0)  # the first has taken the turn of the new one
        assert more.state is State.RUNNING
    assert (new.state, new.due) == (State.WAITING, 1.0)
    scheduler.arrive(more := Ticket("a"), 3.0)
    assert more.state is State.WAITING  # who is late is to get its place


def test_requests_go_in_runs_of_one_adapter() -> None:
    """Six wait, two adapters in turn: first come would change adapters five times, this does once."""
    world = World(Affinity(10.0), slots=1)
    holder = world.arrive(None)
    for index in range(6):
        world.now += 0.01
        world.arrive(f"a{index % 2}")
    world.finish(holder)
    order = []
    while running := world.of(State.RUNNING):
        order.append(running[0].adapter)
        world.now += 0.1
        world.finish(running[0])
    assert order == ["a0", "a0", "a0", "a1", "a1", "a1"]


def test_a_run_begins_with_who_is_let_in_at_once() -> None:
    world = World(Affinity(10.0), slots=2)
    first = world.arrive("a")
    world.arrive("b")
    waiting = [world.arrive("a"), world.arrive("b")]
    world.finish(first)
    assert [ticket.state for ticket in waiting] == [State.WAITING, State.RUNNING]


def test_the_next_run_is_of_an_adapter_in_the_engine_then_of_who_came_first() -> None:
    world = World(Affinity(10.0), slots=3, places=9)
    held = [world.arrive(adapter) for adapter in ("x", "x", "y")]
    new, known, last = world.arrive("a"), world.arrive("x"), world.arrive("b", "other")
    order = []
    for _ in range(3):
        before = set(world.of(State.RUNNING))
        world.finish(held.pop())
        order += [ticket for ticket in world.of(State.RUNNING) if ticket not in before]
        world.now += 0.1
    assert order == [known, new, last]


def test_of_several_adapters_in_the_engine_the_one_whose_first_came_first_goes_on() -> None:
    world = World(Affinity(10.0), slots=3, places=9)
    _, _, ends = (world.arrive(adapter) for adapter in ("x", "y", "w"))
    world.arrive("z", "other")  # its turn is next, but it is not in the engine
    gives_up = world.arrive("y")
    waiting = []
    for adapter in ("x", "y"):
        world.now += 0.1
        waiting.append(world.arrive(adapter))
    world.seen(world.scheduler.leave(gives_up, world.now))
    world.finish(ends)
    assert [ticket.state for ticket in waiting] == [State.RUNNING, State.WAITING]


def test_in_a_run_who_is_due_goes_before_who_came_first() -> None:
    world = World(Affinity(10.0), slots=1)
    running = world.arrive("a")
    for caller in ("loud", "loud", "loud", "quiet"):
        world.arrive("a", caller)
    order = []
    for _ in range(4):
        world.finish(running)
        (running,) = world.of(State.RUNNING)
        order.append(running.caller)
    assert order == ["loud", "quiet", "loud", "loud"]


def test_batch_goes_behind_all_interactive_requests_until_it_is_late() -> None:
    world = World(Affinity(2.0), slots=1)
    running = world.arrive("a")
    job = world.arrive("a", "job", "batch")
    for _ in range(30):
        world.arrive("b", "person")
    waited = 0
    while job.state is State.WAITING:
        world.now += 0.25
        world.finish(running)
        (running,) = world.of(State.RUNNING)
        waited += 1
    assert waited == 10 + 1 + 4  # ten interactive turns, its own, and a second until it is late
    assert job.admitted - job.due == 1.0


def test_who_gives_up_when_due_takes_out_the_turn_of_one_who_went_before_him() -> None:
    """a1 and a2 go in a run, so b1 is due, and a2's turn stands for him; he leaves, and c waits alone."""
    world = World(Affinity(10.0), slots=1)
    holder = world.arrive(None)
    a1, b1, a2 = (world.arrive(adapter) for adapter in ("a", "b", "a"))
    world.finish(holder)
    world.finish(a1)
    assert (a2.state, b1.due) == (State.RUNNING, 0.0)
    world.arrive("c")
    assert world.turns() == 2
    world.seen(world.scheduler.leave(b1, world.now))
    assert world.turns() == 1


def test_a_rare_adapter_gets_a_place_from_one_that_never_stops() -> None:
    """One place. 'hot' always has more that wait; once 'rare' is late by two seconds 'hot' is closed."""
    world = World(Affinity(2.0), slots=2, places=1, queue=100)
    for _ in range(6):
        world.arrive("hot")
    rare = world.arrive("rare")
    for _ in range(60):
        if rare.state is State.RUNNING:
            break
        world.now += 0.1
        world.arrive("hot")
        world.finish(world.of(State.RUNNING)[0])
    assert rare.state is State.RUNNING
    assert 2.0 <= rare.admitted - rare.due <= 2.0 + 0.2 + 1e-9  # the last of 'hot' that came in took 0.2 s
