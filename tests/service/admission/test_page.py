"""The example of docs/scheduling.md, event by event, as the scheduler decides it."""

from __future__ import annotations

import re
from pathlib import Path

from service.admission.affinity import Affinity
from service.admission.first_come import FirstCome
from service.admission.queue import Policy
from service.admission.scheduler import Scheduler
from service.admission.ticket import State, Ticket

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "scheduling.md"
ARRIVALS = {"a1": 0.0, "b1": 0.2, "a2": 0.3, "b2": 0.4, "b3": 0.5}
ANSWER = 1.0  # seconds


def let_in(policy: Policy, arrivals: dict[str, float]) -> dict[str, float]:
    """When each is let in; two slots, room for both adapters, every answer takes as long."""
    scheduler = Scheduler(policy, slots=2, places=2, max_queue=10, max_wait=60.0)
    tickets = {name: Ticket(name[0]) for name in arrivals}
    events = sorted((when, name) for name, when in arrivals.items())
    while events:
        now, name = events.pop(0)
        ticket = tickets[name]
        act = scheduler.finish if ticket.state is State.RUNNING else scheduler.arrive
        for moved in act(ticket, now):
            ended = next(other for other, one in tickets.items() if one is moved)
            events = sorted([*events, (round(now + ANSWER, 3), ended)])
    return {name: ticket.admitted for name, ticket in tickets.items()}


def shown() -> dict[str, tuple[float, float]]:
    """The table of the page: each request with when it goes in by the rules, and by first come."""
    rows = re.findall(r"^\| (\w\d) \|[^|]*\| ([\d.]+) \| ([\d.]+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    return {name: (float(ours), float(plain)) for name, ours, plain in rows}


def mixed(admitted: dict[str, float], since: float) -> float:
    """Seconds for which both adapters are in the batch."""
    moments = [since + 0.1 * step + 0.05 for step in range(30)]
    batches = [{name[0] for name, at in admitted.items() if at < now < at + ANSWER} for now in moments]
    return round(0.1 * sum(len(batch) == 2 for batch in batches), 1)


def test_the_example_is_what_happens() -> None:
    ours, plain = let_in(Affinity(2.0), ARRIVALS), let_in(FirstCome(), ARRIVALS)
    assert shown() == {name: (ours[name], plain[name]) for name in ARRIVALS}
    said = f"for {mixed(ours, 1.0)} s, where first come has them for {mixed(plain, 1.0)} s"
    assert said in PAGE.read_text("utf-8")


def test_a_further_request_of_the_run_does_not_go_before_who_is_late_by_half() -> None:
    ours = let_in(Affinity(2.0), {**ARRIVALS, "b4": 0.6})
    assert (ours["a2"], ours["b4"]) == (2.0, 2.2)
    assert let_in(Affinity(3.0), {**ARRIVALS, "b4": 0.6})["a2"] == 2.2  # half: 1.5 s


def test_the_page_names_the_modules_that_there_are() -> None:
    named = set(re.findall(r"\b(\w+\.py)\b", PAGE.read_text("utf-8"))) - {Path(__file__).name}
    there = {file.name for file in (ROOT / "service" / "admission").glob("*.py")} - {"__init__.py"}
    assert named == there
