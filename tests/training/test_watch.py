"""When a canary's failures are surely more than the live version's."""

from __future__ import annotations

import pytest

from training.release.watch import Count, counts, difference, tripped, wilson

TEXT = """\
# TYPE pointsman_requests counter
pointsman_requests_total{intent="a",chain="direct",adapter="s@1",status="200"} 40.0
pointsman_requests_total{intent="b",chain="cot",adapter="s@1",status="503"} 2.0
pointsman_requests_total{intent="b",chain="cot",adapter="s@1",status="429"} 3.0
pointsman_requests_total{intent="a",chain="direct",adapter="s@2",status="200"} 7.0
# TYPE pointsman_broken_answers counter
pointsman_broken_answers_total{adapter="s@1"} 4.0
# TYPE pointsman_request_seconds histogram
pointsman_request_seconds_sum{chain="direct",adapter="s@1"} 8.0
pointsman_request_seconds_sum{chain="cot",adapter="s@1"} 1.0
"""


def test_failures_are_the_servers_own_and_answers_that_broke_off() -> None:
    assert counts(TEXT) == {"s@1": Count(45, 6, 9.0), "s@2": Count(7, 0)}


def test_intervals_are_those_of_the_papers() -> None:
    """Newcombe's table II, case (a): 56 of 70 against 48 of 80 is 0.0524 to 0.3339 by method 10; Wilson's
    interval of 0 of 10 is 0 to z²/(n + z²) = 0.2775."""
    assert difference(Count(70, 56), Count(80, 48)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert wilson(Count(10, 0)) == pytest.approx((0, 0.2775), abs=5e-5)


def test_one_failure_of_twenty_is_no_proof_and_four_are() -> None:
    live = Count(400, 0)
    assert tripped(Count(20, 1), live, 0.02) == ""
    assert "4 of 20 requests of the canary failed, 0 of 400" in tripped(Count(20, 4), live, 0.02)
    assert tripped(Count(20, 4), Count(400, 80), 0.02) == ""  # the live version fails as often
    assert tripped(Count(0, 0), Count(0, 0), 0.02) == ""
    assert tripped(Count(20, 10), Count(0, 0), 0.02) != ""


def test_a_gateway_that_counts_anew_is_not_negative() -> None:
    assert Count(30, 3).since(Count(20, 1)) == Count(10, 2)
    assert Count(5, 1).since(Count(20, 1)) == Count(5, 1)
