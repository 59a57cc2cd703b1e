"""With a longest wait: who can't be served in time hears it at once, and nobody hears it who could be."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Sequence
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.admission import Admission
from service.admission.affinity import Affinity
from service.admission.first_come import FirstCome
from service.admission.queue import Policy
from service.admission.scheduler import Scheduler
from service.admission.ticket import Priority, State, Ticket
from service.errors import TooManyRequests
from service.sections import AdmissionSettings

SLOTS, ANSWER, LONGEST, EXTRA = 4, 1.0, 20.0, 2.0  # requests at once; seconds
SOME = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Clock:
    """A scheduler on a virtual clock; who waited for ``LONGEST`` is sent away, as the gate does."""

    def __init__(
        self, policy: Policy, *, slots: int = SLOTS, places: int = 100, wait: float = LONGEST
    ) -> None:
        self.scheduler = Scheduler(policy, slots=slots, places=places, max_queue=10_000, max_wait=wait)
        self.slots, self.places, self.wait, self.now = slots, places, wait, 0.0
        self.ends: list[tuple[float, int, Ticket, str]] = []
        self.pushed = 0
        self.holds: dict[Ticket, float] = {}
        self.tickets: list[Ticket] = []
        self.answered: list[Ticket] = []
        self.timed_out: list[Ticket] = []

    def arrive(self, ticket: Ticket, hold: float) -> None:
        self.tickets.append(ticket)
        self.holds[ticket] = hold
        self.push(self.now + self.wait, ticket, "gives up")
        self.seen(self.scheduler.arrive(ticket, self.now))

    def resize(self, slots: int, places: int = 100) -> None:
        self.slots, self.places = slots, places
        self.seen(self.scheduler.resize(slots, places, self.now))

    def until(self, when: float) -> None:
        while self.ends and self.ends[0][0] <= when:
            self.now, _, ticket, what = heapq.heappop(self.ends)
            if what == "ends":
                self.answered.append(ticket)
                self.seen(self.scheduler.finish(ticket, self.now))
            elif ticket.state is State.WAITING:
                self.timed_out.append(ticket)
                self.seen(self.scheduler.leave(ticket, self.now))
        self.now = when

    def push(self, when: float, ticket: Ticket, what: str) -> None:
        self.pushed += 1
        heapq.heappush(self.ends, (when, self.pushed, ticket, what))

    def seen(self, moved: Sequence[Ticket]) -> None:
        for ticket in moved:
            if ticket.state is State.RUNNING:
                self.push(self.now + self.holds[ticket], ticket, "ends")
            else:
                places = self.scheduler.places
                assert self.scheduler.running >= self.slots or len(places.running) >= self.places
                assert ticket.retry_after >= 1

    def refused(self) -> list[Ticket]:
        return [ticket for ticket in self.tickets if ticket.state is State.SHED]


def play(
    policy: Policy,
    seed: int,
    load: float,
    people: float,
    *,
    seconds: float = 90.0,
    callers: int = 1,
    asking: bool = False,
) -> Clock:
    """``load`` times what the slots can serve comes at random, a share ``people`` of it interactive."""
    chance, clock = Random(seed), Clock(policy)
    while clock.now < seconds:
        clock.until(clock.now + chance.expovariate(load * SLOTS / ANSWER))
        priority: Priority = "interactive" if chance.random() < people else "batch"
        ticket = Ticket(f"a{chance.randrange(8)}", f"{priority} {chance.randrange(callers)}", priority)
        if asking:
            clock.scheduler.would_refuse(Ticket(None, ticket.caller, "batch"), clock.now)
            clock.scheduler.would_refuse(Ticket(None, ticket.caller), clock.now)
        clock.arrive(ticket, ANSWER * chance.uniform(0.5, 1.5))
    return clock


@pytest.mark.parametrize("policy", [FirstCome, lambda: Affinity(EXTRA)])
@given(
    seed=st.integers(0, 10**6), load=st.floats(0.1, 0.5), people=st.floats(0, 1), callers=st.integers(1, 4)
)
@SOME
def test_where_all_can_be_served_nobody_is_refused(
    policy: Callable[[], Policy], seed: int, load: float, people: float, callers: int
) -> None:
    """Above it chance refuses some: at 0.6 of what four slots serve 1 draw of 4,000, at 0.8 1 of 80."""
    clock = play(policy(), seed, load, people, callers=callers)
    assert not clock.refused()
    assert not clock.timed_out


@pytest.mark.parametrize("policy", [FirstCome, lambda: Affinity(EXTRA)])
@given(
    seed=st.integers(0, 10**6), load=st.floats(1.5, 3), people=st.floats(0, 0.6), callers=st.integers(1, 4)
)
@SOME
def test_where_too_many_come_it_is_said_at_once_and_no_slot_is_lost(
    policy: Callable[[], Policy], seed: int, load: float, people: float, callers: int
) -> None:
    clock = play(policy(), seed, load, people, callers=callers)
    assert clock.refused()
    assert len(clock.timed_out) <= 0.12 * len(clock.tickets)  # few slots, so much chance: 0.03 is usual
    assert len(clock.answered) >= 0.93 * SLOTS / ANSWER * clock.now  # all the time but for its begin


@given(seed=st.integers(0, 10**6), load=st.floats(1.5, 3))
@SOME
def test_batch_goes_on_behind_more_people_than_can_be_served(seed: int, load: float) -> None:
    """One turn in eleven is theirs; what they wait for it is known to who is refused."""
    clock = play(Affinity(EXTRA), seed, load, people=0.9)
    jobs = [ticket for ticket in clock.answered if ticket.priority == "batch"]
    assert len(jobs) >= 0.05 * len(clock.answered)
    refused = [ticket for ticket in clock.refused() if ticket.priority == "batch"]
    late = [ticket for ticket in clock.timed_out if ticket.priority == "batch"]
    assert len(late) <= len(refused)


@given(seed=st.integers(0, 10**6), load=st.floats(0.8, 3), people=st.floats(0, 1), callers=st.integers(1, 4))
@SOME
def test_who_asks_whether_he_would_be_refused_changes_nothing_for_who_comes(
    seed: int, load: float, people: float, callers: int
) -> None:
    asked, plain = (
        play(Affinity(EXTRA), seed, load, people, callers=callers, asking=asking) for asking in (True, False)
    )
    assert [one.state for one in asked.tickets] == [one.state for one in plain.tickets]
    assert [one.admitted for one in asked.tickets] == [one.admitted for one in plain.tickets]


@pytest.mark.parametrize(("slots", "places", "adapters", "answered"), [(8, 2, 16, 0.87), (16, 4, 32, 1.86)])
def test_who_would_wait_for_a_place_for_too_long_hears_it_at_once(
    slots: int, places: int, adapters: int, answered: float
) -> None:
    """Answers of 4 to 12 s, more than places let in. Reckoned by turns alone a third waited in vain."""
    chance, clock = Random(1), Clock(Affinity(EXTRA), slots=slots, places=places, wait=60.0)
    while clock.now < 3_000:
        clock.until(clock.now + chance.expovariate(slots / 5))
        clock.arrive(Ticket(f"a{chance.randrange(adapters)}"), chance.uniform(4, 12))
    let_wait = len(clock.tickets) - len(clock.refused())
    assert len(clock.timed_out) < 0.25 * let_wait
    assert len(clock.answered) > answered * clock.now


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


def test_who_gives_up_after_his_turn_needs_another() -> None:
    scheduler = Scheduler(Affinity(EXTRA), slots=1, places=9, max_queue=9, max_wait=60.0)
    scheduler.arrive(first := Ticket("a"), 0.0)
    scheduler.finish(first, 4.0)
    scheduler.arrive(second := Ticket("a"), 4.0)
    scheduler.arrive(due := Ticket("b", "other"), 4.0)
    for _ in range(2):
        scheduler.arrive(Ticket("a"), 4.0)
    scheduler.finish(second, 8.0)  # a goes in, by the turn of b
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


def test_an_engine_that_got_slower_under_a_queue_is_noticed() -> None:
    clock = play(Affinity(EXTRA), 1, 2.0, people=1.0, seconds=1_000)
    before, chance = len(clock.tickets), Random(2)
    for _ in range(1_500):
        clock.until(clock.now + chance.expovariate(2 * SLOTS / ANSWER))
        clock.arrive(Ticket("a0", "c"), 5 * ANSWER)
    last = set(clock.tickets[before + 1_000 :])  # of the second minute, and answered five times slower
    let_in = [ticket for ticket in last if ticket.state is not State.SHED]
    clock.until(clock.now + 100)
    assert len(let_in) > 10
    assert len(last.intersection(clock.timed_out)) < 0.2 * len(let_in)


@pytest.mark.parametrize("callers", [1, 20])
def test_who_comes_after_servers_are_lost_is_not_let_wait_by_how_fast_turns_came_before(callers: int) -> None:
    chance, clock = Random(3), Clock(Affinity(EXTRA), slots=64)
    while clock.now < 200:
        if clock.slots == 64 and clock.now > 20:
            clock.resize(16)
            before = len(clock.tickets)
        clock.until(clock.now + chance.expovariate(1.2 * 64 / 4))
        ticket = Ticket(f"a{chance.randrange(8)}", f"c{chance.randrange(callers)}")
        clock.arrive(ticket, chance.uniform(2, 6))
    after = set(clock.tickets[before:])
    let_wait = [ticket for ticket in after if ticket.state is not State.SHED]
    assert len(let_wait) > 500  # a turn comes every quarter of a second
    assert len(after.intersection(clock.timed_out)) < 0.05 * len(let_wait)


def test_as_many_slots_as_before_leave_known_what_is_known() -> None:
    clock = play(Affinity(EXTRA), 1, 2.0, people=0.5)
    asked = [Ticket(None, "interactive 0"), Ticket(None, "batch 0", "batch")]
    before = [clock.scheduler.would_refuse(ticket, clock.now) for ticket in asked]
    clock.resize(SLOTS)
    assert [clock.scheduler.would_refuse(ticket, clock.now) for ticket in asked] == before


@given(
    places=st.integers(1, 8),
    rare=st.integers(1, 4),
    arrivals=st.lists(
        st.tuples(st.integers(0, 11), st.sampled_from([0.0, 0.05, 0.3]), st.floats(0.1, 1.0)),
        min_size=20,
        max_size=150,
    ),
)
@settings(SOME, max_examples=60)
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
