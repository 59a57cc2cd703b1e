"""The fair order alone: ten interactive turns, then one of batch, and within each callers in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.admission.ticket import Priority, Ticket
from service.admission.turns import SHARE, Turns


def waiting(turns: Turns, caller: str, priority: Priority = "interactive") -> Ticket:
    """A request of ``caller`` that waits."""
    ticket = Ticket(None, caller, priority)
    turns.add(ticket)
    return ticket


def order(turns: Turns) -> Iterator[Ticket]:
    """All that are left, as their turns come."""
    while any(line.callers for line in turns.lines.values()):
        yield turns.next()


@pytest.mark.parametrize("keys", [1, 10, 100])
def test_all_batch_together_has_a_turn_after_ten_interactive_ones_however_many_keys_it_has(keys: int) -> None:
    turns = Turns()
    for number in range(200):
        waiting(turns, f"job {number % keys}", "batch")
        waiting(turns, "person")
    first = [ticket.priority for ticket, _ in zip(order(turns), range(220), strict=False)]
    assert first == 20 * ([*(SHARE * ["interactive"]), "batch"])


def test_batch_has_all_turns_while_nobody_interactive_waits() -> None:
    turns = Turns()
    for _ in range(30):
        waiting(turns, "job", "batch")
    assert [turns.next().priority for _ in range(20)] == 20 * ["batch"]
    waiting(turns, "person")
    assert turns.next().priority == "interactive"


def test_interactive_turns_count_before_batch_comes_and_give_it_one_turn_at_most() -> None:
    turns = Turns()
    for _ in range(50):
        waiting(turns, "person")
    for _ in range(3 * SHARE):
        turns.next()
    for _ in range(2):
        waiting(turns, "job", "batch")
    assert [turns.next().priority for _ in range(SHARE + 2)] == ["batch", *(SHARE * ["interactive"]), "batch"]


def test_who_gives_up_leaves_his_turn_to_the_next_of_his_caller() -> None:
    turns = Turns()
    both = [(waiting(turns, "a"), waiting(turns, "b")) for _ in range(5)]
    for mine, _ in both[:4]:
        turns.remove(mine)
    assert [ticket.caller for ticket in order(turns)] == ["a", "b", "b", "b", "b", "b"]


def test_who_comes_and_goes_gains_no_turn() -> None:
    """A caller that gives up and asks again stands behind those who had waited."""
    turns = Turns()
    first, _ = waiting(turns, "a"), waiting(turns, "b")
    turns.remove(first)
    waiting(turns, "a")
    assert [ticket.caller for ticket in order(turns)] == ["b", "a"]


@given(st.lists(st.sampled_from(["person", "job", "turn"]), max_size=200), st.integers(1, 5))
def test_while_both_wait_neither_has_more_than_its_share(events: list[str], callers: int) -> None:
    turns, had, left = Turns(), Counter[str](), Counter[str]()
    for number, what in enumerate(events):
        if what == "turn" and left.total():
            priority = turns.next().priority
            both = left["interactive"] and left["batch"]
            had = Counter({priority: had[priority] + 1}) if both else Counter()
            left[priority] -= 1
            assert had["interactive"] <= SHARE
            assert had["batch"] <= 1
        elif what != "turn":
            kind: Priority = "interactive" if what == "person" else "batch"
            waiting(turns, f"{number % callers}", kind)
            left[kind] += 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["interactive", "batch"]), st.integers(0, 9)), min_size=1, max_size=60
    ),
    st.integers(1, 5),
)
def test_no_turn_comes_later_than_rounds_of_its_class_whoever_comes_after(
    before: list[tuple[Priority, int]], crowd: int
) -> None:
    """The k-th of a caller waits for k rounds at most, of which each turn waits for ten others at most."""
    turns = Turns()
    tickets = [waiting(turns, f"{caller}", priority) for priority, caller in before]
    last = tickets[-1]
    callers = {caller for priority, caller in before if priority == last.priority}
    own = sum(one == before[-1] for one in before)
    bound = own * (len(callers) + (crowd if last.priority == "interactive" else 0))
    bound = bound * 11 if last.priority == "batch" else bound + bound // SHARE + 1
    for _ in range(bound):
        for new in range(crowd):
            waiting(turns, f"new {new}")
        if turns.next() is last:
            return
    raise AssertionError(f"no turn in {bound}")


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
