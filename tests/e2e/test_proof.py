"""The proof of the adapter life in its shortest form; `make prove-swap` is the long one."""

from __future__ import annotations

import psutil
import pytest

from deploy.proof.served import Served
from deploy.proof.swap import Plan, prove
from tests.e2e.demo import Demo

pytestmark = pytest.mark.e2e


async def test_versions_change_under_load_and_every_token_is_the_right_ones(demo: Demo) -> None:
    served = Served(demo.url, demo.state, demo.adapters, psutil.Process(demo.process.pid))
    plan = Plan(operations=8, aliases=2, clients=2, operators=1, questions=1, spoil=True)
    proof = await prove(served, plan, lambda _: None)
    assert proof.faults == []
    assert proof.done.count >= plan.operations
    assert proof.tally.answered.total() > 0
    assert proof.told_apart > 0.3
