"""The depot's log book: repeatable, in order, and its count adds up."""

import re
from typing import Any

import pytest

from deploy.demo.text import depot

TIME = re.compile(r"(\d\d):(\d\d) ")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return list(depot.log_pages(200, seed=1))


def test_the_seed_decides_and_nothing_else(rows: list[dict[str, Any]]) -> None:
    assert list(depot.log_pages(20, seed=1)) == rows[:20]
    assert list(depot.log_pages(20, seed=2)) != rows[:20]


def test_a_page_goes_through_its_shift_and_counts_its_parcels(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        heading, *events, count = row["text"].split("\n")
        begins = {"early": 6, "late": 14, "night": 22}[heading.split(" / ")[1].split()[0]]
        minutes = []
        for event in events:
            found = TIME.match(event)
            assert found
            minutes.append((int(found[1]) - begins) % 24 * 60 + int(found[2]))
        assert minutes == sorted(minutes)
        dispatched = sum(int(load) for load in re.findall(r" clsd, (\d+) prcls", row["text"]))
        received, held = row["text"].count(" rcvd dck"), row["text"].count(" hld fr dsk")
        assert count == f"shft end: {received} rcvd, {dispatched} dsptchd, {held} hld"
