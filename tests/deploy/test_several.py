"""Several servers behind one scheduler: bounded homes bring it nearer to each server by itself."""

from __future__ import annotations

from deploy.bench.several import by_name, run
from service.engine.placement import homes

FEW = 3_000  # requests


def test_a_run_is_the_same_each_time_and_nobody_is_forgotten() -> None:
    first, again = (run(homes, 64, 1.0, requests=FEW, seed=3) for _ in range(2))
    assert first == again
    assert len(first.waits) == FEW
    assert min(first.inside) == 0.0


def test_one_server_alone_is_never_waited_for_behind_the_scheduler() -> None:
    assert max(run(homes, 16, 1.0, servers=1, requests=FEW, seed=3).inside) == 0.0


def test_bounded_homes_give_more_and_wait_less_than_homes_by_name() -> None:
    alone, bounded = (run(placing, 40, 0.0, requests=FEW, seed=3) for placing in (by_name, homes))
    assert bounded.throughput > 1.3 * alone.throughput
    assert max(bounded.inside) < 0.6 * max(alone.inside)
