"""A scheduler that events are played to, and what must hold of it after each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from service.admission.affinity import Affinity
from service.admission.first_come import FirstCome
from service.admission.queue import Policy
from service.admission.scheduler import Scheduler
from service.admission.ticket import Priority, State, Ticket

EXTRA = 1.0
Event = tuple[str, int, int, Priority, float]  # what, which adapter or ticket, which caller, seconds since
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["arrive", "arrive", "arrive", "finish", "finish", "leave"]),
        st.integers(0, 9),
        st.integers(0, 2),
        st.sampled_from(["interactive", "batch"]),
        st.sampled_from([0.0, 0.1, 0.7]),
    ),
    max_size=80,
)
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
POLICIES: dict[str, Callable[[], Policy]] = {"affinity": lambda: Affinity(EXTRA), "first come": FirstCome}


class World:
    """A scheduler, the truth about its tickets, and what must hold after each event."""

    def __init__(self, policy: Policy, slots: int = 3, places: int = 2, queue: int = 30) -> None:
        self.policy = policy
        self.slots, self.places, self.queue = slots, places, queue
        self.scheduler = Scheduler(policy, slots=slots, places=places, max_queue=queue, max_wait=1e9)
        self.now = 0.0
        self.tickets: list[Ticket] = []

    def of(self, state: State) -> list[Ticket]:
        return [ticket for ticket in self.tickets if ticket.state is state]

    def arrive(self, adapter: str | None, caller: str = "", priority: Priority = "interactive") -> Ticket:
        ticket = Ticket(adapter, caller, priority)
        self.tickets.append(ticket)
        self.seen(self.scheduler.arrive(ticket, self.now))
        return ticket

    def finish(self, ticket: Ticket) -> None:
        self.seen(self.scheduler.finish(ticket, self.now))

    def play(self, events: Sequence[Event]) -> None:
        for what, which, caller, priority, later in events:
            self.now += later
            running, waiting = self.of(State.RUNNING), self.of(State.WAITING)
            if what == "arrive":
                adapter = None if which == 0 else f"a{which % 5}"
                self.arrive(adapter, f"c{caller}", priority)
            elif what == "finish" and running:
                self.finish(running[which % len(running)])
            elif what == "leave" and waiting:
                self.seen(self.scheduler.leave(waiting[which % len(waiting)], self.now))

    def seen(self, moved: Sequence[Ticket]) -> None:
        running, waiting = self.of(State.RUNNING), self.of(State.WAITING)
        assert all(ticket.state in (State.RUNNING, State.SHED) for ticket in moved)
        assert len(set(moved)) == len(moved)
        assert (self.scheduler.running, len(self.scheduler.queue)) == (len(running), len(waiting))
        assert len(running) <= self.slots
        assert len(waiting) <= self.queue
        distinct = {ticket.adapter for ticket in running} - {None}
        assert len(distinct) == len(self.scheduler.places.running) <= self.places
        assert self.turns() == len(waiting)  # as many turns are left as requests wait

    def turns(self) -> int:
        """Turns that have not come yet."""
        lines = self.policy.turns.lines.values()
        return sum(len(tickets) for line in lines for tickets in line.callers.values())
