"""How late anybody is, and what a caller gets, as docs/scheduling.md promises it. The clock is virtual."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Sequence
from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.admission.affinity import Affinity
from service.admission.scheduler import Scheduler
from service.admission.ticket import State, Ticket
from service.admission.turns import Turns
from tests.service.admission.clock import Clock
from tests.service.admission.world import EVENTS, EXTRA, QUICK, Event, World


class Bounded(World):
    """Who is late by ``extra``, and due for longest, is in after half of it and the longest answer."""

    def __init__(self, extra: float = EXTRA, slots: int = 3, places: int = 2, queue: int = 30) -> None:
        super().__init__(Affinity(extra), slots=slots, places=places, queue=queue)
        self.extra = extra
        self.longest = 0.0  # seconds that anybody has had a slot
        self.first: dict[Ticket, float] = {}  # since when nobody waits who has been due for longer
        self.waited: list[Ticket] = []

    def finish(self, ticket: Ticket) -> None:
        self.longest = max(self.longest, self.now - ticket.admitted)
        super().finish(ticket)

    def seen(self, moved: Sequence[Ticket]) -> None:
        super().seen(moved)
        running, waiting = self.of(State.RUNNING), self.of(State.WAITING)
        self.longest = max([self.longest, *(self.now - ticket.admitted for ticket in running)])
        for ticket in {*self.waited, *waiting}:
            if ticket in self.first:
                late = max(ticket.due + self.extra, self.first[ticket])
                assert self.now <= late + self.extra / 2 + self.longest + 1e-9
        dues = sorted(ticket.due for ticket in waiting)
        if dues and dues[0] < math.inf and dues.count(dues[0]) == 1:
            self.first.setdefault(min(waiting, key=lambda ticket: ticket.due), self.now)
        self.waited = waiting


@given(events=EVENTS, places=st.integers(1, 3))
@QUICK
def test_who_is_late_and_due_for_longest_waits_for_one_answer(events: list[Event], places: int) -> None:
    Bounded(places=places).play(events)


@pytest.mark.parametrize("seed", range(12))
def test_the_same_where_more_comes_than_is_served_and_few_adapters_have_places(seed: int) -> None:
    """400 requests for four to nine adapters, one or two of which have places; answers of 0.3 to 3 s."""
    random = Random(seed)
    places, slots = random.choice([1, 2]), random.choice([2, 4, 8])
    world = Bounded(random.choice([0.5, 1.0, 4.0]), slots=slots, places=places, queue=400)
    adapters = [f"a{adapter}" for adapter in range(random.randint(2 * places + 2, 9))]
    arrivals = [world.now]
    for _ in range(399):
        arrivals.append(arrivals[-1] + random.expovariate(slots / 1.5))
    ends: list[tuple[float, int, Ticket]] = []
    numbers = count()
    begun: set[Ticket] = set()
    while arrivals or ends:
        if arrivals and (not ends or arrivals[0] < ends[0][0]):
            world.now = arrivals.pop(0)
            world.arrive(random.choice(adapters), f"c{random.randrange(3)}")
        else:
            world.now, _, ended = heapq.heappop(ends)
            world.finish(ended)
        for ticket in world.of(State.RUNNING):
            if ticket not in begun:
                begun.add(ticket)
                heapq.heappush(ends, (world.now + random.uniform(0.3, 3.0), next(numbers), ticket))
    assert len(world.first) > 10
    assert {ticket.state for ticket in world.tickets} == {State.GONE}


@given(
    places=st.integers(1, 8),
    rare=st.integers(1, 4),
    arrivals=st.lists(
        st.tuples(st.integers(0, 11), st.sampled_from([0.0, 0.05, 0.3]), st.floats(0.1, 1.0)),
        min_size=20,
        max_size=150,
    ),
)
@settings(QUICK, max_examples=60)
def test_late_by_the_extra_wait_and_one_answer_at_most_where_a_place_is_to_be_freed(
    places: int, rare: int, arrivals: list[tuple[int, float, float]]
) -> None:
    """Slots for all, and no more adapters without a place than half of the places."""
    adapters = places + min(rare, max(1, places // 2))
    clock = Clock(Affinity(0.5), slots=1_000, places=places, wait=1e9)
    for adapter, later, hold in arrivals:
        clock.until(clock.now + later)
        clock.arrive(Ticket(f"a{adapter % adapters}"), hold)
    clock.until(clock.now + 100.0)
    assert len(clock.answered) == len(arrivals)
    assert max(ticket.admitted - ticket.due for ticket in clock.answered) <= 0.5 + 1.0 + 1e-9


@pytest.mark.parametrize(("before", "after"), [(4, 2), (4, 1), (8, 4)])
def test_late_by_no_more_where_places_are_lost(before: int, after: int) -> None:
    """All adapters come every second and take four; that of one place more than is left is to drain too."""
    clock = Clock(Affinity(2.0), slots=10_000, places=before, wait=1e9)
    rare = Ticket("rare")
    for second in range(30):
        for adapter in range(before):
            clock.until(second + adapter / 10)
            clock.arrive(Ticket(f"a{adapter}"), 4.0)
        if second == 5:
            clock.resize(10_000, after)
            clock.arrive(rare, 4.0)
    assert rare.admitted - rare.due <= 2.0 + 4.0


@given(events=EVENTS)
@QUICK
def test_a_slot_is_free_only_for_want_of_a_place_or_while_an_adapter_drains(events: list[Event]) -> None:
    class Working(World):
        def seen(self, moved: Sequence[Ticket]) -> None:
            super().seen(moved)
            running, waiting = self.of(State.RUNNING), self.of(State.WAITING)
            inside = {ticket.adapter for ticket in running} - {None}
            late = {ticket.adapter for ticket in waiting if self.now - ticket.due >= EXTRA}
            drains = bool(late - inside - {None})
            if len(running) < self.slots and waiting and not drains:
                assert len(inside) == self.places
                assert not {ticket.adapter for ticket in waiting} & {*inside, None}

    Working(Affinity(EXTRA)).play(events)


@given(loads=st.lists(st.integers(1, 9), min_size=1, max_size=4), chance=st.randoms(use_true_random=False))
@QUICK
def test_without_extra_wait_the_fair_order_is_followed(loads: list[int], chance: Random) -> None:
    world, turns = World(Affinity(0.0), slots=1, places=9, queue=99), Turns()
    running = world.arrive(None)
    callers = [f"c{caller}" for caller, load in enumerate(loads) for _ in range(load)]
    chance.shuffle(callers)
    for caller in callers:
        turns.add(world.arrive(f"a{chance.randrange(4)}", caller, chance.choice(["interactive", "batch"])))
    for _ in callers:
        world.finish(running)
        (running,) = world.of(State.RUNNING)
        assert running is turns.next()


def answered(few: int, many: int) -> Counter[str]:
    """Answers in 200 s to two callers who always have so many waiting: 16 slots, 8 adapters, 1 s each."""
    scheduler = Scheduler(Affinity(2.0), slots=16, places=8, max_queue=999, max_wait=1e9)
    random, numbers, found = Random(1), count(), Counter[str]()
    ends: list[tuple[float, int, Ticket]] = []

    def settle(moved: list[Ticket], now: float) -> None:
        for ticket in moved:
            heapq.heappush(ends, (now + random.uniform(0.8, 1.2), next(numbers), ticket))
            settle(scheduler.arrive(Ticket(f"a{random.randrange(8)}", ticket.caller), now), now)

    for caller in ["many"] * many + ["few"] * few:
        settle(scheduler.arrive(Ticket(f"a{random.randrange(8)}", caller), 0.0), 0.0)
    while ends[0][0] < 200.0:
        now, _, ticket = heapq.heappop(ends)
        found[ticket.caller] += 1
        settle(scheduler.finish(ticket, now), now)
    return found


def test_callers_get_alike_if_each_has_waiting_what_goes_in_of_it_in_half_of_the_extra_wait() -> None:
    found = answered(few=9, many=60)  # 8 of each go in in a second
    assert abs(found["few"] - found["many"]) < 0.05 * found.total()


def test_a_caller_with_fewer_waiting_gets_less_but_each_of_them_within_its_turn_and_half() -> None:
    found = answered(few=2, many=60)
    assert found["few"] < 0.25 * found.total()
    assert found["few"] > 200 * 2 / (1.0 + 2 * 2 / 16 + 0.2)  # half, two rounds of two turns, and a slot
