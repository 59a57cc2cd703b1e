"""The fair order alone: whose turn comes after whose, and what it costs a caller that a request gives up."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from service.admission.ticket import State, Ticket
from service.admission.turns import COST, Turns


def waiting(turns: Turns, caller: str) -> Ticket:
    """A request of ``caller`` that waits."""
    ticket = Ticket(None, caller, "interactive")
    ticket.state = State.WAITING
    turns.add(ticket)
    return ticket


def order(turns: Turns) -> Iterator[Ticket]:
    """All that are left, as their turns come."""
    while len(turns):
        yield turns.next()


def test_who_gives_up_leaves_his_turn_to_the_next_of_his_caller() -> None:
    turns = Turns()
    both = [(waiting(turns, "a"), waiting(turns, "b")) for _ in range(5)]
    for mine, _ in both[:4]:
        turns.remove(mine)
    assert [ticket.caller for ticket in order(turns)] == ["b", "a", "b", "b", "b", "b"]


def test_the_last_who_gives_up_is_not_charged_either() -> None:
    turns = Turns()
    first, second, _ = waiting(turns, "a"), waiting(turns, "a"), waiting(turns, "b")
    turns.remove(first)
    turns.remove(second)
    again = waiting(turns, "a")
    assert again.tag == COST["interactive"]


def test_who_had_caught_up_does_not_move() -> None:
    """Nothing was owed to him when he came, so nothing is left to him."""
    turns = Turns()
    first = waiting(turns, "a")
    for _ in range(3):
        waiting(turns, "b")
    turns.passed = 2.0  # so many turns have gone by
    late = waiting(turns, "a")
    before = late.tag
    assert before > first.tag + COST["interactive"]
    turns.remove(first)
    assert late.tag == before


@given(st.integers(0, 2**32), st.integers(2, 4))
def test_callers_are_served_alike_however_many_give_up(seed: int, callers: int) -> None:
    """While all have somebody waiting, nobody has had two turns more than another."""
    random, turns = Random(seed), Turns()
    names = [f"caller {number}" for number in range(callers)]
    queue = {name: [waiting(turns, name) for _ in range(3)] for name in names}
    had = dict.fromkeys(names, 0)
    for _ in range(150):
        name = random.choice(names)
        what = random.choice(["come", "come", "give up", "turn", "turn"])
        if what == "come" or len(queue[name]) < 2:
            queue[name].append(waiting(turns, name))
        elif what == "give up":
            turns.remove(queue[name].pop(random.randrange(len(queue[name]))))
        else:
            ticket = turns.next()
            queue[ticket.caller].remove(ticket)
            had[ticket.caller] += 1
            if not queue[ticket.caller]:
                queue[ticket.caller].append(waiting(turns, ticket.caller))
        assert max(had.values()) - min(had.values()) <= 1
