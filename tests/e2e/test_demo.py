"""The demo as it stands after `make up`."""

from __future__ import annotations

import asyncio
import subprocess

import httpx
import pytest

from deploy.demo import evaluation
from tests.e2e.demo import ROOT, Demo

pytestmark = pytest.mark.e2e


def test_it_says_what_to_try_and_that_works(demo: Demo) -> None:
    command = demo.said.split("try\n\n")[1].split("\n\n")[0].strip()
    assert command.startswith(f"curl {demo.url}/v1/chat/completions")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "PX482913" in done.stdout
    assert f"admin key: {demo.state / 'admin.key'}" in demo.said


def test_every_route_of_the_demo_can_be_taken(demo: Demo) -> None:
    answer = httpx.get(f"{demo.url}/ready").json()
    assert answer["ready"]
    assert answer["routes"]["warnings"] == []
    assert len(answer["routes"]["live"]) == 8


def test_a_second_gateway_on_the_port_is_refused_before_anything_starts(demo: Demo) -> None:
    port = demo.url.rpartition(":")[2]
    words = ["make", "up", f"PORT={port}", f"CONFIG={demo.config}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"make up: port {port} on 127.0.0.1 is in use by " in done.stderr
    assert "make up PORT=" in done.stderr


def test_held_out_cases_are_done_as_the_bars_ask(demo: Demo) -> None:
    samples = evaluation.cases(4, seed=11, intents=sorted(evaluation.BARRED))
    outcomes = asyncio.run(evaluation.evaluate(demo.url, samples))
    missed = [(outcome.sample.intent, outcome.text, outcome.faults) for outcome in outcomes if outcome.faults]
    assert len(missed) <= len(samples) // 10, missed
    assert all(score.done >= 3 for score in evaluation.scores(outcomes)), missed  # of 4
