"""When a canary surely does worse than the live version."""

from __future__ import annotations

import math

import pytest

from training.release.recipe import Canary
from training.release.watch import Count, Share, counts, difference, tripped, wilson

ALLOWED = Canary.model_validate({"steps": [{"weight": 5, "seconds": 1}]})

TEXT = """\
# TYPE pointsman_requests counter
pointsman_requests_total{intent="a",chain="direct",adapter="s@1",status="200"} 40.0
pointsman_requests_total{intent="b",chain="cot",adapter="s@1",status="503"} 2.0
pointsman_requests_total{intent="b",chain="cot",adapter="s@1",status="429"} 3.0
pointsman_requests_total{intent="a",chain="direct",adapter="s@2",status="200"} 7.0
# TYPE pointsman_broken_answers counter
pointsman_broken_answers_total{adapter="s@1"} 4.0
# TYPE pointsman_aborted_answers counter
pointsman_aborted_answers_total{adapter="s@2"} 3.0
# TYPE pointsman_ratings counter
pointsman_ratings_total{adapter="s@2",thumbs="up"} 2.0
pointsman_ratings_total{adapter="s@2",thumbs="down"} 1.0
# TYPE pointsman_time_to_first_token_seconds histogram
pointsman_time_to_first_token_seconds_bucket{chain="direct",adapter="s@1",le="0.5"} 3.0
pointsman_time_to_first_token_seconds_bucket{chain="direct",adapter="s@1",le="+Inf"} 4.0
pointsman_time_to_first_token_seconds_bucket{chain="cot",adapter="s@1",le="0.5"} 1.0
pointsman_time_to_first_token_seconds_bucket{chain="cot",adapter="s@1",le="+Inf"} 1.0
"""


def test_failures_are_the_servers_own_and_answers_that_broke_off() -> None:
    assert counts(TEXT) == {"s@1": Count(45, 6, begun={0.5: 4, math.inf: 5}), "s@2": Count(7, 0, 3, 3, 1)}


def test_intervals_are_those_of_the_papers() -> None:
    """Newcombe's table II, case (a): 56 of 70 against 48 of 80 is 0.0524 to 0.3339 by method 10; Wilson's
    interval of 0 of 10 is 0 to z²/(n + z²) = 0.2775."""
    assert difference(Share(56, 70), Share(48, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert wilson(Share(0, 10)) == pytest.approx((0, 0.2775), abs=5e-5)


def test_one_failure_of_twenty_is_no_proof_and_four_are() -> None:
    live = Count(400, 0)
    assert tripped(Count(20, 1), live, ALLOWED) == ""
    assert "4 of 20 requests of the canary failed, 0 of 400" in tripped(Count(20, 4), live, ALLOWED)
    assert tripped(Count(20, 4), Count(400, 80), ALLOWED) == ""  # the live version fails as often
    assert tripped(Count(0, 0), Count(0, 0), ALLOWED) == ""
    assert tripped(Count(20, 10), Count(0, 0), ALLOWED) != ""


def test_clients_that_give_up_and_thumbs_that_go_down_are_counted_too() -> None:
    live = Count(400, aborted=20, rated=100, down=10)
    assert tripped(Count(100, aborted=8, rated=10, down=2), live, ALLOWED) == ""
    assert "40 of 100 requests of the canary were given up" in tripped(Count(100, aborted=40), live, ALLOWED)
    assert "8 of 12 rated answers of the canary were rated down, 10 of 100" in tripped(
        Count(100, rated=12, down=8), live, ALLOWED
    )


def test_streams_that_begin_later_than_the_live_versions_do_are_counted() -> None:
    live = Count(200, begun={0.5: 150, 1.0: 196, 2.5: 200, math.inf: 200})
    assert live.usual == 1.0
    assert tripped(Count(20, begun={0.5: 2, 1.0: 18, 2.5: 20, math.inf: 20}), live, ALLOWED) == ""
    slow = Count(20, begun={0.5: 0, 1.0: 8, 2.5: 12, math.inf: 20})
    assert "12 of 20 streams of the canary took more than 1 s to their first token, 4 of 200" in tripped(
        slow, live, ALLOWED
    )
    few = Count(19, begun={0.5: 0, 1.0: 0, 2.5: 19, math.inf: 19})  # of one busy moment, it may be
    assert tripped(few, live, ALLOWED) == ""
    assert tripped(slow, Count(0), ALLOWED) == ""  # nothing to call slow
    assert tripped(slow, slow, ALLOWED) == ""
    assert slow.since(Count(5, begun={0.5: 0, 1.0: 5, 2.5: 5, math.inf: 5})).slow(1.0) == Share(12, 15)


def test_a_gateway_that_counts_anew_is_not_negative() -> None:
    assert Count(30, 3, 2, 9, 4).since(Count(20, 1, 2, 4, 4)) == Count(10, 2, 0, 5, 0)
    assert Count(30, 3).since(Count(20, 1)) == Count(10, 2)
    assert Count(5, 1).since(Count(20, 1)) == Count(5, 1)
