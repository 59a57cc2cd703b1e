"""The parts of the proof of the adapter life that need no engine."""

from __future__ import annotations

import mmap
from pathlib import Path
from random import Random

import numpy as np
import psutil
import pytest

from deploy.proof.expected import Expected
from deploy.proof.memory import growth, held
from deploy.proof.spoiled import change
from deploy.proof.traffic import told_apart
from service.adapters.version import Live

A, B, C = "a" * 12, "b" * 12, "c" * 12


def test_a_rollback_takes_all_that_gave_the_newest_version_its_share() -> None:
    alias = Expected("x", (A, B, C))
    alias.promoted(A, 100)
    alias.promoted(B, 5)
    alias.promoted(B, 50)
    alias.promoted(B, 100)
    assert alias.live == Live(B)
    assert alias.way_back() == Live(A)
    alias.rolled_back()
    assert alias.live == Live(A)
    assert alias.way_back() is None  # nothing was live before it
    alias.promoted(C, 20)
    alias.promoted(B, 20)
    alias.rolled_back()
    assert alias.live == Live(A, C, 20)
    alias.rolled_back()
    alias.promoted(B, 100)
    alias.retired.add(A)
    assert alias.way_back() is None  # what was retired does not come back by itself


def test_every_operation_that_is_chosen_changes_something_or_must_be_refused() -> None:
    alias, random = Expected("x", (A, B, C)), Random(1)
    kinds = set()
    for _ in range(400):
        asked, before = alias.choose(random, spoil=True), alias.live
        kinds.add(asked.kind)
        if asked.kind in ("promote", "canary"):
            alias.retired.discard(asked.version)
            alias.promoted(asked.version, asked.weight)
            assert alias.live != before
        elif asked.kind == "rollback" and alias.way_back() is not None:
            alias.rolled_back()
            assert alias.live != before
        elif asked.kind == "conflict":
            assert before is not None
            assert asked.version in before.versions
        elif asked.kind in ("retire", "spoil"):
            assert before is not None
            assert asked.version not in before.versions
            alias.retired.add(asked.version)
    assert kinds == {"promote", "canary", "rollback", "retire", "spoil", "conflict"}


def test_a_slope_is_found_with_an_interval_that_holds_it() -> None:
    random = np.random.default_rng(0)
    operations = np.arange(600)
    for grows in (0.0, 50.0):
        held = 400 + grows * operations / 1_000 + random.normal(0, 2, operations.size)
        held[:100] -= 80  # what fills at the start says nothing
        found = growth(list(zip(operations.tolist(), held.tolist(), strict=True)))
        assert found is not None
        for slope in (found.settled, found.last_half):
            assert slope.low < grows < slope.high
            assert slope.high - slope.low < 15
    assert growth([(0, 400.0)] * 100) is None
    assert growth([]) is None


def test_what_fills_up_and_then_stays_is_told_from_what_grows() -> None:
    random = np.random.default_rng(0)
    operations = np.arange(600)
    held = 500 - 100 * np.exp(-operations / 45) + random.normal(0, 1, operations.size)
    found = growth(list(zip(operations.tolist(), held.tolist(), strict=True)))
    assert found is not None
    assert found.settled.low > 0  # it still fills
    assert found.last_half.low < 0.0 < found.last_half.high
    assert found.levels[0] < found.levels[1] < found.levels[2] < 500
    assert found.levels[-1] == pytest.approx(500, abs=1)


def test_pages_of_a_file_are_not_what_a_process_holds(tmp_path: Path) -> None:
    (tmp_path / "pages").write_bytes(bytes(64 << 20))
    process = psutil.Process()
    own, resident = held(process), process.memory_info().rss
    pages = np.memmap(tmp_path / "pages", dtype=np.uint8, mode="r")
    assert not pages[::512].any()
    assert process.memory_info().rss - resident > 32 << 20
    assert held(process) - own < 32
    own = held(process)
    # not numpy's, which may be what an earlier test's array has left to the process
    with mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        for page in range(0, len(memory), mmap.PAGESIZE):
            memory[page] = 1
        assert held(process) - own > 32


def test_changed_bytes_are_other_numbers_and_finite_ones(tmp_path: Path) -> None:
    numbers = np.arange(20_000, dtype=np.float16)
    (tmp_path / "weights").write_bytes(numbers.tobytes())
    change(tmp_path / "weights", Random(0))
    found = np.fromfile(tmp_path / "weights", dtype=np.float16)
    assert found.size == numbers.size
    assert (found[:10_000] == numbers[:10_000]).all()  # where a header would be
    assert 0 < (found != numbers).sum() <= 4_096
    assert set(found) <= set(numbers)


def test_what_a_comparison_would_see_is_counted() -> None:
    one, other = ("q", False), ("r", False)
    known = {(A, one): [1, 2], (B, one): [1, 2], (A, other): [1, 2], (B, other): [1, 3]}
    assert told_apart(known) == pytest.approx(0.5)
