"""The simulation says what was measured, always the same, and what the scheduler promises."""

from __future__ import annotations

import math

import pytest

from deploy.bench.engine_model import ANSWER, AT_ONCE, H200
from deploy.bench.scheduling import ANSWERS, fit
from deploy.bench.simulation import PassOver, Traffic, simulate
from service.admission.affinity import Affinity
from service.admission.first_come import FirstCome

MANY = Traffic(16, 1_200, clients=192, answer=ANSWERS, seed=5)


@pytest.mark.parametrize(("adapters", "measured"), [(0, 76.5), (1, 63.0), (16, 43.5)])
def test_the_model_gives_back_what_it_was_fitted_to(adapters: int, measured: float) -> None:
    """64 at once for 128 steps, half a new prompt of 256 tokens in each: 64 / (128 · step) requests/s."""
    prompts = AT_ONCE / ANSWER * 256
    step = H200.step(AT_ONCE, adapters, 0) + H200.by_prompt_token * prompts
    assert pytest.approx(measured) == AT_ONCE / (ANSWER * step)


def test_the_table_of_the_fit_holds_two_rows_that_were_not_fitted() -> None:
    cells = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ") for line in fit().splitlines()}
    assert 0.95 < float(cells["4 adapters"][2]) / 59 < 1.05
    assert 0.95 < float(cells["16 adapters, 256 requests sorted"][2]) / 60 < 1.05


def test_a_run_is_the_same_each_time() -> None:
    first, again = (simulate(Affinity(2.0), MANY) for _ in range(2))
    assert first.waits() == again.waits()
    assert first.seconds == again.seconds


def test_all_are_served_and_grouping_pays_within_its_bound() -> None:
    plain, grouped = simulate(FirstCome(), MANY), simulate(Affinity(4.0), MANY)
    assert len(plain.finished) == len(grouped.finished) == MANY.requests
    assert max(plain.late()) == 0.0
    assert grouped.throughput > 1.08 * plain.throughput
    assert grouped.adapters < 0.75 * plain.adapters
    assert 0.0 < max(grouped.late()) < 4.0


def test_with_no_more_clients_than_slots_nobody_waits() -> None:
    traffic = Traffic(16, 600, clients=64, answer=ANSWERS)
    assert max(simulate(Affinity(2.0), traffic).waits()) == 0.0


def test_with_more_adapters_than_places_it_is_as_fast_as_passing_over_and_nobody_is_forgotten() -> None:
    """Later by the extra wait and the longest answer at most."""
    traffic = Traffic(64, 1_500, clients=128, zipf=1.0, answer=ANSWERS, seed=2)
    strict, passing, ours = (
        simulate(one, traffic, resident=64) for one in (FirstCome(), PassOver(), Affinity(2.0))
    )
    assert ours.throughput > 1.5 * strict.throughput
    assert ours.throughput > 0.95 * passing.throughput
    assert len(ours.finished) == traffic.requests
    assert max(ours.late()) <= 2.0 + max(end - ticket.admitted for ticket, end in ours.finished.items())
    assert max(ours.waits()) < 0.9 * max(passing.waits())


def test_an_overload_is_refused_at_once_and_not_after_a_long_wait() -> None:
    traffic = Traffic(16, 2_600, rate=130, answer=ANSWERS, seed=3)
    out = simulate(Affinity(2.0), traffic, max_wait=6.0)
    refused = [ticket for ticket in out.tickets if ticket not in out.finished]
    assert out.timed_out <= 0.01 * len(refused)
    assert math.floor(out.throughput) >= 41
    assert all(1 <= ticket.retry_after <= 60 for ticket in refused if ticket.retry_after)
    assert max(out.waits()) <= 6.5


def test_jobs_that_cannot_be_served_behind_people_hear_it_at_once() -> None:
    callers = (("people", "interactive", 0.5), ("jobs", "batch", 0.5))
    traffic = Traffic(16, 5_000, rate=65, callers=callers, answer=ANSWERS, seed=7)  # type: ignore[arg-type]
    out = simulate(Affinity(2.0), traffic, max_wait=20.0)
    at_once, later = out.refused("jobs")
    assert out.refused("people") == (0, 0)
    assert at_once > 500
    assert later < 0.2 * at_once
    assert out.throughput > 42


def test_one_key_of_people_has_its_share_beside_a_hundred_of_jobs() -> None:
    keys = tuple((f"job {key}", "batch", 0.01) for key in range(100))
    callers = (("person", "interactive", 1.0), *keys)
    traffic = Traffic(16, 4_000, rate=100, callers=callers, answer=ANSWERS, seed=7)  # type: ignore[arg-type]
    out = simulate(Affinity(2.0), traffic, max_wait=20.0)
    assert 0.85 < len(out.served("person")) / len(out.finished) < 0.95
    assert len(out.served("job")) > 0.05 * len(out.finished)


def test_long_answers_are_refused_at_once_too() -> None:
    """Of 10 to 30 s; three times what can be served. Before the first ones end nothing is known of them."""
    traffic = Traffic(16, 3_000, rate=9, answer=(900, 2_600), seed=3)
    out = simulate(Affinity(2.0), traffic, max_wait=60.0)
    assert len(out.waits()) > 800
    assert out.timed_out <= 0.02 * (len(out.waits()) + out.timed_out)


def test_a_quiet_caller_does_not_wait_behind_a_loud_one() -> None:
    callers = (("loud", "interactive", 0.9), ("quiet", "interactive", 0.1))
    traffic = Traffic(16, 1_500, rate=65, callers=callers, answer=ANSWERS)  # type: ignore[arg-type]
    out = simulate(Affinity(2.0), traffic, max_wait=20.0)
    quiet = [ticket for ticket in out.tickets if ticket.caller == "quiet"]
    assert len(out.waits("quiet")) == len(quiet)
    assert max(out.waits("quiet")) < 0.5 * max(out.waits("loud"))
