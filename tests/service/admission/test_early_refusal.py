"""With a longest wait: who can't be served in time hears it at once, and nobody hears it who could be."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.admission.affinity import Affinity
from service.admission.first_come import FirstCome
from service.admission.queue import Policy
from service.admission.ticket import State, Ticket
from tests.service.admission.clock import ANSWER, EXTRA, SLOTS, Clock, play

SOME = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


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
